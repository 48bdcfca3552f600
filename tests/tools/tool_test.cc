// The program against a server: what it prints and how it ends.

#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "google/rpc/error_details.pb.h"
#include "tests/client/fake_server.h"
#include "tests/tools/tool_process.h"

namespace postrider::cli {
namespace {

using postrider::testing::ErrorWith;
using postrider::testing::FakeServer;
using postrider::testing::RefusedFor;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

class ToolTest : public ::testing::Test {
 protected:
  ToolResult Run(std::vector<std::string> arguments, const std::string& input = "") {
    arguments.push_back("--address=" + server_.address());
    return RunTool(arguments, input);
  }

  FakeServer server_;
};

// One line, with the name of the program before it.
void ExpectOneLine(const std::string& error) {
  EXPECT_THAT(error, StartsWith("postrider: "));
  EXPECT_EQ(error.find('\n'), error.size() - 1) << error;
}

// A port of the loopback address where nobody listens as long as this lives.
class DeadPort {
 public:
  DeadPort() : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    if (bind(socket_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      ADD_FAILURE() << "no free port";
    }
    address_ = absl::StrCat("127.0.0.1:", ntohs(address.sin_port));
  }
  ~DeadPort() { close(socket_); }

  const std::string& address() const { return address_; }

 private:
  const int socket_;
  std::string address_;
};

TEST_F(ToolTest, CreatesAnEndpointAndShowsItsSecret) {
  const ToolResult result =
      Run({"endpoint", "create", "--org=org1", "--env=env1", "--url=https://example.com/"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.error, "");
  EXPECT_EQ(result.output,
            "id                    ep_1\n"
            "org_id                org1\n"
            "env_id                env1\n"
            "url                   https://example.com/\n"
            "state                 ENABLED\n"
            "consecutive_failures  0\n"
            "create_time           2023-11-14T22:13:20.000Z\n"
            "secret                whsec_made\n"
            "The secret is not shown again: keep it now.\n");
}

TEST_F(ToolTest, PrintsOneJsonDocumentIfAsked) {
  const ToolResult result =
      Run({"endpoint", "create", "--url=https://example.com/", "--output", "json"});
  EXPECT_EQ(result.exit_code, 0);
  v1::CreateEndpointResponse response;
  EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(result.output, &response).ok());
  EXPECT_EQ(response.secret(), "whsec_made");
  EXPECT_THAT(result.output, HasSubstr("\"create_time\""));
}

TEST_F(ToolTest, ListsOverAsManyPagesAsTheLimitNeeds) {
  server_.AddEndpoints(5);
  const ToolResult result = Run({"endpoint", "list", "--limit=3", "--page-size=2"});
  EXPECT_EQ(result.exit_code, 0);
  const std::vector<std::string> lines = absl::StrSplit(result.output, '\n');
  ASSERT_THAT(lines, SizeIs(6));
  EXPECT_THAT(lines[0], StartsWith("ID    STATE    FAILURES"));
  EXPECT_THAT(lines[3], StartsWith("ep_3  ENABLED  0"));
  EXPECT_EQ(lines[4], "More: repeat with --page-token 3");
  const auto lists = server_.lists();
  ASSERT_THAT(lists, SizeIs(2));
  EXPECT_EQ(lists[0].page_size(), 2);
  EXPECT_EQ(lists[1].page_size(), 1);
  EXPECT_EQ(lists[1].page_token(), "2");

  const ToolResult rest = Run({"endpoint", "list", "--page-token=3"});
  EXPECT_THAT(rest.output, AllOf(HasSubstr("ep_4"), HasSubstr("ep_5")));
  EXPECT_EQ(rest.output.find("More:"), std::string::npos);
}

TEST_F(ToolTest, MergesPagesIntoOneJsonDocument) {
  server_.AddEndpoints(5);
  const ToolResult result = Run({"endpoint", "list", "--page-size=2", "--output=json"});
  v1::ListEndpointsResponse response;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(result.output, &response).ok());
  EXPECT_EQ(response.endpoints_size(), 5);
  EXPECT_EQ(response.next_page_token(), "");
}

TEST_F(ToolTest, SendsAnUpdateWithItsMask) {
  server_.AddEndpoints(1);
  const ToolResult result =
      Run({"endpoint", "update", "ep_1", "--description", "new", "--timeout="});
  EXPECT_EQ(result.exit_code, 0) << result.error;
  ASSERT_THAT(server_.updates(), SizeIs(1));
  EXPECT_THAT(server_.updates()[0].update_mask().paths(), ElementsAre("description", "timeout"));
}

TEST_F(ToolTest, SaysThatItDeleted) {
  server_.AddEndpoints(1);
  const ToolResult result = Run({"endpoint", "delete", "ep_1"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.output, "Deleted.\n");
}

TEST_F(ToolTest, ShowsAttempts) {
  const ToolResult result = Run({"delivery", "attempts", "dlv_1"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.output, HasSubstr("2023-11-14T22:13:20.000Z  dlv_1     1       HTTP_STATUS  "
                                       "503     12.3ms    -        the receiver answered 503\n"));
}

TEST_F(ToolTest, PublishesDataFromWhereItIsTold) {
  char path[] = "/tmp/postrider-tool-test-XXXXXX";
  const int file = mkstemp(path);
  ASSERT_EQ(write(file, "{\"n\":3}", 7), 7);
  close(file);
  EXPECT_EQ(Run({"event", "publish", "--type=a.b", "--data", "{\"n\":1}"}).exit_code, 0);
  EXPECT_EQ(Run({"event", "publish", "--type=a.b", "-"}, "{\"n\":2}").exit_code, 0);
  EXPECT_EQ(Run({"event", "publish", "--type=a.b", "--data-file", path}).exit_code, 0);
  EXPECT_EQ(Run({"event", "publish", "--type=a.b", "--data-file=-"}, "{\"n\":4}").exit_code, 0);
  unlink(path);
  const auto published = server_.published();
  ASSERT_THAT(published, SizeIs(4));
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(published[i].data_json(), absl::StrCat("{\"n\":", i + 1, "}"));
    EXPECT_NE(published[i].idempotency_key(), "");
  }
}

TEST_F(ToolTest, PublishesAgainWhenTheServerIsBusyForAMoment) {
  server_.FailPublishes({RefusedFor(grpc::StatusCode::RESOURCE_EXHAUSTED, "full", "BACKLOG")});
  const ToolResult result = Run({"event", "publish", "--type=a.b", "--data={}"});
  EXPECT_EQ(result.exit_code, 0) << result.error;
  EXPECT_THAT(result.output, HasSubstr("event_id        evt_2\n"));
  EXPECT_THAT(result.output, HasSubstr("delivery_count  0\n"));
}

TEST_F(ToolTest, NamesEveryRefusedFieldOnOneLine) {
  google::rpc::BadRequest bad_request;
  auto* url = bad_request.add_field_violations();
  url->set_field("endpoint.url");
  url->set_description("must begin\nwith https://");
  auto* request_id = bad_request.add_field_violations();
  request_id->set_field("request_id");
  request_id->set_description("is malformed");
  server_.FailCalls(ErrorWith(grpc::StatusCode::INVALID_ARGUMENT, "wrong", {&bad_request}));
  const ToolResult result = Run({"endpoint", "create", "--url=x"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.output, "");
  EXPECT_EQ(result.error,
            "postrider: endpoint.url must begin\\x0awith https://; request_id is malformed. "
            "See 'postrider endpoint create --help'.\n");
}

TEST_F(ToolTest, Ends1WithAdviceForWhatTheServerRefuses) {
  for (const auto& [code, advice] : std::vector<std::pair<grpc::StatusCode, std::string>>{
           {grpc::StatusCode::NOT_FOUND, "See 'postrider endpoint list'"},
           {grpc::StatusCode::UNAUTHENTICATED, "Give a key with --api-key or $POSTRIDER_API_KEY."},
           {grpc::StatusCode::PERMISSION_DENIED, "Use a key with the needed scope"},
           {grpc::StatusCode::ABORTED, "read it again"},
           {grpc::StatusCode::RESOURCE_EXHAUSTED, "Try again in 7s."},
           {grpc::StatusCode::UNIMPLEMENTED, "This server does not offer it"}}) {
    server_.FailCalls(RefusedFor(code, "The text.", "REASON", absl::Seconds(7)));
    const ToolResult result = Run({"endpoint", "get", "ep_1"});
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.error, HasSubstr("postrider: The text [REASON]. "));
    EXPECT_THAT(result.error, HasSubstr(advice));
    ExpectOneLine(result.error);
  }
}

TEST_F(ToolTest, Ends2ForAWrongCommandLineWithoutCalling) {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"frob"},
           {"endpoint", "create"},
           {"endpoint", "list", "--output=xml"},
           {"endpoint", "list", "--limit=0"},
           {"endpoint", "list", "--page-size=x"},
           {"endpoint", "list", "--api-key=with space"},
           {"event", "publish", "--type=a"},
           {"event", "publish", "--type=a", "--data={}", "-"},
           {"event", "publish", "--type=a", "word"},
           {"event", "publish", "--type=a", "--data-file=/nonexistent"},
           {"event", "publish", "--type=a", "--data=\xff"}}) {
    const ToolResult result = Run(words);
    EXPECT_EQ(result.exit_code, 2) << result.error;
    EXPECT_EQ(result.output, "");
    ExpectOneLine(result.error);
  }
  EXPECT_EQ(RunTool({}).exit_code, 2);
  EXPECT_EQ(RunTool({"endpoint", "list", "--address=nowhere"}).exit_code, 2);
  EXPECT_THAT(server_.credentials(), SizeIs(0));
}

TEST_F(ToolTest, Ends3WhenNobodyListens) {
  const DeadPort port;
  const ToolResult result = RunTool({"endpoint", "list", "--address", port.address()});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_EQ(result.output, "");
  ExpectOneLine(result.error);
  EXPECT_THAT(result.error, AllOf(HasSubstr("cannot reach a server at " + port.address()),
                                  HasSubstr("Start postriderd")));
}

TEST_F(ToolTest, Ends3WhenTheServerIsNotAvailable) {
  server_.FailCalls(RefusedFor(grpc::StatusCode::UNAVAILABLE, "The server drains.", "DRAINING",
                               absl::Seconds(2)));
  const ToolResult result = Run({"endpoint", "list"});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.error, HasSubstr("is not available now: The server drains [DRAINING]. Try "
                                      "again in 2s.\n"));
}

TEST_F(ToolTest, NamesTheKeyWhenItIsUnknownWhetherAnEventWasAccepted) {
  const DeadPort port;
  const ToolResult result =
      RunTool({"event", "publish", "--type=a.b", "--data={}", "--address", port.address()});
  EXPECT_EQ(result.exit_code, 3);
  ExpectOneLine(result.error);
  EXPECT_THAT(result.error, HasSubstr("Repeat it with --idempotency-key auto_"));
}

TEST_F(ToolTest, TakesAddressAndKeyFromTheEnvironment) {
  const ToolResult result =
      RunTool({"endpoint", "list"}, "",
              {{"POSTRIDER_ADDRESS", server_.address()}, {"POSTRIDER_API_KEY", "prk_a_b"}});
  EXPECT_EQ(result.exit_code, 0) << result.error;
  EXPECT_EQ(result.output, "None.\n");
  EXPECT_THAT(server_.credentials(), ElementsAre("Bearer prk_a_b"));
}

TEST_F(ToolTest, SaysOfALaterCommandThatItIsNotAvailableYet) {
  const ToolResult result = Run({"recovery", "create", "--mode=MISSED"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.error,
            "postrider: 'recovery create' is not available yet. See 'postrider --help' for what "
            "is.\n");
}

TEST_F(ToolTest, PrintsHelpOnStandardOutput) {
  const ToolResult result = RunTool({"endpoint", "create", "--help"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.output, StartsWith("Usage: postrider endpoint create --url URL [FLAG]..."));
  EXPECT_EQ(result.error, "");
}

}  // namespace
}  // namespace postrider::cli

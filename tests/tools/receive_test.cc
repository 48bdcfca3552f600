// `postrider receive` as a process, with bytes sent to its port.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "server/signing/secret.h"
#include "server/signing/signature.h"
#include "tests/tools/raw_connection.h"
#include "tests/tools/tool_process.h"

namespace postrider::cli {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kSecret[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
constexpr char kOtherSecret[] = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
constexpr char kBody[] = R"({"id":"evt_1","type":"message.received","data":{"n":1}})";

std::string Request(absl::string_view headers, absl::string_view body) {
  return absl::StrCat("POST /hooks HTTP/1.1\r\nHost: test\r\n", headers,
                      "Content-Length: ", body.size(), "\r\n\r\n", body);
}

// Signed now, for kBody; `body` is what is sent.
std::string SignedRequest(const std::string& secret = kSecret, const std::string& body = kBody) {
  const int64_t now = absl::ToUnixSeconds(absl::Now());
  const signing::HmacSecret key = *signing::ParseHmacSecret(secret);
  return Request(absl::StrCat("webhook-id: evt_1\r\nwebhook-timestamp: ", now,
                              "\r\nwebhook-signature: ", signing::SignV1(key, "evt_1", now, kBody),
                              "\r\npostrider-delivery-id: dlv_1\r\npostrider-attempt: 1\r\n"),
                 body);
}

class ReceiveTest : public ::testing::Test {
 protected:
  // Starts it on a free port and reads the line that says which.
  void Start(std::vector<std::string> flags) {
    flags.insert(flags.begin(), {"receive", "--port=0"});
    tool_ = std::make_unique<ToolProcess>(flags);
    const std::string line = tool_->ReadLine();
    absl::string_view port = line;
    ASSERT_TRUE(absl::ConsumePrefix(&port, "postrider receive listening on http://127.0.0.1:") &&
                absl::SimpleAtoi(port, &port_))
        << line;
  }

  RawResponse Post(const std::string& request) {
    RawConnection connection(port_);
    connection.Send(request);
    return connection.ReadResponse();
  }

  std::unique_ptr<ToolProcess> tool_;
  int port_ = 0;
};

TEST_F(ReceiveTest, VerifiesASignedRequestAndTellsOfIt) {
  Start({"--secret", kSecret});
  EXPECT_EQ(Post(SignedRequest()).status, 200);
  const std::string line = tool_->ReadLine();
  EXPECT_THAT(line, EndsWith("Z  message.received  evt_1  delivery dlv_1  attempt 1  55 bytes  "
                             "answered 200  verified"));
  tool_->Signal(SIGTERM);
  const ToolResult result = tool_->Finish();
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.output, "1 requests: 1 verified, 0 not verified, 0 refused\n");
  EXPECT_EQ(result.error, "");
}

TEST_F(ReceiveTest, RefusesAChangedBody) {
  Start({"--secret", kSecret});
  std::string body = kBody;
  body[body.size() - 3] = '2';
  const RawResponse response = Post(SignedRequest(kSecret, body));
  EXPECT_EQ(response.status, 400);
  EXPECT_THAT(response.body, HasSubstr("no signature matches"));
  EXPECT_THAT(tool_->ReadLine(), HasSubstr("answered 400  refused: no signature matches"));
}

TEST_F(ReceiveTest, RefusesARequestWithoutASignature) {
  Start({"--secret", kSecret});
  EXPECT_EQ(Post(Request("", kBody)).status, 400);
  EXPECT_THAT(tool_->ReadLine(), HasSubstr("refused: the header webhook-id is missing"));
}

TEST_F(ReceiveTest, VerifiesWithAnyOfItsSecrets) {
  Start({"--secret", kSecret, "--secret", kOtherSecret});
  EXPECT_EQ(Post(SignedRequest(kSecret)).status, 200);
  EXPECT_EQ(Post(SignedRequest(kOtherSecret)).status, 200);
}

TEST_F(ReceiveTest, AcceptsWithoutASecretAndSaysThatNothingIsVerified) {
  Start({});
  EXPECT_EQ(Post(Request("", "anything")).status, 200);
  EXPECT_THAT(tool_->ReadLine(), HasSubstr("-  -  delivery -  attempt -  8 bytes  answered 200  "
                                           "not verified"));
}

TEST_F(ReceiveTest, AnswersWithTheStatusAskedFor) {
  Start({"--status=503"});
  EXPECT_EQ(Post(Request("", "{}")).status, 503);
}

TEST_F(ReceiveTest, EndsAfterTheNumberOfAcceptedRequests) {
  Start({"--secret", kSecret, "--count=2"});
  EXPECT_EQ(Post(SignedRequest()).status, 200);
  EXPECT_EQ(Post(Request("", kBody)).status, 400);
  EXPECT_EQ(Post(SignedRequest()).status, 200);
  const ToolResult result = tool_->Finish();
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.output, EndsWith("3 requests: 2 verified, 0 not verified, 1 refused\n"));
}

TEST_F(ReceiveTest, EndsWithTotalsOnInterrupt) {
  Start({});
  tool_->Signal(SIGINT);
  const ToolResult result = tool_->Finish();
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.output, "0 requests: 0 verified, 0 not verified, 0 refused\n");
}

TEST_F(ReceiveTest, ServesManyRequestsOnOneConnection) {
  Start({"--secret", kSecret});
  RawConnection connection(port_);
  for (int i = 0; i < 20; ++i) {
    connection.Send(SignedRequest());
    ASSERT_EQ(connection.ReadResponse().status, 200) << i;
  }
}

TEST_F(ReceiveTest, ServesRequestsThatCameTogetherAndInPieces) {
  Start({});
  RawConnection connection(port_);
  const std::string request = Request("", "{}");
  connection.Send(request + request + request.substr(0, 20));
  EXPECT_EQ(connection.ReadResponse().status, 200);
  EXPECT_EQ(connection.ReadResponse().status, 200);
  connection.Send(request.substr(20));
  EXPECT_EQ(connection.ReadResponse().status, 200);
}

TEST_F(ReceiveTest, ClosesWhereTheSenderAsksForIt) {
  Start({});
  RawConnection connection(port_);
  connection.Send(Request("Connection: close\r\n", "{}"));
  const RawResponse response = connection.ReadResponse();
  EXPECT_EQ(response.status, 200);
  EXPECT_THAT(response.head, HasSubstr("Connection: close"));
  EXPECT_TRUE(connection.IsClosed());
}

TEST_F(ReceiveTest, TakesTheLargestBodyAndRefusesALargerOneWithoutReadingIt) {
  Start({});
  RawConnection connection(port_);
  connection.Send(Request("", std::string(1024 * 1024, 'a')));
  EXPECT_EQ(connection.ReadResponse().status, 200);
  connection.Send(Request("", std::string(1024 * 1024 + 1, 'a')));
  EXPECT_EQ(connection.ReadResponse().status, 413);
  EXPECT_TRUE(connection.IsClosed());
  EXPECT_THAT(tool_->ReadLine(), HasSubstr("1048576 bytes"));
  EXPECT_THAT(tool_->ReadLine(), HasSubstr("answered 413  refused: the body is larger than"));
}

TEST_F(ReceiveTest, AsksForTheBodyOfASenderThatWaits) {
  Start({});
  RawConnection connection(port_);
  connection.Send("POST / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(connection.ReadResponse().status, 100);
  connection.Send("{}");
  EXPECT_EQ(connection.ReadResponse().status, 200);
}

TEST_F(ReceiveTest, AnswersGarbageAndGoesOn) {
  Start({});
  for (const auto& [bytes, status] : std::vector<std::pair<std::string, int>>{
           {std::string("\x16\x03\x01\x02\x00", 5), 400},
           {"hello there\r\n\r\n", 400},
           {"GET / HTTP/1.1\r\n\r\n", 405},
           {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411},
           {"POST / HTTP/3\r\n\r\n", 505},
           {"POST / HTTP/1.1\r\nA: " + std::string(70 * 1024, 'a'), 431}}) {
    EXPECT_EQ(Post(bytes).status, status);
  }
  { RawConnection says_nothing(port_); }
  { RawConnection(port_).Send("POST / HT"); }
  EXPECT_EQ(Post(Request("", "{}")).status, 200);
}

TEST_F(ReceiveTest, ServesNoMoreThanItsConnectionsAndTheNextOneWhenOneEnds) {
  Start({});
  std::vector<std::unique_ptr<RawConnection>> connections;
  for (int i = 0; i < 256; ++i) {
    connections.push_back(std::make_unique<RawConnection>(port_));
    connections.back()->Send(Request("", "{}"));
    ASSERT_EQ(connections.back()->ReadResponse().status, 200) << i;
  }
  RawConnection waiting(port_);
  waiting.Send(Request("", "{}"));
  connections.front()->Send(Request("", "{}"));
  EXPECT_EQ(connections.front()->ReadResponse().status, 200);
  // Its request came first: served, it would have been answered before.
  EXPECT_FALSE(waiting.HasInput());
  connections.pop_back();
  EXPECT_EQ(waiting.ReadResponse().status, 200);
}

TEST_F(ReceiveTest, ShowsBodiesOnlyIfAsked) {
  Start({"--show-body"});
  EXPECT_EQ(Post(Request("", "{\"a\": 1}\nnext\x1b")).status, 200);
  tool_->ReadLine();
  EXPECT_EQ(tool_->ReadLine(), "{\"a\": 1}");
  EXPECT_EQ(tool_->ReadLine(), "next\\x1b");
  Start({});
  EXPECT_EQ(Post(Request("", "secret")).status, 200);
  EXPECT_THAT(tool_->ReadLine(), Not(HasSubstr("secret")));
}

TEST_F(ReceiveTest, WritesJsonLinesAndTotalsIfAsked) {
  Start({"--output=json", "--secret", kSecret, "--count=1"});
  EXPECT_EQ(Post(SignedRequest()).status, 200);
  const ToolResult result = tool_->Finish();
  EXPECT_THAT(result.output, HasSubstr("\"verdict\": \"VERIFIED\""));
  EXPECT_THAT(result.output, EndsWith("{\"requests\": 1, \"verified\": 1, \"not_verified\": 0, "
                                      "\"refused\": 0}\n"));
}

TEST_F(ReceiveTest, TakesItsSecretFromTheEnvironment) {
  ToolProcess tool({"receive", "--port=0"}, "", {{"POSTRIDER_WEBHOOK_SECRET", kSecret}});
  const std::string line = tool.ReadLine();
  ASSERT_TRUE(absl::SimpleAtoi(line.substr(line.rfind(':') + 1), &port_)) << line;
  EXPECT_EQ(Post(Request("", kBody)).status, 400);
  EXPECT_EQ(Post(SignedRequest()).status, 200);
}

TEST_F(ReceiveTest, Ends2ForWrongFlagsAnd1ForAPortThatIsTaken) {
  for (const char* flag : {"--port=70000", "--status=99", "--status=600", "--count=0",
                           "--secret=whsec_short", "--secret=plain"}) {
    EXPECT_EQ(RunTool({"receive", flag}).exit_code, 2) << flag;
  }
  Start({});
  const ToolResult result = RunTool({"receive", absl::StrCat("--port=", port_)});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.error, HasSubstr("cannot listen on 127.0.0.1 port"));
  EXPECT_THAT(result.error, HasSubstr("Choose another with --listen and --port."));
}

}  // namespace
}  // namespace postrider::cli

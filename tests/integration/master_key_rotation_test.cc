// The change from one master key to another, with servers that run and with a private PostgreSQL.

#include <sys/stat.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "postrider/v1/api_key_service.pb.h"
#include "tests/support/engine_test.h"
#include "tests/support/scratch_folder.h"

namespace postrider::testing {
namespace {

// A file with a key of one digit.
std::string KeyFile(char digit) {
  const std::string path = ScratchFolder::NewFile("key");
  std::ofstream(path) << std::string(64, digit) << "\n";
  return path;
}

class MasterKeyRotationTest : public OwnServersTest {
 protected:
  using Flags = std::vector<std::string>;

  // Why a server does not start; "" if it does.
  std::string WhyNotStarted(ServerProcess::Options options) {
    const auto server = ServerProcess::Start(std::move(options));
    return server.ok() ? "" : std::string(server.status().message());
  }

  ServerProcess::Options On(Flags flags) {
    ServerProcess::Options options;
    options.database = database().conninfo();
    options.flags = std::move(flags);
    return options;
  }

  // Publishes; expects that what arrives is signed by `secret` and bears the header.
  void ExpectDelivered(ServerProcess& server, const std::string& secret) {
    Caller caller(server.api(), "org_1");
    const size_t before = receiver_.Requests().size();
    const std::string event = caller.PublishEvent();
    const auto arrived = [&] {
      std::vector<ReceivedRequest> found;
      for (const ReceivedRequest& request : receiver_.WaitForRequests(before + 1)) {
        if (request.WebhookId() == event && request.target == "/old") found.push_back(request);
      }
      return found;
    };
    ASSERT_TRUE(WaitUntil([&] { return !arrived().empty(); }));
    const ReceivedRequest request = arrived()[0];
    EXPECT_TRUE(VerifySignature(request, {secret}).ok());
    EXPECT_EQ(request.Header("authorization"), "Bearer kept");
  }

  // The key that CreateApiKey answers under this request id.
  static std::string ApiKeyOf(ServerProcess& server, const std::string& request_id) {
    v1::CreateApiKeyRequest request;
    request.mutable_api_key()->set_org_id("org_1");
    request.mutable_api_key()->add_scopes(v1::SCOPE_READ);
    request.set_request_id(request_id);
    const Reply<std::string> reply = server.api().CallRaw("postrider.v1.ApiKeyService/CreateApiKey",
                                                          request.SerializeAsString());
    EXPECT_TRUE(reply.ok()) << ToText(reply.status);
    v1::CreateApiKeyResponse response;
    EXPECT_TRUE(response.ParseFromString(reply.value));
    return response.key();
  }

  std::string CreateEndpoint(ServerProcess& server, const std::string& path) {
    Caller caller(server.api(), "org_1");
    v1::Endpoint endpoint = caller.EndpointAt(receiver_.Url(path));
    (*endpoint.mutable_headers())["authorization"] = "Bearer kept";
    return caller.Create(endpoint).secret;
  }
};

TEST_F(MasterKeyRotationTest, TwoKeysOpenAtOnceAndTheCommandMovesEverythingToTheNewOne) {
  const std::string old_key = KeyFile('1');
  const std::string new_key = KeyFile('2');
  ServerProcess* server = StartServer({"--master-key-file", old_key});
  ASSERT_NE(server, nullptr);
  const std::string secret = CreateEndpoint(*server, "/old");
  const std::string api_key = ApiKeyOf(*server, "asked twice");
  EXPECT_EQ(server->Terminate(), 0);

  server = StartServer({"--master-key-file", new_key, "--previous-master-key-file", old_key});
  ASSERT_NE(server, nullptr);
  EXPECT_TRUE(absl::StrContains(server->Log(), "postriderd --reseal moves them")) << server->Log();
  ExpectDelivered(*server, secret);
  CreateEndpoint(*server, "/new");
  EXPECT_EQ(database().Value("SELECT count(DISTINCT key_id) FROM endpoint_secrets"), "2");

  // While the server runs.
  ServerProcess::Options command =
      On({"--reseal", "--master-key-file", new_key, "--previous-master-key-file", old_key});
  const ServerProcess::Ended resealed = ServerProcess::Run(command);
  EXPECT_EQ(resealed.exit_code, 0) << resealed.log;
  EXPECT_TRUE(absl::StrContains(resealed.output, "sealed 3 values anew")) << resealed.output;
  EXPECT_TRUE(absl::StrContains(resealed.output, "previous keys can go"));
  EXPECT_EQ(database().Value("SELECT count(DISTINCT key_id) FROM (SELECT key_id FROM "
                             "endpoint_secrets UNION ALL SELECT headers_key_id FROM endpoints) k"),
            "1");
  EXPECT_TRUE(absl::StrContains(ServerProcess::Run(command).output, "sealed 0 values"));
  ExpectDelivered(*server, secret);
  EXPECT_EQ(server->Terminate(), 0);

  // Without the old key.
  server = StartServer({"--master-key-file", new_key});
  ASSERT_NE(server, nullptr);
  EXPECT_EQ(ApiKeyOf(*server, "asked twice"), api_key);
  ExpectDelivered(*server, secret);
}

TEST_F(MasterKeyRotationTest, AServerWithoutAKeyThatIsNeededDoesNotStartAndNamesIt) {
  ServerProcess* const server = StartServer({"--master-key-file", KeyFile('1')});
  ASSERT_NE(server, nullptr);
  CreateEndpoint(*server, "/old");
  EXPECT_EQ(server->Terminate(), 0);
  const std::string id = database().Value("SELECT key_id FROM endpoint_secrets");
  const std::string why = WhyNotStarted(On({"--master-key-file", KeyFile('2')}));
  EXPECT_TRUE(absl::StrContains(why, absl::StrCat("sealed under master key ", id))) << why;
  EXPECT_TRUE(absl::StrContains(why, "--previous-master-key-file")) << why;
  const ServerProcess::Ended refused =
      ServerProcess::Run(On({"--reseal", "--master-key-file", KeyFile('2')}));
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_TRUE(absl::StrContains(refused.log, id)) << refused.log;
}

TEST_F(MasterKeyRotationTest, ADamagedRowIsNamedAndLeftAndTheRestIsMoved) {
  const std::string old_key = KeyFile('1');
  ServerProcess* const server = StartServer({"--master-key-file", old_key});
  ASSERT_NE(server, nullptr);
  CreateEndpoint(*server, "/old");
  CreateEndpoint(*server, "/new");
  EXPECT_EQ(server->Terminate(), 0);
  database().Query(
      "UPDATE endpoint_secrets SET sealed = set_byte(sealed, 0, 255 - get_byte(sealed,"
      " 0)) WHERE endpoint_id = (SELECT endpoint_id FROM endpoints LIMIT 1)");
  const ServerProcess::Ended done = ServerProcess::Run(
      On({"--reseal", "--master-key-file", KeyFile('2'), "--previous-master-key-file", old_key}));
  EXPECT_EQ(done.exit_code, 1);
  EXPECT_TRUE(absl::StrContains(done.log, "does not authenticate")) << done.log;
  EXPECT_TRUE(absl::StrContains(done.log, "sealed 3 values anew")) << done.log;
  EXPECT_TRUE(absl::StrContains(done.log, "1 are under another, 1 of them damaged")) << done.log;
}

TEST_F(MasterKeyRotationTest, UnusableKeyFilesAreRefusedWithoutRepeatingThem) {
  const std::string bad = ScratchFolder::NewFile("key");
  std::ofstream(bad) << "this-is-no-key\n";
  for (const Flags& flags :
       {Flags{"--master-key-file", bad}, Flags{"--previous-master-key-file", bad},
        Flags{"--previous-master-key-file", "/nonexistent"},
        Flags{"--previous-master-key-file", MasterKeyFile()}}) {
    const std::string why = WhyNotStarted(On(flags));
    EXPECT_TRUE(absl::StrContains(why, "master key")) << why;
    EXPECT_FALSE(absl::StrContains(why, "this-is-no-key")) << why;
  }
}

// With a private PostgreSQL, which one server at a time has.
class PrivateMasterKeyTest : public MasterKeyRotationTest {};

TEST_F(PrivateMasterKeyTest, IsMadeOnceReadableByNobodyElseAndCanBeReplaced) {
  ServerProcess::Options options;
  options.data_dir = ScratchFolder::NewFolder("server");
  ServerProcess* server = StartServerWith(options);
  ASSERT_NE(server, nullptr);
  const std::string secret = CreateEndpoint(*server, "/old");
  const std::string made = options.data_dir + "/master-key";
  struct stat info {};
  ASSERT_EQ(stat(made.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  std::ifstream file(made);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  EXPECT_EQ(text.size(), 45u);  // base64 of 32 bytes, and a line end
  EXPECT_EQ(server->Terminate(), 0);

  const std::string new_key = KeyFile('2');
  ServerProcess::Options command = options;
  command.flags = {"--reseal", "--master-key-file", new_key, "--previous-master-key-file", made};
  const ServerProcess::Ended resealed = ServerProcess::Run(command);
  EXPECT_EQ(resealed.exit_code, 0) << resealed.log;
  EXPECT_TRUE(absl::StrContains(resealed.output, "sealed 2 values")) << resealed.output;

  // The key of the data folder opens nothing any more, and is not made anew in silence.
  const std::string why = WhyNotStarted(options);
  EXPECT_TRUE(absl::StrContains(why, "sealed under master key")) << why;
  options.flags = {"--master-key-file", new_key};
  server = StartServerWith(options);
  ASSERT_NE(server, nullptr);
  ExpectDelivered(*server, secret);
}

}  // namespace
}  // namespace postrider::testing

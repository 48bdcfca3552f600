// Where a server listens, and who needs no credential there.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/support/credentials.h"
#include "tests/support/engine_test.h"
#include "tests/support/expect.h"
#include "tests/support/scratch_folder.h"

namespace postrider::testing {
namespace {

using ::testing::HasSubstr;

class ListenTest : public OwnServersTest {
 protected:
  std::string StartError(const std::vector<std::string>& flags) {
    ServerProcess::Options options;
    options.database = database().conninfo();
    options.flags = flags;
    const auto server = ServerProcess::Start(options);
    return server.ok() ? "" : std::string(server.status().message());
  }
};

// The address that the server says it listens on and that begins with `host`, reached by loopback.
std::string ListeningAt(ServerProcess& server, const std::string& host) {
  const std::string log = server.Log();
  const size_t start = log.find("\"" + host + ":");
  if (start == std::string::npos) return "";
  const size_t port = start + host.size() + 2;
  return absl::StrCat("127.0.0.1:", log.substr(port, log.find('"', port) - port));
}

TEST_F(ListenTest, WithoutTlsNoOtherAddressThanLoopbackIsListenedOn) {
  for (const char* address : {"0.0.0.0:0", "[::]:0", "192.0.2.1:0"}) {
    EXPECT_THAT(StartError({"--listen", address}),
                HasSubstr("can be reached from other machines: give --tls-cert and --tls-key"))
        << address;
  }
  EXPECT_THAT(StartError({"--http-listen", "0.0.0.0:0"}),
              HasSubstr("can be reached from other machines and is served without TLS"));
}

TEST_F(ListenTest, LoopbackAndUnixSocketsHaveFullRightsUntilRequireAuth) {
  const std::string socket = "unix:" + ScratchFolder::NewFile("socket");
  ServerProcess* open = StartServer({"--listen", socket});
  ASSERT_NE(open, nullptr);
  Api open_socket(socket);
  EXPECT_TRUE(TryKey(open->api(), "").ok());
  EXPECT_TRUE(TryKey(open_socket, "").ok());
  const NewKey admin = MakeKey(open_socket, "", KeyFor({v1::SCOPE_ADMIN}));
  // A credential that is given is judged all the same.
  EXPECT_REFUSED(TryKey(open->api(), "prk_nonsense"), grpc::StatusCode::UNAUTHENTICATED);

  const std::string strict_socket = "unix:" + ScratchFolder::NewFile("socket");
  ServerProcess* strict = StartServer({"--listen", strict_socket, "--require-auth"});
  ASSERT_NE(strict, nullptr);
  Api by_socket(strict_socket);
  EXPECT_REFUSED(TryKey(strict->api(), ""), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_REFUSED(TryKey(by_socket, ""), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_TRUE(TryKey(strict->api(), admin.text).ok());
  EXPECT_TRUE(TryKey(by_socket, admin.text).ok());
}

TEST_F(ListenTest, AnyOtherAddressNeedsACredentialAlsoFromThisMachine) {
  const std::string socket = "unix:" + ScratchFolder::NewFile("socket");
  ServerProcess* server = StartServer({"--listen", "0.0.0.0:0", "--listen", socket, "--insecure"});
  ASSERT_NE(server, nullptr);
  Api everywhere(ListeningAt(*server, "0.0.0.0"));
  Api by_socket(socket);
  EXPECT_REFUSED(TryKey(everywhere, ""), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_TRUE(TryKey(server->api(), "").ok()) << "the loopback listener beside it";
  EXPECT_TRUE(TryKey(by_socket, "").ok());
  const NewKey key = MakeKey(server->api(), "", KeyFor({v1::SCOPE_READ}));
  EXPECT_TRUE(TryKey(everywhere, key.text).ok());
}

TEST_F(ListenTest, ByTlsAnyOtherAddressNeedsACredentialAlsoFromThisMachine) {
  TestAuthority authority("ca");
  const TestAuthority::Files files = authority.Issue("DNS:localhost,IP:127.0.0.1");
  ServerProcess* server = StartServer(
      {"--listen", "0.0.0.0:0", "--tls-cert", files.certificate, "--tls-key", files.key});
  ASSERT_NE(server, nullptr);
  Api everywhere(ListeningAt(*server, "0.0.0.0"), {authority.ca_file(), "", ""});
  Api loopback(server->grpc_address(), {authority.ca_file(), "", ""});
  EXPECT_REFUSED(TryKey(everywhere, ""), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_TRUE(TryKey(loopback, "").ok());
  const NewKey key = MakeKey(loopback, "", KeyFor({v1::SCOPE_READ}));
  EXPECT_TRUE(TryKey(everywhere, key.text).ok());
}

}  // namespace
}  // namespace postrider::testing

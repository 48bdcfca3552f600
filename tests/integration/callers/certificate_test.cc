// TLS for callers: versions, client certificates, replacement without a restart.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/client.h"
#include "tests/support/credentials.h"
#include "tests/support/engine_test.h"
#include "tests/support/expect.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/wait.h"

namespace postrider::testing {
namespace {

using ::testing::HasSubstr;

std::string Output(const std::string& command) {
  std::string output;
  FILE* pipe = popen(command.c_str(), "r");
  char buffer[4096];
  while (size_t got = std::fread(buffer, 1, sizeof(buffer), pipe)) output.append(buffer, got);
  pclose(pipe);
  return output;
}

class CertificateTest : public OwnServersTest {
 protected:
  // Files whose paths stay while their content is replaced.
  CertificateTest() { Install(authority_.Issue("DNS:localhost,IP:127.0.0.1")); }

  void Install(const TestAuthority::Files& files) {
    Copy(files.certificate, cert_file_);
    Copy(files.key, key_file_);
  }
  static void Copy(const std::string& from, const std::string& to) {
    std::filesystem::copy_file(from, to, std::filesystem::copy_options::overwrite_existing);
  }

  ServerProcess* StartWithTls(std::vector<std::string> more = {}) {
    std::vector<std::string> flags = {"--tls-cert", cert_file_, "--tls-key", key_file_};
    flags.insert(flags.end(), more.begin(), more.end());
    return StartServer(flags);
  }
  // A new connection, by somebody who trusts this authority.
  grpc::Status TryBy(ServerProcess& server, const std::string& ca_file,
                     const TestAuthority::Files& client = {}, const std::string& key = "") {
    Api api(server.grpc_address(), {ca_file, client.certificate, client.key});
    return TryKey(api, key);
  }
  static std::string Handshake(ServerProcess& server, const std::string& version) {
    return Output(absl::StrCat("openssl s_client -connect ", server.grpc_address(), " -", version,
                               " -alpn h2 -cipher ALL@SECLEVEL=0 </dev/null 2>&1"));
  }

  TestAuthority authority_{"ca"};
  const std::string cert_file_ = ScratchFolder::NewFile("server.pem");
  const std::string key_file_ = ScratchFolder::NewFile("server.key");
};

TEST_F(CertificateTest, TlsIsSpokenFromVersion12On) {
  ServerProcess* server = StartWithTls();
  ASSERT_NE(server, nullptr);
  EXPECT_TRUE(TryBy(*server, authority_.ca_file()).ok());
  EXPECT_THAT(Handshake(*server, "tls1_2"), HasSubstr("Protocol  : TLSv1.2"));
  EXPECT_THAT(Handshake(*server, "tls1_3"), HasSubstr("New, TLSv1.3"));
  for (const char* old : {"tls1", "tls1_1"}) {
    EXPECT_THAT(Handshake(*server, old), HasSubstr("Cipher is (NONE)")) << old;
  }
  // Not in the clear, and not to somebody who trusts another authority.
  EXPECT_EQ(TryKey(server->api(), "").error_code(), grpc::StatusCode::UNAVAILABLE);
  TestAuthority other("other");
  EXPECT_EQ(TryBy(*server, other.ca_file()).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(CertificateTest, AClientCertificateHasTheRightsOfTheKeyThatNamesIt) {
  ServerProcess* server =
      StartWithTls({"--tls-client-ca", authority_.ca_file(), "--require-auth", "--bootstrap-key",
                    ScratchFolder::NewFile("bootstrap-key")});
  ASSERT_NE(server, nullptr);
  const std::string root = FileContent(server->options().flags.back()).substr(0, 95);
  Api api(server->grpc_address(), {authority_.ca_file(), "", ""});
  v1::ApiKey by_dns = KeyFor({v1::SCOPE_READ}, "org_a", "env_1");
  by_dns.set_certificate_san("reader.example");
  const NewKey reader = MakeKey(api, root, by_dns);
  v1::ApiKey by_uri = KeyFor({v1::SCOPE_PUBLISH});
  by_uri.set_certificate_san("spiffe://example/publisher");
  MakeKey(api, root, by_uri);

  const std::string ca = authority_.ca_file();
  const TestAuthority::Files reader_files =
      authority_.Issue("DNS:other.example,DNS:reader.example");
  EXPECT_TRUE(TryBy(*server, ca, reader_files).ok());
  EXPECT_REFUSED(TryBy(*server, ca, authority_.Issue("URI:spiffe://example/publisher")),
                 grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_REFUSED(TryBy(*server, ca, authority_.Issue("DNS:stranger.example")),
                 grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_REFUSED(TryBy(*server, ca, authority_.Issue("DNS:reader.example.com")),
                 grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_REFUSED(TryBy(*server, ca), grpc::StatusCode::UNAUTHENTICATED);
  // The name alone is nothing: somebody must vouch for it.
  TestAuthority other("other");
  EXPECT_EQ(TryBy(*server, ca, other.Issue("DNS:reader.example")).error_code(),
            grpc::StatusCode::UNAVAILABLE);
  // A key beside the certificate is what counts.
  EXPECT_TRUE(TryBy(*server, ca, authority_.Issue("DNS:stranger.example"), root).ok());
  EXPECT_REFUSED(TryBy(*server, ca, reader_files, "prk_nonsense"),
                 grpc::StatusCode::UNAUTHENTICATED);
  // The limit of the key holds.
  Api as_reader(server->grpc_address(), {ca, reader_files.certificate, reader_files.key});
  v1::ListEventsRequest elsewhere;
  elsewhere.set_org_id("org_b");
  EXPECT_REFUSED(as_reader.ListEvents(elsewhere).status, grpc::StatusCode::PERMISSION_DENIED);

  // A name is one key's, until that is revoked; then the certificate is nobody's.
  v1::CreateApiKeyRequest again;
  *again.mutable_api_key() = by_dns;
  const auto taken = CallAs<v1::CreateApiKeyRequest, v1::CreateApiKeyResponse>(
      api, root, "postrider.v1.ApiKeyService/CreateApiKey", again);
  EXPECT_REFUSED(taken.status, grpc::StatusCode::ALREADY_EXISTS);
  ASSERT_TRUE(RevokeKey(api, root, reader.id).ok());
  EXPECT_REFUSED(TryBy(*server, ca, reader_files), grpc::StatusCode::UNAUTHENTICATED);
  MakeKey(api, root, by_dns);
  EXPECT_TRUE(TryBy(*server, ca, reader_files).ok());
}

TEST_F(CertificateTest, TheClientLibraryCallsWithTlsACertificateAndAKey) {
  ServerProcess* server = StartWithTls({"--tls-client-ca", authority_.ca_file()});
  ASSERT_NE(server, nullptr);
  const auto list_keys = [&](const client::ClientOptions& options) {
    const absl::StatusOr<client::Client> caller = client::Client::Create(options);
    if (!caller.ok()) return caller.status();
    v1::ListApiKeysResponse response;
    return caller->Call(v1::ListApiKeysRequest(), &response);
  };
  client::ClientOptions options{.address = server->grpc_address(),
                                .tls = {.enabled = true, .ca_file = authority_.ca_file()}};
  EXPECT_TRUE(list_keys(options).ok());
  Api api(server->grpc_address(), {authority_.ca_file(), "", ""});
  v1::ApiKey reader = KeyFor({v1::SCOPE_READ});
  reader.set_certificate_san("reader.example");
  const NewKey key = MakeKey(api, "", reader);
  client::ClientOptions with_key = options;
  with_key.api_key = key.text;
  EXPECT_EQ(list_keys(with_key).code(), absl::StatusCode::kPermissionDenied);
  const TestAuthority::Files files = authority_.Issue("DNS:reader.example");
  client::ClientOptions with_certificate = options;
  with_certificate.tls.cert_file = files.certificate;
  with_certificate.tls.key_file = files.key;
  EXPECT_EQ(list_keys(with_certificate).code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(CertificateTest, ReplacedFilesAreServedWithoutARestart) {
  ServerProcess* server = StartWithTls();
  ASSERT_NE(server, nullptr);
  Api connected(server->grpc_address(), {authority_.ca_file(), "", ""});
  ASSERT_TRUE(TryKey(connected, "").ok());
  // From another authority, so that a client can tell them apart.
  TestAuthority next("next");
  Install(next.Issue("DNS:localhost,IP:127.0.0.1"));
  EXPECT_TRUE(WaitUntil([&] { return TryBy(*server, next.ca_file()).ok(); }));
  EXPECT_FALSE(TryBy(*server, authority_.ca_file()).ok());
  EXPECT_TRUE(TryKey(connected, "").ok()) << "a connection that was there goes on";
}

TEST_F(CertificateTest, FilesThatDoNotFitTogetherChangeNothing) {
  ServerProcess* server = StartWithTls();
  ASSERT_NE(server, nullptr);
  TestAuthority next("next");
  const TestAuthority::Files files = next.Issue("DNS:localhost,IP:127.0.0.1");
  // Half replaced: the certificate without its key.
  Copy(files.certificate, cert_file_);
  EXPECT_TRUE(WaitUntil([&] {
    return server->Log().find("the key file holds another certificate's key") != std::string::npos;
  }));
  EXPECT_TRUE(TryBy(*server, authority_.ca_file()).ok());
  // Broken, and gone.
  std::ofstream(cert_file_, std::ios::trunc) << "nonsense";
  std::filesystem::remove(key_file_);
  // Long enough for the server and gRPC to look, each once a second.
  for (const Deadline looked(absl::Milliseconds(2500)); !looked.Passed();) {
    ASSERT_TRUE(TryBy(*server, authority_.ca_file()).ok());
  }
  // Whole again.
  Install(files);
  EXPECT_TRUE(WaitUntil([&] { return TryBy(*server, next.ca_file()).ok(); }));
  EXPECT_THAT(server->Log(), HasSubstr("the ones before are still served"));
}

TEST_F(CertificateTest, AServerDoesNotStartWithFilesThatItCannotServe) {
  const TestAuthority::Files other = authority_.Issue("DNS:localhost");
  const auto error = [&](const std::string& certificate, const std::string& key,
                         const std::string& ca) {
    ServerProcess::Options options;
    options.database = database().conninfo();
    options.flags = {"--tls-cert", certificate, "--tls-key", key};
    if (!ca.empty()) options.flags.insert(options.flags.end(), {"--tls-client-ca", ca});
    const auto server = ServerProcess::Start(options);
    return server.ok() ? "" : std::string(server.status().message());
  };
  EXPECT_THAT(error("/nonexistent", key_file_, ""), HasSubstr("cannot read /nonexistent"));
  EXPECT_THAT(error(key_file_, key_file_, ""), HasSubstr("holds no certificate"));
  EXPECT_THAT(error(cert_file_, cert_file_, ""), HasSubstr("holds no private key"));
  EXPECT_THAT(error(cert_file_, other.key, ""), HasSubstr("holds another certificate's key"));
  EXPECT_THAT(error(cert_file_, key_file_, key_file_), HasSubstr("holds no certificate"));
}

}  // namespace
}  // namespace postrider::testing

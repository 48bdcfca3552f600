// Where a server connects, and where it does not: docs/SECURITY.md, "Where it connects".
#include <sys/resource.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/http/forward.h"
#include "tests/http/hostile_urls.h"
#include "tests/http/tls_receiver.h"
#include "tests/support/engine_test.h"

namespace postrider::testing {
namespace {

using http::ScriptedReceiver;
using http::TlsReceiver;

bool IsAscii(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0; });
}

std::string PortOf(const std::string& address) { return address.substr(address.rfind(':') + 1); }

class EgressTest : public OwnServersTest {
 protected:
  ServerProcess* StartStrictServer() {
    ServerProcess::Options options;
    options.database = database().conninfo();
    options.allow_loopback = false;
    return StartServerWith(options);
  }

  // The only attempt of a new event at a new endpoint.
  static v1::Attempt AttemptAt(ServerProcess& server, const std::string& url,
                               v1::DeliveryState end) {
    Caller caller(server.api());
    v1::Endpoint endpoint = caller.EndpointAt(url);
    endpoint.set_retries_disabled(true);
    caller.Create(endpoint);
    const v1::Delivery delivery = caller.DeliveryOf(caller.PublishEvent());
    caller.WaitForState(delivery.id(), end);
    const std::vector<v1::Attempt> attempts = caller.AttemptsOf(delivery.id());
    EXPECT_EQ(attempts.size(), 1u);
    return attempts.empty() ? v1::Attempt() : attempts[0];
  }

  // The folder and the port of the tests' PostgreSQL, which has a unix socket only.
  std::pair<std::string, std::string> SocketOfDatabase() {
    std::pair<std::string, std::string> socket("", "5432");
    for (const std::string& word :
         std::vector<std::string>(absl::StrSplit(database().conninfo(), ' ', absl::SkipEmpty()))) {
      if (absl::StartsWith(word, "host=")) socket.first = word.substr(5);
      if (absl::StartsWith(word, "port=")) socket.second = word.substr(5);
    }
    return socket;
  }

  static void ExpectRefused(Caller& caller, const std::string& url) {
    v1::CreateEndpointRequest create;
    *create.mutable_endpoint() = caller.EndpointAt(url);
    const grpc::Status status = caller.api().CreateEndpoint(create).status;
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << url;
    EXPECT_TRUE(DetailsOf(status).fields.contains("endpoint.url")) << url;
  }

  const http::TestAuthority authority_;
};

TEST_F(EgressTest, HostileUrlsAreRefusedWhenEndpointsAreCreatedAndUpdated) {
  ServerProcess* const server = StartStrictServer();
  ASSERT_NE(server, nullptr);
  Caller caller(server->api());
  const CreatedEndpoint good = caller.CreateAt("https://example.com/hook");
  int refused = 0;
  for (const http::HostileUrl& hostile : http::HostileUrls()) {
    if (std::string_view(hostile.kind) == "http") continue;  // Servers of tests allow it.
    SCOPED_TRACE(absl::StrCat(hostile.kind, ": ", hostile.url.substr(0, 100)));
    v1::CreateEndpointRequest create;
    *create.mutable_endpoint() = caller.EndpointAt(hostile.url);
    v1::UpdateEndpointRequest update;
    update.mutable_endpoint()->set_id(good.id());
    update.mutable_endpoint()->set_url(hostile.url);
    update.mutable_update_mask()->add_paths("url");
    for (const grpc::Status& status : {server->api().CreateEndpoint(create).status,
                                       server->api().UpdateEndpoint(update).status}) {
      EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << ToText(status);
      // What is no UTF-8 is no request at all.
      if (IsAscii(hostile.url)) {
        EXPECT_TRUE(DetailsOf(status).fields.contains("endpoint.url"));
      }
      if (hostile.url.size() > 12) {
        EXPECT_FALSE(absl::StrContains(ToText(status), hostile.url));
      }
    }
    ++refused;
  }
  EXPECT_GE(refused, 150);
  EXPECT_EQ(caller.GetEndpoint(good.id()).url(), "https://example.com/hook");
  EXPECT_EQ(database().Value("SELECT count(*) FROM endpoints"), "1");
}

TEST_F(EgressTest, OwnListenersAndTheDatabaseAreOutOfBounds) {
  const auto [folder, port] = SocketOfDatabase();
  const std::string path = absl::StrCat(folder, "/.s.PGSQL.", port);
  ScriptedReceiver tcp_database([&path](ScriptedReceiver::Connection& c) {
    const int behind = http::ConnectTo(path);
    if (behind < 0) return;
    http::Forward(c.fd(), behind);
    close(behind);
  });
  ServerProcess::Options options;
  options.database =
      absl::StrCat(database().conninfo(), " host=127.0.0.1 port=", tcp_database.port());
  absl::StatusOr<std::unique_ptr<ServerProcess>> started = ServerProcess::Start(options);
  ASSERT_TRUE(started.ok()) << started.status();
  ServerProcess& server = **started;
  ASSERT_GT(tcp_database.connections(), 0);
  Caller caller(server.api());
  caller.CreateAt(receiver_.Url());
  for (const std::string& reserved : {PortOf(server.grpc_address()), PortOf(server.http_address()),
                                      std::to_string(tcp_database.port())}) {
    for (const char* host : {"127.0.0.1", "127.0.0.2", "localhost", "db.localhost"}) {
      ExpectRefused(caller, absl::StrCat("http://", host, ":", reserved, "/"));
    }
  }
  EXPECT_EQ(server.Terminate(), 0);
}

TEST_F(EgressTest, EveryHostOfTheDatabaseIsOutOfBoundsThoughItNeverServed) {
  const auto [folder, port] = SocketOfDatabase();
  // Two that take no connections, by address and by name, before the one that does.
  const int first = http::UnusedPort();
  const int second = http::UnusedPort();
  ServerProcess::Options options;
  options.database = absl::StrCat(database().conninfo(), " host=127.0.0.1,localhost,", folder,
                                  " port=", first, ",", second, ",", port);
  ServerProcess* const server = StartServerWith(options);
  ASSERT_NE(server, nullptr);
  Caller caller(server->api());
  for (const int reserved : {first, second}) {
    ExpectRefused(caller, absl::StrCat("http://127.0.0.1:", reserved, "/"));
    ExpectRefused(caller, absl::StrCat("http://localhost:", reserved, "/"));
  }
  caller.CreateAt(receiver_.Url());
}

TEST_F(EgressTest, AServerTakesAsManyDescriptorsAsItMay) {
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  // What servers that are started from here get.
  const rlimit usual{512, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &usual), 0);
  ServerProcess* const server = StartServer();
  setrlimit(RLIMIT_NOFILE, &before);
  ASSERT_NE(server, nullptr);
  rlimit taken{};
  ASSERT_EQ(prlimit(server->program().pid(), RLIMIT_NOFILE, nullptr, &taken), 0);
  EXPECT_EQ(taken.rlim_cur, before.rlim_max);
}

TEST_F(EgressTest, WhatIsOpenedIsSaidInTheLog) {
  ServerProcess* const server = StartServer({"--egress-allow", "10.0.0.0/8"});
  ASSERT_NE(server, nullptr);
  const std::string log = server->Log();
  EXPECT_TRUE(absl::StrContains(log, "endpoints may reach more than the public Internet")) << log;
  EXPECT_TRUE(absl::StrContains(log, "127.0.0.0/8"));
  EXPECT_TRUE(absl::StrContains(log, "10.0.0.0/8"));
}

TEST_F(EgressTest, ProxiesOfTheEnvironmentAreIgnored) {
  ScriptedReceiver decoy(http::ProxyTo(receiver_.port()));
  const std::string proxy = absl::StrCat("http://127.0.0.1:", decoy.port());
  ServerProcess::Options options;
  options.database = database().conninfo();
  for (const char* name : {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"}) {
    options.environment.emplace_back(name, proxy);
  }
  ServerProcess* const server = StartServerWith(options);
  ASSERT_NE(server, nullptr);
  AttemptAt(*server, receiver_.Url(), v1::DELIVERY_STATE_SUCCEEDED);
  EXPECT_EQ(decoy.connections(), 0);
}

TEST_F(EgressTest, EverythingGoesThroughAConfiguredProxyAndIsTrustedByTheConfiguredAuthority) {
  TlsReceiver receiver(authority_, {.certificate_host = "hook.example.test"});
  const int port = std::stoi(PortOf(receiver.url("x").substr(0, receiver.url("x").rfind('/'))));
  ScriptedReceiver proxy(http::ProxyTo(port));
  ServerProcess* const server =
      StartServer({"--egress-proxy", absl::StrCat("http://127.0.0.1:", proxy.port()),
                   "--egress-ca-file", authority_.certificate_file()});
  ASSERT_NE(server, nullptr);
  // Nobody but the proxy knows these names.
  const v1::Attempt secure =
      AttemptAt(*server, "https://hook.example.test/hook", v1::DELIVERY_STATE_SUCCEEDED);
  EXPECT_EQ(secure.http_status(), 200);
  EXPECT_EQ(receiver.requests(), 1);
  const v1::Attempt other =
      AttemptAt(*server, "https://other.example.test/hook", v1::DELIVERY_STATE_FAILED);
  EXPECT_EQ(other.outcome(), v1::ATTEMPT_OUTCOME_TLS);
  EXPECT_EQ(other.send_count(), 0);
  const v1::Attempt plain =
      AttemptAt(*server, "http://plain.example.test/hook", v1::DELIVERY_STATE_SUCCEEDED);
  EXPECT_EQ(plain.http_status(), 200);
  EXPECT_GE(proxy.connections(), 3);
  // Where the proxy is, tenants are not told; where it went, it alone knows.
  for (const v1::Attempt& attempt : {secure, other, plain}) {
    EXPECT_EQ(attempt.remote_address(), "");
    EXPECT_FALSE(absl::StrContains(attempt.ShortDebugString(), "127.0.0.1")) << attempt.error();
  }
}

TEST_F(EgressTest, AnAuthorityThatIsNotConfiguredIsNotTrusted) {
  TlsReceiver receiver(authority_, {});
  ServerProcess* const server = StartServer();
  ASSERT_NE(server, nullptr);
  const v1::Attempt attempt = AttemptAt(*server, receiver.url(), v1::DELIVERY_STATE_FAILED);
  EXPECT_EQ(attempt.outcome(), v1::ATTEMPT_OUTCOME_TLS);
  EXPECT_EQ(receiver.requests(), 0);
}

}  // namespace
}  // namespace postrider::testing

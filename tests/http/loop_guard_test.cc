// Where requests may go, and how often.
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/http/loop_harness.h"
#include "tests/http/scripted_receiver.h"

namespace postrider::http {
namespace {

using Connection = ScriptedReceiver::Connection;

constexpr char kOk[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

void AlwaysOk(Connection& c) {
  while (c.ReadRequest() && c.Send(kOk)) {
  }
}

LoopOptions WithPolicy(DestinationPolicy policy) {
  LoopOptions options;
  options.policy = std::move(policy);
  return options;
}

TEST(LoopGuardTest, ADeniedAddressIsNeverConnectedTo) {
  ScriptedReceiver receiver(AlwaysOk);
  LoopHarness harness(WithPolicy(DestinationPolicy({}, true)));
  for (const char* host :
       {"127.0.0.1", "localhost", "foo.localhost", "[::1]", "[::ffff:127.0.0.1]"}) {
    // The URL check of another policy let these pass; the loop's own guard must not.
    const DestinationPolicy lax({*ParseCidr("127.0.0.0/8"), *ParseCidr("::1")}, true);
    Request request;
    request.url = *CheckUrl(absl::StrCat("http://", host, ":", receiver.port(), "/"), lax);
    const Result result = harness.Post(request);
    EXPECT_EQ(result.error, TransferError::kBlocked) << host << result.error_text;
    EXPECT_EQ(result.send_count, 0);
    EXPECT_EQ(result.status, 0);
    EXPECT_EQ(result.remote_address, "");
    EXPECT_EQ(result.error_text.find("127"), std::string::npos) << result.error_text;
  }
  EXPECT_EQ(receiver.connections(), 0);
}

TEST(LoopGuardTest, APooledConnectionIsJudgedBeforeEveryRequest) {
  ScriptedReceiver receiver(AlwaysOk);
  const auto reserved = std::make_shared<ReservedPlaces>();
  LoopHarness harness(
      WithPolicy(DestinationPolicy({*ParseCidr("127.0.0.0/8")}, /*allow_http=*/true, reserved)));
  EXPECT_EQ(harness.Post(receiver.url()).status, 200);
  reserved->Add({{*IpAddress::Parse("127.0.0.1"), receiver.port()}});
  const Result result = harness.Post(receiver.url());
  EXPECT_EQ(result.error, TransferError::kBlocked) << result.error_text;
  EXPECT_EQ(result.send_count, 0);
  EXPECT_EQ(receiver.requests(), 1);
}

TEST(LoopGuardTest, AnIpv4MappedAddressIsConnectedToWhenAllowed) {
  ScriptedReceiver receiver(AlwaysOk);
  LoopHarness harness;
  const Result result =
      harness.Post(absl::StrCat("http://[::ffff:127.0.0.1]:", receiver.port(), "/"));
  if (result.error != TransferError::kNone) GTEST_SKIP() << "no IPv6: " << result.error_text;
  EXPECT_EQ(result.status, 200);
}

TEST(LoopGuardTest, OneDeniedAddressOfANameBlocksIt) {
  // `localhost` is 127.0.0.1 and ::1 to libcurl; nothing listens on the allowed one, so that both
  // are tried.
  LoopHarness harness(WithPolicy(DestinationPolicy({*ParseCidr("::1")}, true)));
  Request request;
  request.url =
      *CheckUrl(absl::StrCat("http://localhost:", UnusedPort(), "/"), LocalOptions().policy);
  const Result result = harness.Post(request);
  EXPECT_EQ(result.error, TransferError::kBlocked) << result.error_text;
}

TEST(LoopGuardTest, ProxiesOfTheEnvironmentAreIgnored) {
  ScriptedReceiver proxy(AlwaysOk);
  ScriptedReceiver receiver(AlwaysOk);
  const std::string proxy_url = absl::StrCat("http://127.0.0.1:", proxy.port());
  for (const char* name : {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"}) {
    setenv(name, proxy_url.c_str(), 1);
  }
  LoopHarness harness;
  EXPECT_EQ(harness.Post(receiver.url()).status, 200);
  for (const char* name : {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"}) {
    unsetenv(name);
  }
  EXPECT_EQ(proxy.connections(), 0);
  EXPECT_EQ(receiver.requests(), 1);
}

TEST(LoopGuardTest, AConfiguredProxyGetsTheRequestWhateverTheEnvironmentSays) {
  ScriptedReceiver proxy(AlwaysOk);
  LoopOptions options = LocalOptions();
  options.proxy = absl::StrCat("http://127.0.0.1:", proxy.port());
  ASSERT_TRUE(CheckLoopOptions(options).ok());
  setenv("no_proxy", "*", 1);
  LoopHarness harness(options);
  Request request;
  request.url = *CheckUrl("http://unknown-name.invalid/hook", options.policy);
  const Result result = harness.Post(request);
  unsetenv("no_proxy");
  EXPECT_EQ(result.status, 200) << result.error_text;
  EXPECT_EQ(result.remote_address, "") << "the proxy's address is not for tenants";
  EXPECT_EQ(proxy.requests(), 1);
}

TEST(LoopGuardTest, AProxyIsJudgedToo) {
  ScriptedReceiver proxy(AlwaysOk);
  LoopOptions options = WithPolicy(DestinationPolicy({}, true));
  options.proxy = absl::StrCat("http://127.0.0.1:", proxy.port());
  LoopHarness harness(options);
  Request request;
  request.url = *CheckUrl("http://example.com/", options.policy);
  EXPECT_EQ(harness.Post(request).error, TransferError::kBlocked);
  EXPECT_EQ(proxy.connections(), 0);
}

TEST(LoopGuardTest, AnUnknownNameIsADnsError) {
  LoopHarness harness;
  Request request = LocalRequest("http://unknown-name.invalid/");
  request.connect_timeout = request.timeout = absl::Seconds(29);
  const Result result = harness.Post(request);
  EXPECT_EQ(result.error, TransferError::kDns) << result.error_text;
  EXPECT_EQ(result.phases.dns, result.duration);
  EXPECT_EQ(result.send_count, 0);
  EXPECT_EQ(result.remote_address, "");
}

TEST(LoopGuardTest, RequestsThatWaitForOneLookupShareItsFailure) {
  LoopOptions options = LocalOptions();
  options.max_lookups = 2;
  LoopHarness harness(options);
  std::vector<Request> requests;
  for (uint64_t id = 0; id < 200; ++id) {
    requests.push_back(LocalRequest(absl::StrCat("http://unknown-", id % 10, ".invalid/")));
    requests.back().connect_timeout = requests.back().timeout = absl::Seconds(29);
    requests.back().id = id;
  }
  harness.loop().Send(std::move(requests));
  const std::vector<Result> results = harness.Await(200);
  ASSERT_EQ(results.size(), 200u);
  std::vector<int> seen(200, 0);
  for (const Result& result : results) {
    EXPECT_EQ(result.error, TransferError::kDns) << result.error_text;
    EXPECT_EQ(result.send_count, 0);
    ++seen[result.id];
  }
  EXPECT_EQ(seen, std::vector<int>(200, 1));
}

TEST(LoopGuardTest, ManyNamesAreResolvedFewAtATime) {
  ScriptedReceiver receiver(AlwaysOk);
  LoopOptions options = LocalOptions();
  options.max_lookups = 1;
  LoopHarness harness(options);
  std::vector<Request> requests;
  for (uint64_t id = 0; id < 300; ++id) {
    requests.push_back(
        LocalRequest(absl::StrCat("http://n", id % 30, ".localhost:", receiver.port(), "/")));
  }
  harness.loop().Send(std::move(requests));
  for (const Result& result : harness.Await(300))
    EXPECT_EQ(result.status, 200) << result.error_text;
  EXPECT_EQ(harness.loop().in_flight(), 0);
  EXPECT_EQ(receiver.requests(), 300);
}

TEST(LoopGuardTest, ARefusedConnectionIsAConnectionError) {
  LoopHarness harness;
  const Result result = harness.Post(absl::StrCat("http://127.0.0.1:", UnusedPort(), "/"));
  EXPECT_EQ(result.error, TransferError::kConnection);
  EXPECT_EQ(result.error_text, "the connection was refused");
  EXPECT_EQ(result.send_count, 0);
}

TEST(LoopGuardTest, ARequestLostOnAPooledConnectionIsNotSentAgain) {
  for (const bool reset : {false, true}) {
    for (const char* host : {"127.0.0.1", "name.localhost"}) {
      ScriptedReceiver receiver([reset](Connection& c) {
        c.ReadRequest();
        c.Send(kOk);
        c.ReadRequest();
        if (reset) c.ResetAtEnd();
      });
      LoopHarness harness;
      const std::string url = absl::StrCat("http://", host, ":", receiver.port(), "/");
      EXPECT_EQ(harness.Post(url).status, 200);
      const Result lost = harness.Post(url);
      EXPECT_EQ(lost.error, TransferError::kConnection);
      EXPECT_EQ(lost.send_count, 1);
      EXPECT_EQ(lost.status, 0);
      EXPECT_NE(lost.remote_address, "");
      EXPECT_EQ(receiver.requests(), 2);
      EXPECT_EQ(receiver.connections(), 1);
      EXPECT_EQ(harness.Post(url).status, 200);
      EXPECT_EQ(receiver.requests(), 3);
    }
  }
}

TEST(LoopGuardTest, APooledConnectionClosedInTimeIsReplaced) {
  ScriptedReceiver receiver([](Connection& c) {
    c.ReadRequest();
    c.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  });
  LoopHarness harness;
  for (int i = 1; i <= 3; ++i) {
    const Result result = harness.Post(receiver.url());
    EXPECT_EQ(result.status, 200);
    EXPECT_EQ(result.send_count, 1);
    EXPECT_EQ(receiver.connections(), i);
  }
}

}  // namespace
}  // namespace postrider::http

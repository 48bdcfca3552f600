#include "tests/http/dns_test_base.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "tests/http/isolated_network.h"

namespace postrider::http {
namespace {

using Connection = ScriptedReceiver::Connection;

// Internal addresses, besides those of loopback, that a listener can have.
constexpr const char* kInternal[] = {"10.0.0.1",       "169.254.169.254", "168.63.129.16",
                                     "192.168.1.1",    "64:ff9b::7f00:1", "64:ff9b::808:404",
                                     "2002:7f00:1::1", "2001::7f00:1",    "fd00:ec2::254"};

// What EnterIsolatedNetwork() said.
const std::string& Obstacle() {
  static const std::string* const obstacle = [] {
    std::vector<std::string> addresses = {kPublic, kPublic2, kPublicV6};
    addresses.insert(addresses.end(), std::begin(kInternal), std::end(kInternal));
    return new std::string(EnterIsolatedNetwork(addresses));
  }();
  return *obstacle;
}

// Before the first test, as the process must have one thread only.
class IsolatedNetwork : public testing::Environment {
 public:
  void SetUp() override {
    if (Obstacle().empty()) return;
    std::printf("SKIPPED: no network of its own for the tests with a name server: %s\n",
                Obstacle().c_str());
    std::fflush(stdout);
  }
};

const auto* const kIsolatedNetwork = testing::AddGlobalTestEnvironment(new IsolatedNetwork);

bool MustRun() {
  const char* const value = std::getenv("POSTRIDER_REQUIRE_TOOLCHAINS");
  return value != nullptr && std::strcmp(value, "1") == 0;
}

void AlwaysOk(Connection& c) {
  while (c.ReadRequest() && c.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) {
  }
}

}  // namespace

LoopOptions PublicOptions() {
  LoopOptions options;
  options.policy = DestinationPolicy({}, /*allow_http=*/true);
  return options;
}

void DnsTest::SetUp() {
  if (!Obstacle().empty()) {
    ASSERT_FALSE(MustRun()) << Obstacle() << ", and POSTRIDER_REQUIRE_TOOLCHAINS=1 asks for it";
    GTEST_SKIP() << "SKIPPED: no network of its own: " << Obstacle();
  }
  names_ = std::make_unique<NameServer>();
  for (const char* address : {kPublic, kPublic2, kPublicV6}) {
    const int port = receivers_.empty() ? 0 : receivers_[0]->port();
    receivers_.push_back(std::make_unique<ScriptedReceiver>(AlwaysOk, address, port));
  }
  for (const char* address : {"127.0.0.1", "::1"}) {
    denied_.push_back(std::make_unique<ScriptedReceiver>(AlwaysOk, address, port()));
  }
  for (const char* address : kInternal) {
    denied_.push_back(std::make_unique<ScriptedReceiver>(AlwaysOk, address, port()));
  }
}

void DnsTest::TearDown() { EXPECT_EQ(denied_connections(), 0); }

std::string DnsTest::Url(const std::string& name) const {
  return absl::StrCat("http://", name, ":", port(), "/");
}

Request DnsTest::RequestTo(const std::string& name) const { return LocalRequest(Url(name)); }

int DnsTest::requests() const {
  int sum = 0;
  for (const auto& receiver : receivers_) sum += receiver->requests();
  return sum;
}

int DnsTest::denied_connections() const {
  int sum = 0;
  for (const auto& receiver : denied_) sum += receiver->connections();
  return sum;
}

}  // namespace postrider::http

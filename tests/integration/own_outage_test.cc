// SEMANTICS, "Delivery": our own outage is not the endpoint's.

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/support/engine_test.h"
#include "tests/support/expect.h"
#include "tests/support/health.h"
#include "tests/support/wait.h"

namespace postrider::testing {
namespace {

class OwnOutageTest : public OwnServersTest {
 protected:
  static constexpr int kHosts = 12;

  void StartReceivers() {
    const std::vector<uint16_t> ports = ports_;
    ports_.clear();
    for (int n = 0; n < kHosts; ++n) {
      receivers_.push_back(std::make_unique<Receiver>(absl::StrCat("127.0.0.", n + 2),
                                                      ports.empty() ? 0 : ports[n]));
      ports_.push_back(receivers_.back()->port());
    }
  }
  // No host can be reached any more: what is sent is refused.
  void CutOff() { receivers_.clear(); }

  std::vector<std::unique_ptr<Receiver>> receivers_;
  std::vector<uint16_t> ports_;
};

TEST_F(OwnOutageTest, WhenNoHostCanBeReachedNothingCountsAndEverythingFlowsWhenThatIsOver) {
  StartReceivers();
  ServerProcess* const server = StartServer({"--retry-schedule", "1s", "--disable-threshold", "2"});
  ASSERT_TRUE(server != nullptr);
  Caller caller(server->api());
  std::vector<std::string> endpoints;
  for (const auto& receiver : receivers_) {
    endpoints.push_back(caller.CreateAt(receiver->Url()).id());
  }
  caller.PublishEvent();
  for (const std::string& endpoint : endpoints) ASSERT_TRUE(caller.WaitUntilIdle(endpoint));
  EXPECT_EQ(HealthOf(server->api(), "postrider.egress"), Health::kServing);

  CutOff();
  std::vector<std::string> events;
  for (int i = 0; i < 5; ++i) events.push_back(caller.PublishEvent());
  ASSERT_TRUE(WaitUntil(
      [&] { return HealthOf(server->api(), "postrider.egress") == Health::kNotServing; }));
  EXPECT_EQ(HealthOf(server->api()), Health::kServing);
  const std::string ready = HttpGet(server->http_address(), "/readyz");
  EXPECT_TRUE(absl::StartsWith(ready, "HTTP/1.1 200")) << ready;
  EXPECT_TRUE(absl::StrContains(ready, "hardly any receiver can be reached")) << ready;
  // Events are accepted all the same, and probes fail without end: more of them than would disable
  // every endpoint and use up every retry.
  events.push_back(caller.PublishEvent());
  ASSERT_TRUE(WaitUntil(
      [&] {
        return std::stoi(database().Value("SELECT count(*) FROM attempts WHERE outcome = 4")) > 60;
      },
      absl::Seconds(60)));
  EXPECT_EQ(database().Value("SELECT max(failure_count) FROM open_deliveries"), "0");
  EXPECT_EQ(database().Value("SELECT count(*) FROM endpoint_states WHERE state <> 1"), "0");
  EXPECT_EQ(database().Value("SELECT max(consecutive_failures) FROM endpoint_states"), "0");

  StartReceivers();
  for (const std::string& event : events) {
    for (const v1::Delivery& delivery : caller.DeliveriesOf(event)) {
      caller.WaitForState(delivery.id(), v1::DELIVERY_STATE_SUCCEEDED);
    }
  }
  EXPECT_EQ(HealthOf(server->api(), "postrider.egress"), Health::kServing);
  EXPECT_TRUE(absl::StrContains(server->Log(), "sending pauses to probes"));
  EXPECT_TRUE(absl::StrContains(server->Log(), "everything goes on"));
}

}  // namespace
}  // namespace postrider::testing

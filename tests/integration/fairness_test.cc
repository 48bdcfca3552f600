// SEMANTICS, "Delivery": no endpoint holds up another, and the limits of an endpoint hold for the
// whole cluster.

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/support/engine_test.h"

namespace postrider::testing {
namespace {

class FairnessTest : public EngineTest {
 protected:
  // An endpoint for events of one type.
  CreatedEndpoint CreateFor(const std::string& type, const std::string& url) {
    v1::Endpoint endpoint = EndpointAt(url);
    endpoint.add_events(type);
    return Create(endpoint);
  }

  // How long each of `count` events, one after the other, takes from the call to its arrival.
  std::vector<absl::Duration> Latencies(Receiver& receiver, const std::string& type, int count) {
    std::vector<absl::Duration> latencies;
    for (int i = 0; i < count; ++i) {
      const absl::Time start = absl::Now();
      PublishEvent(type);
      const std::vector<ReceivedRequest> requests = receiver.WaitForRequests(i + 1);
      EXPECT_EQ(requests.size(), static_cast<size_t>(i) + 1);
      if (!requests.empty()) latencies.push_back(requests.back().time - start);
    }
    std::sort(latencies.begin(), latencies.end());
    return latencies;
  }
};

TEST_F(FairnessTest, ASlowEndpointCostsTheOthersNothingThatCanBeMeasured) {
  constexpr int kSamples = 60;
  Receiver fast;
  CreateFor("fast.event", fast.Url());
  const std::vector<absl::Duration> alone = Latencies(fast, "fast.event", kSamples);
  receiver_.AlwaysAnswer(Answer{.hold = true});
  v1::Endpoint slow = EndpointAt(receiver_.Url());
  slow.add_events("slow.event");
  slow.set_disable_threshold(0);
  Create(slow);
  for (int i = 0; i < 300; ++i) PublishEvent("slow.event");
  ASSERT_TRUE(receiver_.WaitForUnanswered(32));
  Receiver fast_again;
  CreateFor("fast.again", fast_again.Url());
  const std::vector<absl::Duration> beside = Latencies(fast_again, "fast.again", kSamples);
  // Generous for a busy machine; a single slot of the slow endpoint would cost 15 s.
  EXPECT_LT(beside[kSamples / 2], 3 * alone[kSamples / 2] + absl::Milliseconds(20));
  EXPECT_LT(beside.back(), absl::Seconds(1));
}

TEST_F(FairnessTest, ADeadEndpointCostsTheOthersNothingThatCanBeMeasured) {
  constexpr int kSamples = 60;
  v1::Endpoint dead = EndpointAt(absl::StrCat("http://127.0.0.1:", RefusingPort(), "/"));
  dead.add_events("dead.event");
  dead.set_disable_threshold(0);
  for (int i = 0; i < 5; ++i) Create(dead);
  for (int i = 0; i < 100; ++i) PublishEvent("dead.event");
  CreateFor("fast.event", receiver_.Url());
  const std::vector<absl::Duration> beside = Latencies(receiver_, "fast.event", kSamples);
  EXPECT_LT(beside[kSamples / 2], absl::Milliseconds(100));
  EXPECT_LT(beside.back(), absl::Seconds(1));
}

TEST_F(FairnessTest, AtMost32AttemptsAreUnderWayByDefault) {
  receiver_.AlwaysAnswer(Answer{.hold = true});
  v1::Endpoint endpoint = EndpointAt(receiver_.Url());
  // A threshold would bound them too: to half of what is left to it.
  endpoint.set_disable_threshold(0);
  const std::string id = Create(endpoint).id();
  for (int i = 0; i < 100; ++i) PublishEvent();
  EXPECT_TRUE(receiver_.WaitForUnanswered(32));
  EXPECT_TRUE(receiver_.StaysAt(32));
  receiver_.Release();
  EXPECT_TRUE(WaitUntilIdle(id));
  EXPECT_EQ(receiver_.Requests().size(), 100u);
  EXPECT_LE(receiver_.MostUnanswered(), 32);
}

TEST_F(FairnessTest, MaxInFlightOfTheEndpointHolds) {
  receiver_.AlwaysAnswer(Answer{.delay = absl::Milliseconds(20)});
  for (const int limit : {1, 3}) {
    const std::string path = absl::StrCat("/", limit);
    v1::Endpoint endpoint = EndpointAt(receiver_.Url(path));
    endpoint.set_max_in_flight(limit);
    const std::string id = Create(endpoint).id();
    for (int i = 0; i < 30; ++i) PublishEvent();
    ASSERT_TRUE(WaitUntilIdle(id));
    EXPECT_EQ(receiver_.RequestsTo(path).size(), 30u);
    EXPECT_EQ(receiver_.MostUnanswered(path), limit);
    Delete(id);
  }
}

TEST_F(FairnessTest, RateLimitPerSecondHolds) {
  constexpr int kEvents = 25;
  v1::Endpoint endpoint = EndpointAt(receiver_.Url());
  endpoint.set_rate_limit_per_second(10);
  Create(endpoint);
  for (int i = 0; i < kEvents; ++i) PublishEvent();
  const std::vector<ReceivedRequest> requests = receiver_.WaitForRequests(kEvents);
  ASSERT_EQ(requests.size(), static_cast<size_t>(kEvents));
  // A second's worth may go at once; after that ten a second.
  const absl::Duration took = requests.back().time - requests.front().time;
  EXPECT_GE(took, absl::Milliseconds(1300));
  EXPECT_LE(took, absl::Seconds(6));
}

class ClusterLimitsTest : public OwnServersTest {};

TEST_F(ClusterLimitsTest, MaxInFlightHoldsForTheWholeCluster) {
  constexpr int kLimit = 4;
  constexpr int kEvents = 60;
  ServerProcess* const first = StartServer();
  ServerProcess* const second = StartServer();
  ASSERT_TRUE(first != nullptr && second != nullptr);
  Caller one(first->api());
  Caller two(second->api(), one.org());
  receiver_.AlwaysAnswer(Answer{.delay = absl::Milliseconds(30)});
  v1::Endpoint endpoint = one.EndpointAt(receiver_.Url());
  endpoint.set_max_in_flight(kLimit);
  const std::string id = one.Create(endpoint).id();
  for (int i = 0; i < kEvents; ++i) (i % 2 == 0 ? one : two).PublishEvent();
  ASSERT_TRUE(one.WaitUntilIdle(id, absl::Seconds(40)));
  EXPECT_EQ(receiver_.Requests().size(), static_cast<size_t>(kEvents));
  EXPECT_LE(receiver_.MostUnanswered(), kLimit);
}

TEST_F(ClusterLimitsTest, AnEndpointWithOneSlotBelongsToOneServerAndIsServed) {
  constexpr int kEvents = 30;
  ServerProcess* const first = StartServer();
  ServerProcess* const second = StartServer();
  ASSERT_TRUE(first != nullptr && second != nullptr);
  Caller one(first->api());
  Caller two(second->api(), one.org());
  receiver_.AlwaysAnswer(Answer{.delay = absl::Milliseconds(5)});
  std::vector<std::string> ids;
  for (int e = 0; e < 4; ++e) {
    v1::Endpoint endpoint = one.EndpointAt(receiver_.Url(absl::StrCat("/", e)));
    endpoint.set_max_in_flight(1);
    ids.push_back(one.Create(endpoint).id());
  }
  for (int i = 0; i < kEvents; ++i) (i % 2 == 0 ? one : two).PublishEvent();
  for (int e = 0; e < 4; ++e) {
    EXPECT_TRUE(one.WaitUntilIdle(ids[e], absl::Seconds(40)));
    EXPECT_EQ(receiver_.RequestsTo(absl::StrCat("/", e)).size(), static_cast<size_t>(kEvents));
    EXPECT_EQ(receiver_.MostUnanswered(absl::StrCat("/", e)), 1);
  }
}

TEST_F(ClusterLimitsTest, RateLimitPerSecondHoldsForTheWholeCluster) {
  constexpr int kEvents = 30;
  ServerProcess* const first = StartServer();
  ServerProcess* const second = StartServer();
  ASSERT_TRUE(first != nullptr && second != nullptr);
  Caller one(first->api());
  Caller two(second->api(), one.org());
  v1::Endpoint endpoint = one.EndpointAt(receiver_.Url());
  endpoint.set_rate_limit_per_second(10);
  one.Create(endpoint);
  for (int i = 0; i < kEvents; ++i) (i % 2 == 0 ? one : two).PublishEvent();
  const std::vector<ReceivedRequest> requests = receiver_.WaitForRequests(kEvents);
  ASSERT_EQ(requests.size(), static_cast<size_t>(kEvents));
  EXPECT_GE(requests.back().time - requests.front().time, absl::Milliseconds(1800));
}

}  // namespace
}  // namespace postrider::testing

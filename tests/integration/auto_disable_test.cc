// SEMANTICS, "Delivery": 410 Gone, and the count of failures that disables an endpoint.

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/support/engine_test.h"

namespace postrider::testing {
namespace {

class AutoDisableTest : public EngineTest {
 protected:
  v1::Endpoint Failing(int threshold) {
    receiver_.AlwaysAnswer(Answer{.status = 500});
    v1::Endpoint endpoint = EndpointAt(receiver_.Url());
    endpoint.set_retries_disabled(true);
    endpoint.set_disable_threshold(threshold);
    return endpoint;
  }

  // One new event, from its first attempt to its end.
  void PublishAndWait(v1::DeliveryState end) {
    const std::string event = PublishEvent();
    for (const v1::Delivery& delivery : DeliveriesOf(event)) WaitForState(delivery.id(), end);
  }
  void Fail() { PublishAndWait(v1::DELIVERY_STATE_FAILED); }
  void Succeed() {
    receiver_.AlwaysAnswer(Answer{});
    PublishAndWait(v1::DELIVERY_STATE_SUCCEEDED);
    receiver_.AlwaysAnswer(Answer{.status = 500});
  }

  int Failures(const std::string& endpoint) { return GetEndpoint(endpoint).consecutive_failures(); }
};

TEST_F(AutoDisableTest, ConsecutiveFailuresOverAllEventsDisableTheEndpoint) {
  const std::string id = Create(Failing(4)).id();
  const absl::Time before = absl::Now();
  for (int i = 1; i <= 3; ++i) {
    Fail();
    const v1::Endpoint endpoint = GetEndpoint(id);
    EXPECT_EQ(endpoint.state(), v1::ENDPOINT_STATE_ENABLED);
    EXPECT_EQ(endpoint.consecutive_failures(), i);
  }
  Fail();
  const v1::Endpoint endpoint = WaitForEndpointState(id, v1::ENDPOINT_STATE_DISABLED);
  EXPECT_EQ(endpoint.disabled_reason(), v1::DISABLED_REASON_CONSECUTIVE_FAILURES);
  EXPECT_EQ(endpoint.consecutive_failures(), 4);
  EXPECT_GE(ToTime(endpoint.disable_time()), before - absl::Seconds(1));
  EXPECT_LE(ToTime(endpoint.disable_time()), absl::Now() + absl::Seconds(1));
}

TEST_F(AutoDisableTest, ASuccessSetsTheCounterToZero) {
  const std::string id = Create(Failing(3)).id();
  Fail();
  Fail();
  EXPECT_EQ(Failures(id), 2);
  Succeed();
  EXPECT_EQ(Failures(id), 0);
  Fail();
  Fail();
  EXPECT_EQ(GetEndpoint(id).state(), v1::ENDPOINT_STATE_ENABLED);
}

TEST_F(AutoDisableTest, RetriesCountToo) {
  v1::Endpoint endpoint = Failing(3);
  endpoint.set_retries_disabled(false);  // 1s,1s: three attempts in all.
  const std::string id = Create(endpoint).id();
  const std::string event = PublishEvent();
  WaitForEndpointState(id, v1::ENDPOINT_STATE_DISABLED);
  EXPECT_EQ(DeliveryOf(event).attempt_count(), 3);
}

TEST_F(AutoDisableTest, RedeliveriesCountToo) {
  const std::string id = Create(Failing(3)).id();
  Fail();
  const std::string delivery = DeliveriesTo(id)[0].id();
  for (int i = 0; i < 2; ++i) {
    WaitForState(Redeliver(delivery).id(), v1::DELIVERY_STATE_FAILED);
  }
  EXPECT_EQ(WaitForEndpointState(id, v1::ENDPOINT_STATE_DISABLED).disabled_reason(),
            v1::DISABLED_REASON_CONSECUTIVE_FAILURES);
}

TEST_F(AutoDisableTest, EveryKindOfFailureCounts) {
  v1::Endpoint endpoint = Failing(100);
  *endpoint.mutable_timeout() = ToProto(absl::Seconds(1));
  const std::string id = Create(endpoint).id();
  Fail();  // HTTP_STATUS
  receiver_.AlwaysAnswer(Answer{.drop = true});
  Fail();  // CONNECTION
  receiver_.AlwaysAnswer(Answer{.hold = true});
  Fail();  // TIMEOUT
  EXPECT_EQ(Failures(id), 3);
  v1::Endpoint changed = endpoint;
  changed.set_id(id);
  changed.set_url(absl::StrCat("https://127.0.0.1:", receiver_.port(), "/"));
  Update(changed, {"url"});
  receiver_.AlwaysAnswer(Answer{});
  LetChangeHold();
  Fail();  // TLS
  EXPECT_EQ(Failures(id), 4);
}

TEST_F(AutoDisableTest, AThresholdOfZeroNeverDisables) {
  v1::Endpoint endpoint = Failing(0);
  const std::string id = Create(endpoint).id();
  for (int i = 0; i < 8; ++i) Fail();
  EXPECT_EQ(GetEndpoint(id).state(), v1::ENDPOINT_STATE_ENABLED);
  EXPECT_EQ(Failures(id), 8);
}

TEST_F(AutoDisableTest, ALoweredThresholdAppliesAtTheNextFailure) {
  v1::Endpoint endpoint = Failing(100);
  const std::string id = Create(endpoint).id();
  for (int i = 0; i < 4; ++i) Fail();
  endpoint.set_id(id);
  endpoint.set_disable_threshold(2);
  Update(endpoint, {"disable_threshold"});
  EXPECT_EQ(GetEndpoint(id).state(), v1::ENDPOINT_STATE_ENABLED);
  LetChangeHold();
  EXPECT_EQ(GetEndpoint(id).state(), v1::ENDPOINT_STATE_ENABLED);
  PublishEvent();
  EXPECT_EQ(WaitForEndpointState(id, v1::ENDPOINT_STATE_DISABLED).disabled_reason(),
            v1::DISABLED_REASON_CONSECUTIVE_FAILURES);
}

TEST_F(AutoDisableTest, WhileDisabledTheCounterStandsStill) {
  receiver_.AlwaysAnswer(Answer{.hold = true, .status = 500});
  v1::Endpoint endpoint = EndpointAt(receiver_.Url());
  endpoint.set_retries_disabled(true);
  const std::string id = Create(endpoint).id();
  const std::string event = PublishEvent();
  ASSERT_TRUE(receiver_.WaitForUnanswered(1));
  Disable(id);
  receiver_.Release();  // The attempt fails while the endpoint is disabled.
  WaitForAttempts(DeliveryOf(event).id(), 1);
  EXPECT_EQ(Failures(id), 0);
}

TEST_F(AutoDisableTest, AFailingEndpointIsSlowedBeforeItIsDisabledAndNothingIsLost) {
  constexpr int kEvents = 60;
  v1::Endpoint endpoint = EndpointAt(receiver_.Url("/failing"));
  *endpoint.add_retry_schedule() = ToProto(absl::Seconds(1));
  for (int i = 0; i < 15; ++i) *endpoint.add_retry_schedule() = ToProto(absl::Seconds(1));
  const std::string id = Create(endpoint).id();  // The server's threshold: 50.
  Create(EndpointAt(receiver_.Url("/healthy")));
  std::atomic<bool> down{true};
  receiver_.AnswerBy([&down](const ReceivedRequest& request) {
    return Answer{.status = down && request.target == "/failing" ? 500 : 200};
  });
  for (int i = 0; i < kEvents; ++i) PublishEvent();
  // The other endpoint is not slowed.
  EXPECT_TRUE(WaitUntil([&] { return receiver_.RequestsTo("/healthy").size() == kEvents; },
                        absl::Seconds(3)));
  // A short outage of a busy endpoint does not use up its 50.
  receiver_.StaysAt(10000, absl::Seconds(2));
  EXPECT_LT(receiver_.RequestsTo("/failing").size(), 45u);
  EXPECT_GT(receiver_.RequestsTo("/failing").size(), 1u);
  EXPECT_EQ(GetEndpoint(id).state(), v1::ENDPOINT_STATE_ENABLED);
  down = false;
  EXPECT_TRUE(WaitUntilIdle(id, absl::Seconds(40)));
  EXPECT_EQ(DeliveriesTo(id, v1::DELIVERY_STATE_SUCCEEDED).size(), static_cast<size_t>(kEvents));
}

TEST_F(AutoDisableTest, WithOneAttemptUnderWayThePausesGrowFromATenthToTwoSecondsUntilASuccess) {
  constexpr size_t kPaced = 6;  // 0.1, 0.2, 0.4, 0.8, 1.6 and 2 s.
  v1::Endpoint endpoint = Failing(0);
  endpoint.set_max_in_flight(1);
  const std::string id = Create(endpoint).id();
  for (size_t i = 0; i < kPaced + 20; ++i) PublishEvent();
  const std::vector<ReceivedRequest> requests = receiver_.WaitForRequests(kPaced + 1);
  ASSERT_GE(requests.size(), kPaced + 1);
  absl::Duration pause = absl::Milliseconds(100);
  for (size_t i = 0; i < kPaced; ++i) {
    const absl::Duration gap = requests[i + 1].time - requests[i].time;
    EXPECT_GE(gap, pause - absl::Milliseconds(10)) << "pause " << i + 1;
    EXPECT_LE(gap, pause + absl::Milliseconds(500)) << "pause " << i + 1;
    pause = std::min(2 * pause, absl::Seconds(2));
  }
  receiver_.AlwaysAnswer(Answer{});
  EXPECT_TRUE(WaitUntilIdle(id, absl::Seconds(6)));  // The rest goes without pauses.
}

TEST_F(AutoDisableTest, GoneFailsTheDeliveryForGoodAndDisablesTheEndpoint) {
  receiver_.AlwaysAnswer(Answer{.status = 410});
  const std::string id = CreateAt(receiver_.Url()).id();
  const v1::Delivery delivery =
      WaitForState(DeliveryOf(PublishEvent()).id(), v1::DELIVERY_STATE_FAILED);
  EXPECT_EQ(delivery.state_reason(), v1::DELIVERY_STATE_REASON_GONE);
  EXPECT_EQ(delivery.attempt_count(), 1);
  const v1::Endpoint endpoint = WaitForEndpointState(id, v1::ENDPOINT_STATE_DISABLED);
  EXPECT_EQ(endpoint.disabled_reason(), v1::DISABLED_REASON_GONE);
  EXPECT_TRUE(endpoint.has_disable_time());
  EXPECT_TRUE(receiver_.StaysAt(1, absl::Milliseconds(1500)));
}

class AutoDisableOwnServersTest : public OwnServersTest {};

TEST_F(AutoDisableOwnServersTest, GoneCanBeTurnedOff) {
  ServerProcess* const server = StartServer({"--disable-on-gone=false", "--retry-schedule", "1s"});
  ASSERT_NE(server, nullptr);
  receiver_.AnswerInTurn({Answer{.status = 410}, Answer{}});
  Caller caller(server->api());
  const std::string id = caller.CreateAt(receiver_.Url()).id();
  const v1::Delivery delivery = caller.DeliveryOf(caller.PublishEvent());
  caller.WaitForState(delivery.id(), v1::DELIVERY_STATE_SUCCEEDED);
  EXPECT_EQ(caller.GetEndpoint(id).state(), v1::ENDPOINT_STATE_ENABLED);
}

TEST_F(AutoDisableOwnServersTest, TheServersThresholdHoldsWhereTheEndpointHasNone) {
  ServerProcess* const server = StartServer({"--disable-threshold", "2", "--retry-schedule", "1s"});
  ASSERT_NE(server, nullptr);
  receiver_.AlwaysAnswer(Answer{.status = 500});
  Caller caller(server->api());
  const std::string id = caller.CreateAt(receiver_.Url()).id();
  caller.PublishEvent();
  EXPECT_EQ(caller.WaitForEndpointState(id, v1::ENDPOINT_STATE_DISABLED).consecutive_failures(), 2);
}

TEST_F(AutoDisableOwnServersTest, TheCountIsExactWithTwoServersAndTheEndpointIsDisabledOnce) {
  constexpr int kThreshold = 12;
  constexpr int kEvents = 40;
  ServerProcess* const first = StartServer();
  ServerProcess* const second = StartServer();
  ASSERT_TRUE(first != nullptr && second != nullptr);
  receiver_.AlwaysAnswer(Answer{.status = 500});
  Caller one(first->api());
  Caller two(second->api(), one.org());
  v1::Endpoint endpoint = one.EndpointAt(receiver_.Url());
  endpoint.set_disable_threshold(kThreshold);
  const std::string id = one.Create(endpoint).id();
  for (int i = 0; i < kEvents; ++i) (i % 2 == 0 ? one : two).PublishEvent();
  const v1::Endpoint disabled =
      one.WaitForEndpointState(id, v1::ENDPOINT_STATE_DISABLED, absl::Seconds(60));
  EXPECT_EQ(disabled.disabled_reason(), v1::DISABLED_REASON_CONSECUTIVE_FAILURES);
  // What was under way at that moment is logged, and counts no more. The limit on attempts under
  // way never exceeds half of what is left to the threshold, so both servers together reach it with
  // little over.
  receiver_.StaysAt(10000, absl::Milliseconds(1500));
  EXPECT_EQ(one.GetEndpoint(id).consecutive_failures(), kThreshold);
  const size_t sent = receiver_.Requests().size();
  EXPECT_GE(sent, static_cast<size_t>(kThreshold));
  EXPECT_LE(sent, static_cast<size_t>(kThreshold) + 4);
  EXPECT_EQ(database().Value(absl::StrCat(
                "SELECT count(*) FROM endpoint_changes WHERE kind = 4 AND detail <> ''")),
            "1");
}

}  // namespace
}  // namespace postrider::testing

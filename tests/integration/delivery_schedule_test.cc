// SEMANTICS, "Delivery": the schedule of retries. (The default schedule is checked in the pure
// core; here schedules are short.)

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/support/engine_test.h"

namespace postrider::testing {
namespace {

// What may pass between the moment when an attempt is due and its arrival at the receiver.
constexpr absl::Duration kSlack = absl::Milliseconds(600);

class DeliveryScheduleTest : public EngineTest {
 protected:
  void SetUp() override { receiver_.AlwaysAnswer(Answer{.status = 500}); }

  v1::Endpoint WithSchedule(const std::vector<absl::Duration>& delays) {
    v1::Endpoint endpoint = EndpointAt(receiver_.Url());
    for (const absl::Duration delay : delays) {
      *endpoint.add_retry_schedule() = ToProto(delay);
    }
    return endpoint;
  }

  // When the next attempt is due after the end of the last one in the log.
  absl::Duration DelayAfterLast(const v1::Delivery& delivery) {
    const v1::Attempt last = AttemptsOf(delivery.id()).back();
    return ToTime(delivery.next_attempt_time()) -
           (ToTime(last.start_time()) + ToDuration(last.duration()));
  }
};

TEST_F(DeliveryScheduleTest, TheFirstAttemptIsAtOnce) {
  CreateAt(receiver_.Url());
  const absl::Time before = absl::Now();
  PublishEvent();
  const std::vector<ReceivedRequest> requests = receiver_.WaitForRequests(1);
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_LT(requests[0].time - before, kSlack);
}

TEST_F(DeliveryScheduleTest, RetriesFollowTheServersScheduleAndThenTheDeliveryIsExhausted) {
  const CreatedEndpoint endpoint = CreateAt(receiver_.Url());  // The server's: 1s,1s.
  const v1::Delivery delivery = DeliveryOf(PublishEvent());
  const v1::Delivery ended = WaitForState(delivery.id(), v1::DELIVERY_STATE_FAILED);
  EXPECT_EQ(ended.state_reason(), v1::DELIVERY_STATE_REASON_EXHAUSTED);
  EXPECT_EQ(ended.attempt_count(), 3);
  EXPECT_TRUE(ended.has_complete_time());
  EXPECT_FALSE(ended.has_next_attempt_time());
  EXPECT_TRUE(receiver_.StaysAt(3, absl::Milliseconds(1500)));  // Nothing more is sent.
  EXPECT_EQ(GetEndpoint(endpoint.id()).state(), v1::ENDPOINT_STATE_ENABLED);
}

TEST_F(DeliveryScheduleTest, AScheduleOfTheEndpointGoesBeforeTheServersAndEachDelayCounts) {
  const std::vector<absl::Duration> schedule = {absl::Seconds(1), absl::Milliseconds(2500),
                                                absl::Milliseconds(1500)};
  Create(WithSchedule(schedule));
  const v1::Delivery delivery = DeliveryOf(PublishEvent());
  WaitForState(delivery.id(), v1::DELIVERY_STATE_FAILED);
  const std::vector<ReceivedRequest> requests = receiver_.Requests();
  ASSERT_EQ(requests.size(), 4u);  // N delays mean N retries.
  const std::vector<v1::Attempt> attempts = AttemptsOf(delivery.id());
  ASSERT_EQ(attempts.size(), 4u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(requests[i].AttemptNumber(), static_cast<int>(i) + 1);
    const absl::Duration pause = ToTime(attempts[i + 1].start_time()) -
                                 ToTime(attempts[i].start_time()) -
                                 ToDuration(attempts[i].duration());
    EXPECT_GE(pause, schedule[i] - absl::Milliseconds(2)) << "before retry " << i + 1;
    EXPECT_LE(pause, schedule[i] * 1.1 + kSlack) << "before retry " << i + 1;
    const absl::Duration arrival = requests[i + 1].time - requests[i].time;
    EXPECT_GE(arrival, schedule[i] - absl::Milliseconds(20)) << "before retry " << i + 1;
  }
}

TEST_F(DeliveryScheduleTest, TheDelayCountsFromTheEndOfTheFailedAttempt) {
  receiver_.AlwaysAnswer(Answer{.delay = absl::Milliseconds(800), .status = 500});
  Create(WithSchedule({absl::Seconds(1)}));
  PublishEvent();
  const std::vector<ReceivedRequest> requests = receiver_.WaitForRequests(2);
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_GE(requests[1].time - requests[0].time, absl::Milliseconds(1790));
  EXPECT_LE(requests[1].time - requests[0].time, absl::Milliseconds(1900) + kSlack);
}

TEST_F(DeliveryScheduleTest, JitterOnlyAddsAndAtMostATenth) {
  constexpr int kDraws = 40;
  const absl::Duration delay = absl::Seconds(100);
  // Each by an endpoint of its own: one that fails would be slowed.
  for (int i = 0; i < kDraws; ++i) Create(WithSchedule({delay}));
  absl::Duration least = absl::InfiniteDuration();
  absl::Duration most;
  const std::vector<v1::Delivery> deliveries = DeliveriesOf(PublishEvent());
  ASSERT_EQ(deliveries.size(), static_cast<size_t>(kDraws));
  for (const v1::Delivery& made : deliveries) {
    const v1::Delivery delivery = WaitForAttempts(made.id(), 1);
    ASSERT_EQ(delivery.state(), v1::DELIVERY_STATE_PENDING);
    const absl::Duration wait = DelayAfterLast(delivery);
    EXPECT_GE(wait, delay - absl::Milliseconds(2));
    // The log has no room for the time that an attempt waited for its thread, before and after.
    EXPECT_LE(wait, delay * 1.1 + kSlack);
    least = std::min(least, wait);
    most = std::max(most, wait);
  }
  // Forty draws that all lie within a tenth of the range would be no jitter.
  EXPECT_GT(most - least, absl::Seconds(1));
}

TEST_F(DeliveryScheduleTest, WithRetriesDisabledThereIsOneAttempt) {
  v1::Endpoint endpoint = WithSchedule({absl::Seconds(1)});
  endpoint.set_retries_disabled(true);
  Create(endpoint);
  const v1::Delivery delivery = DeliveryOf(PublishEvent());
  const v1::Delivery ended = WaitForState(delivery.id(), v1::DELIVERY_STATE_FAILED);
  EXPECT_EQ(ended.state_reason(), v1::DELIVERY_STATE_REASON_EXHAUSTED);
  EXPECT_EQ(ended.attempt_count(), 1);
  EXPECT_TRUE(receiver_.StaysAt(1, absl::Milliseconds(1500)));
}

TEST_F(DeliveryScheduleTest, AScheduleHasAtMost20DelaysOfOneSecondTo24Hours) {
  std::vector<absl::Duration> delays(20, absl::Seconds(1));
  delays.back() = absl::Hours(24);
  const CreatedEndpoint endpoint = Create(WithSchedule(delays));
  ASSERT_EQ(endpoint.endpoint.retry_schedule_size(), 20);
  EXPECT_EQ(ToDuration(endpoint.endpoint.retry_schedule(19)), absl::Hours(24));
}

TEST_F(DeliveryScheduleTest, TheScheduleInForceWhenAnAttemptFailsCounts) {
  receiver_.AlwaysAnswer(Answer{.hold = true, .status = 500});
  const CreatedEndpoint created = Create(WithSchedule({absl::Hours(1), absl::Hours(1)}));
  const v1::Delivery delivery = DeliveryOf(PublishEvent());
  ASSERT_TRUE(receiver_.WaitForUnanswered(1));
  // The attempt is under way; changes hold after a second.
  v1::Endpoint changed = WithSchedule({absl::Hours(3)});
  changed.set_id(created.id());
  Update(changed, {"retry_schedule"});
  LetChangeHold();
  receiver_.Release();
  const v1::Delivery waiting = WaitForAttempts(delivery.id(), 1);
  EXPECT_GE(DelayAfterLast(waiting), absl::Hours(3));
  EXPECT_LE(DelayAfterLast(waiting), absl::Hours(3) * 1.1 + absl::Seconds(1));
  // And a shorter one does not call back what is planned.
  changed.mutable_retry_schedule()->Clear();
  *changed.add_retry_schedule() = ToProto(absl::Seconds(1));
  Update(changed, {"retry_schedule"});
  EXPECT_EQ(ToTime(GetDelivery(delivery.id()).next_attempt_time()),
            ToTime(waiting.next_attempt_time()));
}

TEST_F(DeliveryScheduleTest, AWaitingDeliveryIsPendingAndSaysWhenItGoesOn) {
  Create(WithSchedule({absl::Hours(2)}));
  const v1::Delivery delivery = WaitForAttempts(DeliveryOf(PublishEvent()).id(), 1);
  EXPECT_EQ(delivery.state(), v1::DELIVERY_STATE_PENDING);
  EXPECT_EQ(delivery.state_reason(), v1::DELIVERY_STATE_REASON_UNSPECIFIED);
  EXPECT_EQ(delivery.attempt_count(), 1);
  EXPECT_FALSE(delivery.has_complete_time());
  EXPECT_GE(DelayAfterLast(delivery), absl::Hours(2));
}

class RetryAfterTest : public DeliveryScheduleTest {
 protected:
  static constexpr absl::Duration kDelay = absl::Seconds(100);

  // How long after the end of the attempt the next one is due, when it was answered so.
  absl::Duration DelayFor(int status, const std::string& retry_after) {
    receiver_.AlwaysAnswer(Answer{.status = status, .headers = {{"Retry-After", retry_after}}});
    v1::Endpoint endpoint = WithSchedule({kDelay});
    const CreatedEndpoint created = Create(endpoint);
    const v1::Delivery delivery = WaitForAttempts(DeliveryOf(PublishEvent()).id(), 1);
    const absl::Duration delay = DelayAfterLast(delivery);
    Delete(created.id());
    return delay;
  }

  static void ExpectScheduled(absl::Duration delay, const std::string& what) {
    EXPECT_GE(delay, kDelay - absl::Milliseconds(2)) << what;
    EXPECT_LE(delay, kDelay * 1.1 + absl::Milliseconds(5)) << what;
  }
};

TEST_F(RetryAfterTest, SecondsMoveARetryLaterWithoutJitter) {
  for (const int status : {429, 503}) {
    EXPECT_NEAR(absl::ToDoubleSeconds(DelayFor(status, "1000")), 1000, 0.01) << status;
  }
}

TEST_F(RetryAfterTest, ADateMovesARetryLater) {
  const absl::Time date = absl::FromUnixSeconds(absl::ToUnixSeconds(absl::Now()) + 3600);
  const std::string text = absl::FormatTime("%a, %d %b %Y %H:%M:%S GMT", date, absl::UTCTimeZone());
  EXPECT_NEAR(absl::ToDoubleSeconds(DelayFor(503, text)), 3600, 3);
}

TEST_F(RetryAfterTest, NeverMovesARetryEarlier) {
  for (const char* value : {"0", "1", "50", "Thu, 01 Jan 1970 00:00:00 GMT"}) {
    ExpectScheduled(DelayFor(503, value), value);
  }
}

TEST_F(RetryAfterTest, IsCutAt24Hours) {
  EXPECT_NEAR(absl::ToDoubleHours(DelayFor(429, "86400000")), 24, 0.001);
  EXPECT_NEAR(absl::ToDoubleHours(DelayFor(429, "Fri, 31 Dec 2399 23:59:59 GMT")), 24, 0.001);
}

TEST_F(RetryAfterTest, NonsenseIsIgnored) {
  for (const char* value : {"soon", "-1000", "1e9", "1000 seconds", "", "2399-12-31"}) {
    ExpectScheduled(DelayFor(503, value), value);
  }
}

TEST_F(RetryAfterTest, CountsForNoOtherStatus) {
  for (const int status : {500, 502, 404, 301}) {
    ExpectScheduled(DelayFor(status, "1000"), absl::StrCat(status));
  }
}

}  // namespace
}  // namespace postrider::testing

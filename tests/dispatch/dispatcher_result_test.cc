// Results in, finished records out.

#include <memory>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/dispatch/dispatcher_test_base.h"

namespace postrider::dispatch {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

// A delivery with some history, started.
class ResultTest : public DispatcherTest {
 protected:
  http::Request Start(int attempt_count, int failure_count,
                      std::shared_ptr<Target> target = TargetNo(1)) {
    std::vector<WorkItem> items = Items(1, 10, 1);
    items[0].attempt_count = attempt_count;
    items[0].failure_count = failure_count;
    items[0].origin = DeliveryOrigin::kRedelivery;
    dispatcher_->AddWork(std::move(items));
    Load({std::move(target)});
    Turn turn = Run();
    EXPECT_THAT(turn.requests, SizeIs(1));
    return turn.requests.at(0);
  }
};

TEST_F(ResultTest, ASuccessEndsTheDelivery) {
  const http::Request request = Start(2, 1);
  const absl::Time started = database_now_;
  Pass(absl::Milliseconds(40));
  const FinishedAttempt finished = Finish(Answer(request, 204));
  const OutcomeRecord& record = finished.record;
  EXPECT_EQ(record.attempt.id, AttemptNo(1));
  EXPECT_EQ(record.attempt.delivery_id, DeliveryNo(10));
  EXPECT_EQ(record.attempt.event_id, EventNo(10));
  EXPECT_EQ(record.attempt.endpoint_id, EndpointNo(1));
  EXPECT_EQ(record.attempt.number, 3);
  EXPECT_EQ(record.attempt.origin, DeliveryOrigin::kRedelivery);
  EXPECT_EQ(record.attempt.start_time, started);
  EXPECT_EQ(record.attempt.outcome, AttemptOutcome::kSucceeded);
  EXPECT_EQ(record.attempt.http_status, 204);
  EXPECT_EQ(record.lease_token, 1010);
  EXPECT_EQ(record.state, DeliveryState::kSucceeded);
  EXPECT_EQ(record.state_reason, StateReason::kNone);
  EXPECT_FALSE(record.uses_retry);
  EXPECT_EQ(record.complete_time, started + absl::Milliseconds(40));
  EXPECT_FALSE(finished.disables_endpoint);
  EXPECT_EQ(dispatcher_->in_flight(), 0);
  EXPECT_EQ(dispatcher_->unrecorded(), 1);
}

TEST_F(ResultTest, AFailureWaitsForItsRetry) {
  const http::Request request = Start(0, 0);
  Pass(absl::Seconds(2));
  random_ = 0.25;
  const FinishedAttempt finished = Finish(Answer(request, 500));
  EXPECT_EQ(finished.record.attempt.number, 1);
  EXPECT_EQ(finished.record.attempt.outcome, AttemptOutcome::kHttpStatus);
  EXPECT_EQ(finished.record.state, DeliveryState::kPending);
  EXPECT_TRUE(finished.record.uses_retry);
  // From the end of the attempt, with a quarter of the jitter.
  EXPECT_EQ(finished.record.next_attempt_time, database_now_ + absl::Seconds(30.75));
}

TEST_F(ResultTest, TheStepOfTheScheduleFollowsTheFailuresNotTheNumber) {
  // Six attempts, of which three were abandoned.
  const http::Request request = Start(6, 3);
  const FinishedAttempt finished = Finish(Answer(request, 500));
  EXPECT_EQ(finished.record.attempt.number, 7);
  EXPECT_EQ(finished.record.state, DeliveryState::kPending);
  EXPECT_EQ(finished.record.next_attempt_time, database_now_ + absl::Hours(1));
}

TEST_F(ResultTest, RetryTimesStayInTheirRange) {
  const double kRandoms[] = {0.0, 0.3, 0.7, 0.9999999};
  for (int failures = 0; failures < 5; ++failures) {
    for (double random : kRandoms) {
      Restart({});
      random_ = random;
      const http::Request request = Start(failures, failures);
      const FinishedAttempt finished = Finish(Answer(request, 503));
      const absl::Duration delay = policy::DefaultSchedule()[static_cast<size_t>(failures)];
      EXPECT_GE(finished.record.next_attempt_time, database_now_ + delay);
      EXPECT_LT(finished.record.next_attempt_time, database_now_ + delay * 1.1);
    }
  }
}

TEST_F(ResultTest, TheFailureOfTheFifthRetryEndsTheDelivery) {
  const http::Request request = Start(5, 5);
  const FinishedAttempt finished = Finish(Answer(request, 500));
  EXPECT_EQ(finished.record.attempt.number, 6);
  EXPECT_EQ(finished.record.state, DeliveryState::kFailed);
  EXPECT_EQ(finished.record.state_reason, StateReason::kExhausted);
  EXPECT_EQ(finished.record.complete_time, database_now_);
}

TEST_F(ResultTest, TheScheduleInForceWhenTheAttemptFailsCounts) {
  const http::Request request = Start(1, 1);
  auto changed = TargetNo(1);
  changed->failure.retry.delays = {absl::Seconds(5), absl::Seconds(7)};
  Load({changed});
  const FinishedAttempt finished = Finish(Answer(request, 500));
  EXPECT_EQ(finished.record.next_attempt_time, database_now_ + absl::Seconds(7));
}

TEST_F(ResultTest, AFailureWaitsForNewsOfItsEndpointWhenWhatIsKnownIsOld) {
  const http::Request request = Start(0, 0);
  Advance(absl::Seconds(8));  // stopped, or cut off
  const absl::Time failed = database_now_;
  AnswerAll({request}, 500);
  EXPECT_THAT(Run().finished, IsEmpty());
  EXPECT_EQ(dispatcher_->unrecorded(), 1);
  // However long that takes: without news nothing starts either.
  Advance(absl::Minutes(1));
  EXPECT_THAT(Run().finished, IsEmpty());
  auto changed = TargetNo(1);
  changed->failure.retry.delays = {absl::Seconds(90)};
  Load({changed});
  const Turn turn = Run();
  ASSERT_THAT(turn.finished, SizeIs(1));
  EXPECT_EQ(turn.finished[0].record.complete_time, failed);
  EXPECT_EQ(turn.finished[0].record.next_attempt_time, failed + absl::Seconds(90));
  EXPECT_EQ(dispatcher_->unrecorded(), 1);
}

TEST_F(ResultTest, NewsOfALittleWhileAgoIsNewEnough) {
  const http::Request request = Start(0, 0);
  Advance(absl::Milliseconds(750));
  EXPECT_EQ(Finish(Answer(request, 500)).record.state, DeliveryState::kPending);
}

TEST_F(ResultTest, ASuccessNeedsNoNews) {
  const http::Request request = Start(0, 0);
  Advance(absl::Seconds(8));
  EXPECT_EQ(Finish(Answer(request, 200)).record.state, DeliveryState::kSucceeded);
}

TEST_F(ResultTest, RetriesDisabledMeanwhileEndTheDelivery) {
  const http::Request request = Start(0, 0);
  auto changed = TargetNo(1);
  changed->failure.retry.retries_disabled = true;
  Load({changed});
  EXPECT_EQ(Finish(Answer(request, 500)).record.state_reason, StateReason::kExhausted);
}

TEST_F(ResultTest, GoneFailsTheDeliveryAndDisablesTheEndpoint) {
  const http::Request request = Start(0, 0);
  const FinishedAttempt finished = Finish(Answer(request, 410));
  EXPECT_EQ(finished.record.state, DeliveryState::kFailed);
  EXPECT_EQ(finished.record.state_reason, StateReason::kGone);
  EXPECT_TRUE(finished.disables_endpoint);
}

TEST_F(ResultTest, GoneIsAFailureLikeOthersWhenTurnedOff) {
  auto target = TargetNo(1);
  target->failure.disable_on_gone = false;
  const http::Request request = Start(0, 0, target);
  const FinishedAttempt finished = Finish(Answer(request, 410));
  EXPECT_EQ(finished.record.state, DeliveryState::kPending);
  EXPECT_FALSE(finished.disables_endpoint);
}

TEST_F(ResultTest, TheThresholdOfTheEndpointGoesToTheRecorder) {
  auto target = TargetNo(1);
  target->disable_threshold = 7;
  EXPECT_EQ(Finish(Answer(Start(0, 0, target), 500)).disable_threshold, 7);
}

TEST_F(ResultTest, AnAttemptOfAnEndpointDisabledUnderItIsRecordedAllTheSame) {
  const http::Request request = Start(0, 0);
  auto disabled = TargetNo(1);
  disabled->state = EndpointState::kDisabled;
  Load({disabled});
  EXPECT_EQ(Finish(Answer(request, 200)).record.state, DeliveryState::kSucceeded);
}

TEST_F(ResultTest, AResultIsTakenOnce) {
  const http::Request request = Start(0, 0);
  AnswerAll({request, request}, 200);
  EXPECT_THAT(Run().finished, SizeIs(1));
  AnswerAll({request}, 200);
  EXPECT_THAT(Run().finished, IsEmpty());
  EXPECT_EQ(dispatcher_->unrecorded(), 1);
}

TEST_F(ResultTest, AnEndIsNeverBeforeItsStart) {
  const http::Request request = Start(0, 0);
  const absl::Time started = database_now_;
  database_now_ -= absl::Seconds(1);
  const FinishedAttempt finished = Finish(Answer(request, 200));
  EXPECT_EQ(finished.record.attempt.start_time, started);
  EXPECT_EQ(finished.record.complete_time, started);
}

TEST_F(ResultTest, ResultsKeepTheOrderInWhichTheyCame) {
  AddWork(1, 10, 4);
  Load({TargetNo(1)});
  std::vector<http::Request> requests = Run().requests;
  ASSERT_THAT(requests, SizeIs(4));
  std::swap(requests[0], requests[3]);
  AnswerAll(requests, 200);
  const Turn turn = Run();
  ASSERT_THAT(turn.finished, SizeIs(4));
  EXPECT_EQ(turn.finished[0].record.attempt.delivery_id, DeliveryNo(13));
  EXPECT_EQ(turn.finished[3].record.attempt.delivery_id, DeliveryNo(10));
}

}  // namespace
}  // namespace postrider::dispatch

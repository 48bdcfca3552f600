// Our own outage is not the endpoints', and endpoints that are slow or down leave room for others.

#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/http/url.h"
#include "tests/dispatch/dispatcher_test_base.h"

namespace postrider::dispatch {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

class OutageTest : public DispatcherTest {
 protected:
  static constexpr int kHosts = 20;

  // Endpoints 1 to kHosts, each on a host of its own.
  OutageTest() {
    std::vector<std::shared_ptr<const Target>> targets;
    for (int n = 1; n <= kHosts; ++n) {
      auto target = TargetNo(n);
      target->url = http::CheckUrl(absl::StrCat("https://h", n, ".example.com/"), {}).value();
      target->disable_threshold = 50;
      targets.push_back(target);
      AddWork(n, 100 * n, 1);
    }
    Load(targets);
    // All of them are known, and well.
    AnswerAll(Run().requests, 200);
    EXPECT_THAT(Run().finished, SizeIs(kHosts));
    dispatcher_->AddRecorded({kHosts, {}, {}});
    Pass(absl::Seconds(1));
  }

  void Fail(const std::vector<http::Request>& requests, http::TransferError error) {
    std::vector<http::Result> results;
    for (const http::Request& request : requests) {
      http::Result result;
      result.id = request.id;
      result.error = error;
      result.error_text = "it did not work";
      results.push_back(std::move(result));
    }
    dispatcher_->AddResults(std::move(results), now_, database_now_);
  }

  // One more delivery for endpoints `first` to `last`, started.
  std::vector<http::Request> Start(int first, int last) {
    for (int n = first; n <= last; ++n) AddWork(n, 100 * n + ++extra_, 1);
    return Run().requests;
  }

  // Everybody is out of reach.
  void CutOff() {
    const std::vector<http::Request> requests = Start(1, kHosts);
    ASSERT_THAT(requests, SizeIs(kHosts));
    Pass(absl::Seconds(1));
    Fail(requests, http::TransferError::kConnection);
    Run();
    ASSERT_TRUE(dispatcher_->in_outage());
  }

  int extra_ = 0;
};

TEST_F(OutageTest, FailuresOfAnOutageCountForNothingAndUseUpNoRetry) {
  const std::vector<http::Request> requests = Start(1, kHosts);
  ASSERT_THAT(requests, SizeIs(kHosts));
  Pass(absl::Seconds(1));
  Fail({requests.begin(), requests.begin() + 9}, http::TransferError::kDns);
  // Nine of them could still be to blame themselves: nothing is said yet.
  EXPECT_THAT(Run().finished, IsEmpty());
  EXPECT_FALSE(dispatcher_->in_outage());
  EXPECT_EQ(dispatcher_->unrecorded(), 9);
  Pass(absl::Seconds(1));
  Fail({requests.begin() + 9, requests.end()}, http::TransferError::kTimeout);
  const Turn turn = Run();
  EXPECT_TRUE(dispatcher_->in_outage());
  ASSERT_THAT(turn.finished, SizeIs(kHosts));
  for (const FinishedAttempt& finished : turn.finished) {
    EXPECT_FALSE(finished.counts);
    EXPECT_FALSE(finished.record.uses_retry);
    EXPECT_EQ(finished.record.state, DeliveryState::kPending);
    EXPECT_EQ(finished.record.next_attempt_time,
              finished.record.complete_time + policy::kOutageRetry);
    // It is in the log as what it was.
    EXPECT_NE(finished.record.attempt.outcome, AttemptOutcome::kSucceeded);
    EXPECT_EQ(finished.record.attempt.error, "it did not work");
  }
}

TEST_F(OutageTest, WhileItLastsOneEndpointIsTriedEvery200Milliseconds) {
  CutOff();
  for (int n = 1; n <= kHosts; ++n) AddWork(n, 100 * n + 50, 1);
  std::vector<http::Request> first = Run().requests;
  EXPECT_THAT(first, SizeIs(1));
  EXPECT_THAT(Run().requests, IsEmpty());
  Pass(policy::kProbeInterval - absl::Nanoseconds(1));
  EXPECT_THAT(Run().requests, IsEmpty());
  Pass(absl::Nanoseconds(1));
  std::vector<http::Request> second = Run().requests;
  ASSERT_THAT(second, SizeIs(1));
  EXPECT_NE(first[0].url.host(), second[0].url.host());
}

TEST_F(OutageTest, AProbeThatFailsCountsForNothing) {
  CutOff();
  const std::vector<http::Request> probe = Start(3, 3);
  ASSERT_THAT(probe, SizeIs(1));
  Pass(absl::Seconds(1));
  Fail(probe, http::TransferError::kConnection);
  const Turn turn = Run();
  ASSERT_THAT(turn.finished, SizeIs(1));
  EXPECT_FALSE(turn.finished[0].counts);
  EXPECT_FALSE(turn.finished[0].record.uses_retry);
}

TEST_F(OutageTest, WhenProbesAreAnsweredEverythingFlowsAgain) {
  CutOff();
  for (int n = 1; n <= kHosts; ++n) AddWork(n, 100 * n + 50, 1);
  int answered = 0;
  size_t flowed = 0;
  while (dispatcher_->in_outage()) {
    ASSERT_LT(++answered, 10);
    const std::vector<http::Request> probe = Run().requests;
    ASSERT_THAT(probe, SizeIs(1));
    AnswerAll(probe, 200);
    Pass(policy::kProbeInterval);
    flowed = Run().requests.size();
    if (dispatcher_->in_outage()) {
      EXPECT_THAT(flowed, testing::Le(1u));
      if (flowed == 1) Pass(policy::kProbeInterval);
    }
  }
  EXPECT_GT(flowed, 5u);
}

TEST_F(OutageTest, OneHostThatIsDownIsToBlameItselfAsSoonAsOthersAnswer) {
  const std::vector<http::Request> requests = Start(1, 3);
  Fail({requests[0]}, http::TransferError::kConnection);
  EXPECT_THAT(Run().finished, IsEmpty());
  Pass(absl::Milliseconds(30));
  AnswerAll({requests[1]}, 200);
  EXPECT_THAT(Run().finished, SizeIs(1));
  Pass(absl::Milliseconds(30));
  AnswerAll({requests[2]}, 500);  // an answer all the same
  const Turn turn = Run();
  ASSERT_THAT(turn.finished, SizeIs(2));
  const FinishedAttempt& finished = turn.finished[1];
  EXPECT_EQ(finished.record.attempt.outcome, AttemptOutcome::kConnection);
  EXPECT_TRUE(finished.counts);
  EXPECT_TRUE(finished.record.uses_retry);
  // Counted from its end, not from the verdict.
  EXPECT_EQ(finished.record.next_attempt_time, finished.record.complete_time + absl::Seconds(30));
  EXPECT_EQ(finished.record.complete_time, database_now_ - absl::Milliseconds(60));
}

TEST_F(OutageTest, AVerdictIsWaitedForTenSecondsAtMost) {
  Fail(Start(1, 1), http::TransferError::kConnection);
  EXPECT_THAT(Run().finished, IsEmpty());
  Pass(policy::kOutageWindow - absl::Nanoseconds(1));
  EXPECT_THAT(Run().finished, IsEmpty());
  Pass(absl::Milliseconds(20));
  const Turn turn = Run();
  ASSERT_THAT(turn.finished, SizeIs(1));
  EXPECT_TRUE(turn.finished[0].counts);
}

TEST_F(OutageTest, AVerdictIsNotWaitedForLongerThanTheLeaseAllows) {
  // Held for 12 s, and an attempt may take 15 s: what ends after 24 s has 3 s left.
  const std::vector<http::Request> requests = Start(1, 1);
  Pass(absl::Seconds(24));
  Fail(requests, http::TransferError::kTimeout);
  EXPECT_THAT(Run().finished, IsEmpty());
  Pass(absl::Seconds(3));
  EXPECT_THAT(Run().finished, SizeIs(1));
}

TEST_F(OutageTest, ADrainWaitsForNoVerdict) {
  Fail(Start(1, 1), http::TransferError::kConnection);
  EXPECT_THAT(Run().finished, IsEmpty());
  dispatcher_->Drain();
  EXPECT_THAT(Run().finished, SizeIs(1));
}

TEST_F(OutageTest, AnEndpointKeepsItsSlotUntilTheVerdict) {
  auto target = TargetNo(1);
  target->url = http::CheckUrl("https://h1.example.com/", {}).value();
  target->max_in_flight = 1;
  Load({target});
  Fail(Start(1, 1), http::TransferError::kConnection);
  EXPECT_THAT(Start(1, 1), IsEmpty());
}

TEST_F(DispatcherTest, WhereFewHostsAreKnownNoVerdictIsWaitedFor) {
  AddWork(1, 10, 1);
  Load({TargetNo(1)});
  http::Result refused = Answer(Run().requests.at(0), 0);
  refused.error = http::TransferError::kConnection;
  EXPECT_TRUE(Finish(std::move(refused)).record.uses_retry);
}

TEST_F(DispatcherTest, WhatDidNotGetItsTurnInsideTheHttpLoopIsGivenBack) {
  AddWork(1, 10, 1);
  Load({TargetNo(1)});
  const Turn turn = Run();
  ASSERT_THAT(turn.requests, SizeIs(1));
  // A second after the last look for changes of its endpoint.
  EXPECT_EQ(turn.requests[0].start_by, now_ + absl::Seconds(1));
  http::Result late = Answer(turn.requests[0], 0);
  late.error = http::TransferError::kNotStarted;
  std::vector<http::Result> results;
  results.push_back(std::move(late));
  dispatcher_->AddResults(std::move(results), now_, database_now_);
  const Turn after = Run();
  EXPECT_THAT(after.finished, IsEmpty());
  ASSERT_THAT(after.releases, SizeIs(1));
  EXPECT_EQ(after.releases[0].token, 1010);
  EXPECT_EQ(dispatcher_->in_flight(), 0);
  EXPECT_EQ(dispatcher_->unrecorded(), 0);
}

TEST_F(DispatcherTest, EndpointsThatAnswerSlowlyLeaveTheOthersTheirShare) {
  DispatchLimits limits;
  limits.max_in_flight = 100;
  Restart(limits);
  std::vector<std::shared_ptr<const Target>> targets;
  for (int n = 1; n <= 10; ++n) targets.push_back(TargetNo(n));
  for (int n = 1; n <= 4; ++n) AddWork(n, 1000 * n, 32);
  Load(targets);
  const Turn slow = Run();
  // Half of the slots to whoever comes first, and then a share each: 100 / 4.
  ASSERT_THAT(slow.requests, SizeIs(100));
  // Those that end make room for endpoints that have less than their share now.
  AnswerAll({slow.requests.begin(), slow.requests.begin() + 40}, 200);
  for (int n = 5; n <= 10; ++n) AddWork(n, 1000 * n, 1);
  Load(targets);
  EXPECT_THAT(DeliveriesOf(Run().requests), testing::IsSupersetOf({5000, 6000, 7000, 8000, 9000}));
}

TEST_F(DispatcherTest, FailuresThatOtherNodesSawSlowThisOneDown) {
  auto target = TargetNo(1);
  target->disable_threshold = 50;
  AddWork(1, 10, 30);
  Load({target});
  const Turn turn = Run();
  ASSERT_THAT(turn.requests, SizeIs(25));
  AnswerAll({turn.requests.begin(), turn.requests.end() - 20}, 200);
  dispatcher_->AddRecorded({5, {{EndpointNo(1), 40, DisabledReason::kNone}}, {}});
  // 20 are in flight, and 5 is what may be: half of what is left.
  EXPECT_THAT(Run().requests, IsEmpty());
}

}  // namespace
}  // namespace postrider::dispatch

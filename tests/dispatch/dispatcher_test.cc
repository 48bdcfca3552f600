// Turns between endpoints, limits of the node, and what is given back.

#include <algorithm>
#include <map>
#include <random>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/dispatch/dispatcher_test_base.h"

namespace postrider::dispatch {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

TEST_F(DispatcherTest, EndpointsAreServedInTurnOneAttemptEach) {
  AddWork(1, 10, 5);
  AddWork(2, 20, 2);
  AddWork(3, 30, 3);
  Load({TargetNo(1), TargetNo(2), TargetNo(3)});
  EXPECT_THAT(DeliveriesOf(Run().requests), ElementsAre(10, 20, 30, 11, 21, 31, 12, 32, 13, 14));
}

TEST_F(DispatcherTest, TheTurnGoesOnWhereTheNodesLimitStoppedIt) {
  DispatchLimits limits;
  limits.max_in_flight = 6;
  Restart(limits);
  for (int n : {1, 2, 3}) AddWork(n, 10 * n, 5);
  Load({TargetNo(1), TargetNo(2), TargetNo(3)});
  const Turn first = Run();
  EXPECT_THAT(DeliveriesOf(first.requests), ElementsAre(10, 20, 30, 11, 21, 31));
  EXPECT_THAT(Run().requests, IsEmpty());
  AnswerAll(first.requests, 200);
  EXPECT_THAT(DeliveriesOf(Run().requests), ElementsAre(12, 22, 32, 13, 23, 33));
}

TEST_F(DispatcherTest, ABurstIsSpreadOverTurnsThatFollowAtOnce) {
  std::vector<std::shared_ptr<const Target>> targets;
  for (int n = 1; n <= 30; ++n) {
    AddWork(n, 100 * n, 10);
    targets.push_back(TargetNo(n));
  }
  Load(targets);
  const Turn first = Run();
  EXPECT_THAT(first.requests, SizeIs(256));
  EXPECT_EQ(first.wake_at, now_);
  const Turn second = Run();
  EXPECT_THAT(second.requests, SizeIs(44));
  EXPECT_GT(second.wake_at, now_);
}

TEST_F(DispatcherTest, NeverMoreInFlightThanTheNodeMay) {
  DispatchLimits limits;
  limits.max_in_flight = 7;
  Restart(limits);
  AddWork(1, 100, 20);
  Load({TargetNo(1)});
  EXPECT_THAT(Run().requests, SizeIs(7));
  EXPECT_EQ(dispatcher_->in_flight(), 7);
  EXPECT_EQ(dispatcher_->queued(), 13);
}

TEST_F(DispatcherTest, NeverMoreInFlightThanTheEndpointMay) {
  auto target = TargetNo(1);
  target->max_in_flight = 3;
  AddWork(1, 10, 8);
  Load({target});
  const Turn turn = Run();
  EXPECT_THAT(DeliveriesOf(turn.requests), ElementsAre(10, 11, 12));
  AnswerAll({turn.requests[1]}, 200);
  EXPECT_THAT(DeliveriesOf(Run().requests), ElementsAre(13));
}

TEST_F(DispatcherTest, ASlowEndpointCostsTheOthersNothing) {
  auto slow = TargetNo(1);
  slow->max_in_flight = 2;
  AddWork(1, 100, 50);
  AddWork(2, 200, 3);
  Load({slow, TargetNo(2)});
  EXPECT_THAT(DeliveriesOf(Run().requests), ElementsAre(100, 200, 101, 201, 202));
  for (int n = 203; n < 240; ++n) {
    AddWork(2, n, 1);
    const Turn turn = Run();
    EXPECT_THAT(DeliveriesOf(turn.requests), ElementsAre(n));
    AnswerAll(turn.requests, 200);
  }
}

TEST_F(DispatcherTest, AFailingEndpointIsPacedAndWokenFor) {
  auto failing = TargetNo(1);
  failing->max_in_flight = 1;
  AddWork(1, 10, 5);
  Load({failing});
  AnswerAll(Run().requests, 500);
  const Turn turn = Run();
  EXPECT_THAT(turn.requests, IsEmpty());
  EXPECT_EQ(turn.wake_at, now_ + absl::Milliseconds(100));
  Pass(absl::Milliseconds(99));
  EXPECT_THAT(Run().requests, IsEmpty());
  Pass(absl::Milliseconds(1));
  EXPECT_THAT(DeliveriesOf(Run().requests), ElementsAre(11));
}

TEST_F(DispatcherTest, ARateSpacesTheStarts) {
  auto target = TargetNo(1);
  target->rate_per_second = 10;
  AddWork(1, 10, 5);
  Load({target});
  const Turn turn = Run();
  EXPECT_THAT(DeliveriesOf(turn.requests), ElementsAre(10));
  EXPECT_EQ(turn.wake_at, now_ + absl::Milliseconds(100));
  Pass(absl::Milliseconds(100));
  EXPECT_THAT(DeliveriesOf(Run().requests), ElementsAre(11));
}

TEST_F(DispatcherTest, TooManyUnrecordedOutcomesStopTheStarts) {
  DispatchLimits limits;
  limits.max_unrecorded = 3;
  Restart(limits);
  auto target = TargetNo(1);
  target->max_in_flight = 3;
  AddWork(1, 10, 9);
  Load({target});
  AnswerAll(Run().requests, 200);
  EXPECT_EQ(dispatcher_->unrecorded(), 3);
  EXPECT_THAT(Run().requests, IsEmpty());
  dispatcher_->AddRecorded({1, {}, {}});
  EXPECT_EQ(dispatcher_->unrecorded(), 2);
  EXPECT_THAT(DeliveriesOf(Run().requests), ElementsAre(13, 14, 15));
}

TEST_F(DispatcherTest, NothingStartsWhileOutcomesWaitTooLongToBeRecorded) {
  auto target = TargetNo(1);
  target->max_in_flight = 1;
  AddWork(1, 10, 4);
  Load({target});
  AnswerAll(Run().requests, 200);
  Pass(absl::Seconds(1));
  AnswerAll(Run().requests, 200);
  Pass(absl::Seconds(1) + absl::Milliseconds(1));
  EXPECT_THAT(Run().requests, IsEmpty());
  dispatcher_->AddRecorded({1, {}, {}});
  EXPECT_THAT(DeliveriesOf(Run().requests), ElementsAre(12));
}

TEST_F(DispatcherTest, WorkThatIsNotStartedInTimeIsGivenBack) {
  auto target = TargetNo(1);
  target->max_in_flight = 1;
  AddWork(1, 10, 3);
  Load({target});
  EXPECT_THAT(DeliveriesOf(Run().requests), ElementsAre(10));
  Pass(absl::Seconds(12) - absl::Nanoseconds(1));
  EXPECT_THAT(Run().releases, IsEmpty());
  Pass(absl::Seconds(1));
  const Turn turn = Run();
  EXPECT_THAT(DeliveriesOf(turn.releases), ElementsAre(11, 12));
  EXPECT_EQ(turn.releases[0].token, 1011);
  EXPECT_THAT(turn.requests, IsEmpty());
  EXPECT_EQ(dispatcher_->queued(), 0);
  // What is in flight goes on.
  EXPECT_EQ(dispatcher_->in_flight(), 1);
}

TEST_F(DispatcherTest, WorkPastItsHoldIsNotStartedEvenIfItsTurnComes) {
  AddWork(1, 10, 2);
  Advance(absl::Seconds(12));
  AddWork(1, 12, 1);
  Pass(absl::ZeroDuration());
  Load({TargetNo(1)});
  const Turn turn = Run();
  EXPECT_THAT(DeliveriesOf(turn.releases), ElementsAre(10, 11));
  EXPECT_THAT(DeliveriesOf(turn.requests), ElementsAre(12));
}

TEST_F(DispatcherTest, WorkOfAnEndpointThatCannotBeReadIsGivenBackInTime) {
  AddWork(1, 10, 2);
  Run();
  Pass(absl::Seconds(13));
  EXPECT_THAT(DeliveriesOf(Run().releases), ElementsAre(10, 11));
}

TEST_F(DispatcherTest, ANodeWithoutAShareGivesWorkBack) {
  // Of two nodes the endpoint's one slot belongs to one.
  auto target = TargetNo(1);
  target->max_in_flight = 1;
  std::map<int, std::vector<int>> started;
  for (int self : {1, 2}) {
    Restart({});
    dispatcher_->SetCluster({self, {1, 2}});
    AddWork(1, 10, 1);
    Load({target});
    const Turn turn = Run();
    started[self] = DeliveriesOf(turn.requests);
    EXPECT_EQ(turn.requests.size() + turn.releases.size(), 1u);
  }
  EXPECT_EQ(started[1].size() + started[2].size(), 1u);
}

TEST_F(DispatcherTest, EndpointsOfOneSlotAreSpreadOverTheNodes) {
  const std::vector<int32_t> nodes = {3, 8, 21};
  std::map<int, int> owned;
  for (int endpoint = 1; endpoint <= 300; ++endpoint) {
    int owners = 0;
    for (int32_t self : nodes) {
      Restart({});
      dispatcher_->SetCluster({self, nodes});
      auto target = TargetNo(endpoint);
      target->max_in_flight = 1;
      AddWork(endpoint, 10, 1);
      Load({target});
      if (!Run().requests.empty()) {
        ++owners;
        ++owned[self];
      }
    }
    ASSERT_EQ(owners, 1) << endpoint;
  }
  for (int32_t self : nodes) EXPECT_GT(owned[self], 50) << self;
}

TEST_F(DispatcherTest, SharesOfTheClusterAddUpToTheEndpointsLimit) {
  const std::vector<int32_t> nodes = {1, 2, 3};
  size_t started = 0;
  for (int32_t self : nodes) {
    Restart({});
    dispatcher_->SetCluster({self, nodes});
    AddWork(1, 10, 100);
    Load({TargetNo(1)});
    started += Run().requests.size();
  }
  EXPECT_EQ(started, 32u);
}

TEST_F(DispatcherTest, DrainStartsNothingAndGivesBackWhatWaits) {
  auto target = TargetNo(1);
  target->max_in_flight = 1;
  AddWork(1, 10, 3);
  Load({target});
  const Turn before = Run();
  dispatcher_->Drain();
  const Turn turn = Run();
  EXPECT_THAT(turn.requests, IsEmpty());
  EXPECT_THAT(DeliveriesOf(turn.releases), ElementsAre(11, 12));
  // What is in flight is finished and recorded.
  AnswerAll(before.requests, 200);
  EXPECT_THAT(Run().finished, SizeIs(1));
}

TEST_F(DispatcherTest, DrainGivesBackWhatComesLater) {
  AddWork(1, 10, 1);
  Load({TargetNo(1)});
  Run();
  dispatcher_->Drain();
  AddWork(1, 11, 1);
  const Turn turn = Run();
  EXPECT_THAT(turn.requests, IsEmpty());
  EXPECT_THAT(DeliveriesOf(turn.releases), ElementsAre(11));
}

TEST_F(DispatcherTest, DrainGivesBackWorkOfEndpointsThatWereNotReadYet) {
  AddWork(1, 10, 2);
  dispatcher_->Drain();
  EXPECT_THAT(DeliveriesOf(Run().releases), ElementsAre(10, 11));
}

TEST_F(DispatcherTest, DrainGivesBackAlsoWhenTheNodeMayNotStartAnything) {
  AddWork(1, 10, 2);
  Load({TargetNo(1)});
  Advance(absl::Seconds(8));
  dispatcher_->Drain();
  EXPECT_THAT(DeliveriesOf(Run().releases), ElementsAre(10, 11));
}

TEST_F(DispatcherTest, EveryDeliveryIsStartedOrGivenBackExactlyOnce) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  std::map<int, int> seen;
  std::vector<http::Request> flying;
  int added = 0;
  int finished = 0;
  const auto take = [&](const Turn& turn) {
    for (int n : DeliveriesOf(turn.requests)) ++seen[n];
    for (int n : DeliveriesOf(turn.releases)) ++seen[n];
    flying.insert(flying.end(), turn.requests.begin(), turn.requests.end());
    finished += static_cast<int>(turn.finished.size());
    dispatcher_->AddRecorded({static_cast<int>(turn.finished.size()), {}, {}});
  };
  for (int step = 0; step < 3000; ++step) {
    Pass(absl::Milliseconds(random() % 400));
    const int endpoint = 1 + static_cast<int>(random() % 6);
    const int count = static_cast<int>(random() % 4);
    AddWork(endpoint, added, count);
    added += count;
    if (random() % 3 == 0) {
      auto target = TargetNo(endpoint);
      target->max_in_flight = 1 + static_cast<int>(random() % 3);
      target->disable_threshold = 20;
      if (random() % 8 == 0) target->state = EndpointState::kDisabled;
      Load({target});
    }
    std::shuffle(flying.begin(), flying.end(), random);
    while (!flying.empty() && random() % 3 != 0) {
      AnswerAll({flying.back()}, random() % 2 == 0 ? 200 : 500);
      flying.pop_back();
    }
    take(Run());
  }
  dispatcher_->Drain();
  AnswerAll(flying, 200);
  flying.clear();
  take(Run());
  Pass(absl::Seconds(20));
  take(Run());
  EXPECT_EQ(seen.size(), static_cast<size_t>(added));
  for (const auto& [delivery, times] : seen) ASSERT_EQ(times, 1) << delivery;
  EXPECT_EQ(dispatcher_->queued(), 0);
  EXPECT_EQ(dispatcher_->in_flight(), 0);
  EXPECT_EQ(dispatcher_->unrecorded(), 0);
  EXPECT_GT(finished, 100);
}

}  // namespace
}  // namespace postrider::dispatch

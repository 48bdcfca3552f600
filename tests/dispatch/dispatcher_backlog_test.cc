// What is claimed from the database, what is left there, and which endpoints are forgotten.

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/dispatch/dispatcher_test_base.h"

namespace postrider::dispatch {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class BacklogTest : public DispatcherTest {
 protected:
  // The endpoint's in-flight limit and its backlog, all known; gives the first order.
  std::vector<ClaimOrder> Open(int max_in_flight) {
    auto target = TargetNo(1);
    target->max_in_flight = max_in_flight;
    dispatcher_->AddBacklog({EndpointNo(1)});
    Load({target});
    return Run().orders;
  }
  void Claimed(const std::vector<ClaimOrder>& orders, int first, int count) {
    dispatcher_->AddClaimed(orders, Items(1, first, count));
  }
};

std::vector<int> CountsOf(const std::vector<ClaimOrder>& orders) {
  std::vector<int> counts;
  for (const ClaimOrder& order : orders) counts.push_back(order.count);
  return counts;
}

TEST_F(BacklogTest, AnEndpointIsReadBeforeAnythingIsClaimedForIt) {
  dispatcher_->AddBacklog({EndpointNo(1)});
  const Turn turn = Run();
  EXPECT_THAT(turn.loads, ElementsAre(EndpointNo(1)));
  EXPECT_THAT(turn.orders, IsEmpty());
  Load({TargetNo(1)});
  const Turn loaded = Run();
  ASSERT_THAT(loaded.orders, SizeIs(1));
  EXPECT_EQ(loaded.orders[0].endpoint_id, EndpointNo(1));
}

TEST_F(BacklogTest, AFirstOrderIsWhatMayBeInFlightAndHalfAgain) {
  EXPECT_THAT(CountsOf(Open(4)), ElementsAre(6));
}

TEST_F(BacklogTest, AnEndpointOfOneSlotIsGivenTwo) {
  EXPECT_THAT(CountsOf(Open(1)), ElementsAre(2));
}

TEST_F(BacklogTest, AFastEndpointIsGivenWhatItEndsInATenthOfASecond) {
  Claimed(Open(4), 100, 6);
  Turn turn = Run();
  // 4 attempts every 5 ms, for a while: 800 a second.
  for (int round = 0; round < 1000; ++round) {
    Pass(absl::Milliseconds(5));
    AnswerAll(turn.requests, 200);
    AddWork(1, 1000 + 4 * round, 4);
    turn = Run();
    dispatcher_->AddRecorded({static_cast<int>(turn.finished.size()), {}, {}});
  }
  dispatcher_->AddClaimed({{EndpointNo(1), 6}}, Items(1, 10000, 6));
  const std::vector<ClaimOrder> orders = Run().orders;
  ASSERT_THAT(orders, SizeIs(1));
  EXPECT_NEAR(orders[0].count, 80, 10);
}

TEST_F(BacklogTest, OneOrderIsUnderWayAtATime) {
  ASSERT_THAT(Open(4), SizeIs(1));
  dispatcher_->AddBacklog({EndpointNo(1)});
  Pass(absl::Seconds(2));
  EXPECT_THAT(Run().orders, IsEmpty());
}

TEST_F(BacklogTest, MoreIsAskedForWhenHalfOfWhatWaitsIsUsedUp) {
  Claimed(Open(8), 100, 12);
  Turn turn = Run();
  ASSERT_THAT(turn.requests, SizeIs(8));
  EXPECT_THAT(turn.orders, IsEmpty());  // 4 wait
  turn.requests.resize(1);
  AnswerAll(turn.requests, 200);
  turn = Run();
  ASSERT_THAT(turn.requests, SizeIs(1));
  EXPECT_THAT(turn.orders, IsEmpty());  // 3 wait
  AnswerAll(turn.requests, 200);
  turn = Run();
  EXPECT_THAT(turn.requests, SizeIs(1));
  EXPECT_THAT(CountsOf(turn.orders), ElementsAre(2));
}

TEST_F(BacklogTest, AShortClaimIsTheEndOfTheBacklog) {
  Claimed(Open(4), 100, 5);
  Turn turn = Run();
  EXPECT_THAT(dispatcher_->Congested(), IsEmpty());
  while (!turn.requests.empty()) {
    EXPECT_THAT(turn.orders, IsEmpty());
    AnswerAll(turn.requests, 200);
    turn = Run();
  }
  EXPECT_THAT(turn.orders, IsEmpty());
  EXPECT_EQ(dispatcher_->queued(), 0);
}

TEST_F(BacklogTest, AnEmptyClaimIsTheEndOfTheBacklog) {
  Claimed(Open(4), 100, 0);
  EXPECT_THAT(Run().orders, IsEmpty());
  EXPECT_THAT(dispatcher_->Congested(), IsEmpty());
  // Until something is found again.
  dispatcher_->AddBacklog({EndpointNo(1)});
  EXPECT_THAT(CountsOf(Run().orders), ElementsAre(6));
}

TEST_F(BacklogTest, AFailedClaimIsTakenUpByTheNextSearch) {
  dispatcher_->AddClaimFailed(Open(4));
  EXPECT_THAT(Run().orders, IsEmpty());
  dispatcher_->AddBacklog({EndpointNo(1)});
  EXPECT_THAT(CountsOf(Run().orders), ElementsAre(6));
}

TEST_F(BacklogTest, NothingIsClaimedForADisabledEndpoint) {
  auto target = TargetNo(1);
  target->state = EndpointState::kDisabled;
  dispatcher_->AddBacklog({EndpointNo(1)});
  Load({target});
  EXPECT_THAT(Run().orders, IsEmpty());
  // And what is held goes on when it is enabled.
  Load({TargetNo(1)});
  EXPECT_THAT(Run().orders, SizeIs(1));
}

TEST_F(BacklogTest, NothingIsClaimedWhileDraining) {
  dispatcher_->Drain();
  EXPECT_THAT(Open(4), IsEmpty());
}

TEST_F(BacklogTest, NothingIsClaimedBeforeTheNodeHasJoined) {
  dispatcher_->SetStanding({now_ + absl::Seconds(2), now_ + absl::Seconds(7)});
  Run();
  EXPECT_THAT(Open(4), IsEmpty());
  Pass(absl::Seconds(2));
  EXPECT_THAT(CountsOf(Run().orders), ElementsAre(6));
}

TEST_F(BacklogTest, NothingIsClaimedByANodeWithoutAShare) {
  int orders = 0;
  for (int self : {1, 2}) {
    Restart({});
    dispatcher_->SetCluster({self, {1, 2}});
    orders += static_cast<int>(Open(1).size());
  }
  EXPECT_EQ(orders, 1);
}

TEST_F(BacklogTest, NothingIsClaimedWhenTheNodesQueueIsFull) {
  DispatchLimits limits;
  limits.max_queued = 5;
  Restart(limits);
  AddWork(2, 20, 5);  // its endpoint is not read yet
  EXPECT_THAT(Open(4), IsEmpty());
}

TEST_F(BacklogTest, NothingIsClaimedWhenTheBodiesTakeTooMuchRoom) {
  DispatchLimits limits;
  limits.max_queued_bytes = 16;
  Restart(limits);
  AddWork(2, 20, 2);  // two bodies of 8 bytes
  EXPECT_THAT(Open(4), IsEmpty());
}

TEST_F(BacklogTest, AFailingEndpointIsClaimedForInSmallPortions) {
  Claimed(Open(8), 100, 12);
  Turn turn = Run();
  AnswerAll(turn.requests, 500);
  Run();
  // At one slot nothing is needed beyond the 4 that wait here; when they are given back, two are.
  Pass(absl::Seconds(13));
  turn = Run();
  EXPECT_THAT(turn.releases, SizeIs(4));
  Pass(absl::Seconds(1));
  const Turn later = Run();
  turn.orders.insert(turn.orders.end(), later.orders.begin(), later.orders.end());
  EXPECT_THAT(CountsOf(turn.orders), ElementsAre(2));
}

TEST_F(BacklogTest, WhatWaitsOfAnEndpointIsGivenBackWhenSomeOfItWasCanceled) {
  auto target = TargetNo(1);
  target->max_in_flight = 1;
  AddWork(1, 10, 3);
  AddWork(2, 20, 1);
  Load({target, TargetNo(2)});
  const Turn first = Run();
  ASSERT_THAT(first.requests, SizeIs(2));
  Advance(absl::Milliseconds(1));
  // What was leased since that was known cannot be what was canceled before.
  AddWork(1, 13, 1);
  dispatcher_->AddNews({{}, {EndpointNo(1), EndpointNo(2), EndpointNo(3)}, now_, now_});
  const Turn turn = Run();
  EXPECT_THAT(DeliveriesOf(turn.releases), ElementsAre(11, 12));
  AnswerAll(first.requests, 200);
  const Turn next = Run();
  EXPECT_THAT(DeliveriesOf(next.requests), ElementsAre(13));
  // What is left of it is claimed again.
  ASSERT_THAT(next.orders, SizeIs(1));
  EXPECT_EQ(next.orders[0].endpoint_id, EndpointNo(1));
}

TEST_F(BacklogTest, WhatAClaimBroughtFromBeforeTheCancelIsGivenBackToo) {
  const std::vector<ClaimOrder> orders = Open(4);
  std::vector<WorkItem> items = Items(1, 100, 2);
  Advance(absl::Milliseconds(1));
  dispatcher_->AddNews({{}, {EndpointNo(1)}, now_, now_});
  dispatcher_->AddClaimed(orders, std::move(items));
  const Turn turn = Run();
  EXPECT_THAT(turn.requests, IsEmpty());
  EXPECT_THAT(DeliveriesOf(turn.releases), ElementsAre(100, 101));
}

TEST_F(BacklogTest, OrdersUnderWayAreCounted) {
  const std::vector<ClaimOrder> orders = Open(4);
  EXPECT_EQ(dispatcher_->orders(), 1);
  dispatcher_->Drain();
  Claimed(orders, 100, 6);
  EXPECT_EQ(dispatcher_->orders(), 0);
  // What came too late is given back.
  EXPECT_THAT(Run().releases, SizeIs(6));
}

TEST_F(BacklogTest, AnEndpointWithABacklogIsCongested) {
  ASSERT_THAT(Open(4), SizeIs(1));
  EXPECT_THAT(dispatcher_->Congested(), ElementsAre(EndpointNo(1)));
}

TEST_F(BacklogTest, AnEndpointIsCongestedWhenItsQueueIsFullHere) {
  auto target = TargetNo(1);
  target->max_in_flight = 8;  // 4 may wait behind them
  AddWork(1, 10, 1);
  Load({target});
  Run();
  AddWork(1, 11, 11);
  EXPECT_THAT(dispatcher_->Congested(), ElementsAre(EndpointNo(1)));
  Turn turn = Run();  // 7 more start, 4 wait
  turn.requests.resize(1);
  AnswerAll(turn.requests, 200);
  EXPECT_THAT(dispatcher_->Congested(), IsEmpty());
}

TEST_F(BacklogTest, OnlyCongestedEndpointsAreNamed) {
  AddWork(2, 20, 1);
  Load({TargetNo(2)});
  dispatcher_->AddBacklog({EndpointNo(1), EndpointNo(3)});
  Load({TargetNo(1), TargetNo(3)});
  Run();
  std::vector<EndpointId> congested = dispatcher_->Congested();
  std::sort(congested.begin(), congested.end());
  EXPECT_THAT(congested, ElementsAre(EndpointNo(1), EndpointNo(3)));
}

// Whether the dispatcher still knows endpoint 1: one that it forgot is read again.
bool Knows(Dispatcher& dispatcher, std::vector<WorkItem> items, Instant now, absl::Time time) {
  dispatcher.AddWork(std::move(items));
  return dispatcher.Run(now, time).loads.empty();
}

TEST_F(BacklogTest, AnIdleEndpointIsForgottenAfterTenMinutes) {
  AddWork(1, 10, 1);
  Load({TargetNo(1)});
  AnswerAll(Run().requests, 200);
  Run();
  for (int second = 0; second < 602; ++second) {
    Pass(absl::Seconds(1));
    Run();
  }
  EXPECT_FALSE(Knows(*dispatcher_, Items(1, 11, 1), now_, database_now_));
}

TEST_F(BacklogTest, AnEndpointInUseIsKept) {
  AddWork(1, 10, 1);
  Load({TargetNo(1)});
  AnswerAll(Run().requests, 200);
  Run();
  for (int second = 0; second < 590; ++second) {
    Pass(absl::Seconds(1));
    Run();
  }
  EXPECT_TRUE(Knows(*dispatcher_, Items(1, 11, 1), now_, database_now_));
  AnswerAll(Run().requests, 200);
}

TEST_F(BacklogTest, AnEndpointWithAnAttemptInFlightIsKept) {
  AddWork(1, 10, 1);
  Load({TargetNo(1)});
  const Turn turn = Run();
  Pass(absl::Minutes(30));
  Run();
  AnswerAll(turn.requests, 200);
  const Turn after = Run();
  EXPECT_THAT(after.finished, SizeIs(1));
  EXPECT_THAT(after.loads, IsEmpty());
}

}  // namespace
}  // namespace postrider::dispatch

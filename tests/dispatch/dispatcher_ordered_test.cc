// An ordered endpoint has one attempt at a time, and the next one is claimed when the outcome
// before it is stored.

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

class OrderedTest : public DispatcherTest {
 protected:
  static std::shared_ptr<Target> OrderedNo(int n) {
    auto target = TargetNo(n);
    target->ordered = true;
    target->max_in_flight = 1;
    return target;
  }
  // Work was accepted for endpoint 1, which is read; gives the orders.
  std::vector<ClaimOrder> Open() {
    dispatcher_->AddBacklog({EndpointNo(1)});
    Load({OrderedNo(1)});
    return Run().orders;
  }
  std::vector<WorkItem> InOrder(int first, int count) const {
    std::vector<WorkItem> items = Items(1, first, count);
    for (WorkItem& item : items) item.in_order = true;
    return items;
  }
  void Claimed(const std::vector<ClaimOrder>& orders, std::vector<WorkItem> items) {
    dispatcher_->AddClaimed(orders, std::move(items));
  }
  void Stored(const Turn& turn) {
    Recorded recorded;
    for (const FinishedAttempt& finished : turn.finished) {
      ++recorded.count;
      if (finished.in_order) recorded.in_order.push_back(finished.record.attempt.endpoint_id);
    }
    dispatcher_->AddRecorded(recorded);
  }
};

TEST_F(OrderedTest, OneIsClaimedAtATime) {
  const std::vector<ClaimOrder> orders = Open();
  ASSERT_THAT(orders, SizeIs(1));
  EXPECT_EQ(orders[0].count, 1);
  EXPECT_TRUE(orders[0].ordered);
  Claimed(orders, InOrder(10, 1));
  const Turn turn = Run();
  EXPECT_THAT(DeliveriesOf(turn.requests), ElementsAre(10));
  EXPECT_THAT(turn.orders, IsEmpty());
  // Nothing waits here behind the one in flight.
  dispatcher_->AddBacklog({EndpointNo(1)});
  Pass(absl::Seconds(2));
  EXPECT_THAT(Run().orders, IsEmpty());
}

TEST_F(OrderedTest, TheNextIsClaimedWhenTheOutcomeIsStoredAndNotBefore) {
  Claimed(Open(), InOrder(10, 1));
  Turn turn = Run();
  AnswerAll(turn.requests, 200);
  turn = Run();
  ASSERT_THAT(turn.finished, SizeIs(1));
  EXPECT_TRUE(turn.finished[0].in_order);
  EXPECT_THAT(turn.orders, IsEmpty());
  Pass(absl::Seconds(2));
  EXPECT_THAT(Run().orders, IsEmpty());
  Stored(turn);
  EXPECT_THAT(Run().orders, SizeIs(1));
}

TEST_F(OrderedTest, WhatIsAcceptedWhileAClaimRunsIsClaimedForWithoutASearch) {
  std::vector<ClaimOrder> orders = Open();
  dispatcher_->AddBacklog({EndpointNo(1)});
  Claimed(orders, {});
  orders = Run().orders;
  ASSERT_THAT(orders, SizeIs(1));
  // Once: what nothing new was heard of waits for the next search.
  Claimed(orders, {});
  EXPECT_THAT(Run().orders, IsEmpty());
}

TEST_F(OrderedTest, AnEndpointThatBecomesOrderedHasOneAttemptAtATimeFromThenOn) {
  AddWork(1, 10, 4);
  auto unordered = TargetNo(1);
  unordered->max_in_flight = 2;
  Load({unordered});
  Turn turn = Run();
  ASSERT_THAT(turn.requests, SizeIs(2));
  Load({OrderedNo(1)});
  std::vector<http::Request> last = {turn.requests[1]};
  turn.requests.resize(1);
  AnswerAll(turn.requests, 200);
  EXPECT_THAT(Run().requests, IsEmpty());
  AnswerAll(last, 200);
  turn = Run();
  EXPECT_THAT(DeliveriesOf(turn.requests), ElementsAre(12));
  AnswerAll(turn.requests, 200);
  EXPECT_THAT(DeliveriesOf(Run().requests), ElementsAre(13));
}

TEST_F(OrderedTest, WhatWasAcceptedInOrderGoesOnWhenTheEndpointIsOrderedNoMore) {
  dispatcher_->AddBacklog({EndpointNo(1)});
  Load({TargetNo(1)});
  Turn turn = Run();
  ASSERT_THAT(turn.orders, SizeIs(1));
  EXPECT_FALSE(turn.orders[0].ordered);
  Claimed(turn.orders, InOrder(10, 1));
  turn = Run();
  EXPECT_THAT(turn.orders, IsEmpty());
  AnswerAll(turn.requests, 200);
  turn = Run();
  EXPECT_THAT(turn.orders, IsEmpty());
  Stored(turn);
  EXPECT_THAT(Run().orders, SizeIs(1));
}

TEST_F(OrderedTest, OneNodeHasIt) {
  int orders = 0;
  for (int self : {1, 2, 3}) {
    Restart({});
    dispatcher_->SetCluster({self, {1, 2, 3}});
    orders += static_cast<int>(Open().size());
  }
  EXPECT_EQ(orders, 1);
}

TEST_F(OrderedTest, ItIsNotNamedAmongTheCongestedBecauseNothingIsEverLeasedForIt) {
  ASSERT_THAT(Open(), SizeIs(1));
  EXPECT_THAT(dispatcher_->Congested(), IsEmpty());
}

TEST_F(OrderedTest, ItIsNotForgottenWhileAnOutcomeIsNotStored) {
  Claimed(Open(), InOrder(10, 1));
  Turn turn = Run();
  AnswerAll(turn.requests, 200);
  turn = Run();
  dispatcher_->AddClaimFailed({});
  Pass(absl::Minutes(30));
  EXPECT_THAT(Run().forget, IsEmpty());
  Stored(turn);
  const std::vector<ClaimOrder> orders = Run().orders;
  ASSERT_THAT(orders, SizeIs(1));
  Claimed(orders, {});
  Pass(absl::Minutes(30));
  EXPECT_THAT(Run().forget, ElementsAre(EndpointNo(1)));
}

TEST_F(OrderedTest, AProbeOfAnOutageOfOurOwnIsClaimedToo) {
  // Ten hosts that cannot be reached.
  std::vector<std::shared_ptr<const Target>> targets;
  for (int n = 2; n < 14; ++n) {
    auto target = TargetNo(n);
    target->url = http::CheckUrl("https://host" + std::to_string(n) + ".example.com/", {}).value();
    targets.push_back(target);
    AddWork(n, 100 + n, 1);
  }
  Load(targets);
  std::vector<http::Result> results;
  for (const http::Request& request : Run().requests) {
    http::Result result;
    result.id = request.id;
    result.error = http::TransferError::kConnection;
    results.push_back(result);
  }
  dispatcher_->AddResults(std::move(results), now_, database_now_);
  Pass(absl::Milliseconds(50));
  Run();
  ASSERT_TRUE(dispatcher_->in_outage());
  const std::vector<ClaimOrder> orders = Open();
  ASSERT_THAT(orders, SizeIs(1));
  EXPECT_EQ(orders[0].count, 1);
}

}  // namespace
}  // namespace postrider::dispatch

// Ordered endpoints: places in the queue, and that its head alone is claimed.

#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/storage/postgres/store_test_base.h"

namespace postrider {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr absl::Duration kLeaseTime = absl::Seconds(30);

class OrderedTest : public StoreTest {
 protected:
  EndpointId NewOrdered(const std::vector<std::string>& events = {}) {
    return NewEndpoint(events, std::nullopt, true);
  }
  void SetOrdered(EndpointId id, bool ordered) {
    const auto updated = endpoints_.Update(id, [&](Endpoint& endpoint) {
      endpoint.config.ordered = ordered;
      return absl::OkStatus();
    });
    ASSERT_TRUE(updated.ok()) << updated.status();
  }
  // An event for the endpoints of tenant_, accepted by node 1: its delivery.
  DeliveryId AcceptOne(const std::string& type = "t") {
    const auto results = Accept({MakeEvent(type)}, {1, kLeaseTime, {}});
    EXPECT_THAT(results[0].deliveries, SizeIs(1));
    return results[0].deliveries[0].id;
  }
  // As a node that knows the endpoint to be ordered.
  std::vector<ClaimedDelivery> ClaimHead(EndpointId id, int32_t node_no = 2) {
    const auto claimed = dispatch_.Claim({{id, 1, true}}, node_no, kLeaseTime);
    EXPECT_TRUE(claimed.ok()) << claimed.status();
    return claimed.ok() ? *claimed : std::vector<ClaimedDelivery>{};
  }
  static std::vector<DeliveryId> IdsOf(const std::vector<ClaimedDelivery>& claimed) {
    std::vector<DeliveryId> ids;
    for (const ClaimedDelivery& delivery : claimed) ids.push_back(delivery.id);
    return ids;
  }
  void RecordOf(const ClaimedDelivery& delivery, AttemptOutcome outcome) {
    ASSERT_TRUE(Record({OutcomeOf({delivery.id, delivery.event_id, delivery.endpoint_id,
                                   delivery.lease_token},
                                  outcome)})
                    .ok());
  }
  void Succeed(const ClaimedDelivery& delivery) { RecordOf(delivery, AttemptOutcome::kSucceeded); }
  void Fail(const ClaimedDelivery& delivery) { RecordOf(delivery, AttemptOutcome::kHttpStatus); }
  // What is due for a retry by now.
  void LetTimePass() {
    Execute("UPDATE open_deliveries SET next_attempt_time = next_attempt_time - interval '1 hour'");
  }
  // Claims and succeeds until nothing is there any more: in which order.
  std::vector<DeliveryId> DrainAll(EndpointId id) {
    std::vector<DeliveryId> order;
    for (;;) {
      const std::vector<ClaimedDelivery> claimed = ClaimHead(id);
      if (claimed.empty()) return order;
      EXPECT_THAT(claimed, SizeIs(1));
      order.push_back(claimed[0].id);
      Succeed(claimed[0]);
    }
  }
};

TEST_F(OrderedTest, WhatIsAcceptedForItHasAPlaceAndIsLeasedByNobody) {
  const EndpointId ordered = NewOrdered();
  const EndpointId other = NewEndpoint();
  const auto results = Accept({MakeEvent("t"), MakeEvent("t")}, {1, kLeaseTime, {}});
  for (const AcceptResult& result : results) {
    ASSERT_THAT(result.deliveries, SizeIs(2));
    for (const NewDelivery& delivery : result.deliveries) {
      EXPECT_EQ(delivery.leased, delivery.endpoint_id == other);
    }
  }
  EXPECT_THAT(Rows("SELECT endpoint_id = (SELECT endpoint_id FROM endpoints WHERE ordered), "
                   "sequence IS NOT NULL, lease_node FROM open_deliveries ORDER BY 1, sequence"),
              ElementsAre("f|f|1", "f|f|1", "t|t|", "t|t|"));
  // Places of one batch follow each other, and the second batch stands behind it.
  EXPECT_EQ(Value("SELECT max(sequence) - min(sequence) FROM open_deliveries"), "1");
  EXPECT_THAT(DrainAll(ordered), SizeIs(2));
}

TEST_F(OrderedTest, WhoPublishesWhenAnotherIsAnsweredStandsBehindIt) {
  const EndpointId id = NewOrdered();
  PgEventAcceptor other(Options(SessionKind::kHot), environments_, absl::Hours(24), RandomBits);
  std::vector<DeliveryId> accepted;
  for (int i = 0; i < 40; ++i) {
    // The event's own time and id say nothing: clocks of nodes may differ.
    NewEvent event = MakeEvent("t");
    event.create_time -= absl::Milliseconds(i * 7 % 11);
    event.id = EventId{Ulid::RandomAt(event.create_time, RandomBits)};
    EventAcceptor& by = i % 3 == 0 ? static_cast<EventAcceptor&>(other) : acceptor_;
    const auto results = by.Accept({event}, {0}, {i % 2, kLeaseTime, {}});
    ASSERT_TRUE(results.ok()) << results.status();
    accepted.push_back(results->at(0).deliveries.at(0).id);
  }
  EXPECT_EQ(DrainAll(id), accepted);
}

TEST_F(OrderedTest, InsideOneTransactionThePlaceInTheBatchCounts) {
  const EndpointId id = NewOrdered();
  std::vector<NewEvent> events;
  for (int i = 0; i < 300; ++i) {
    events.push_back(MakeEvent("t"));
    events.back().id = EventId{Ulid::RandomAt(events.back().create_time, RandomBits)};
  }
  std::vector<DeliveryId> accepted;
  for (const AcceptResult& result : Accept(events, {1, kLeaseTime, {}})) {
    accepted.push_back(result.deliveries.at(0).id);
  }
  EXPECT_EQ(DrainAll(id), accepted);
}

TEST_F(OrderedTest, WhatIsAcceptedIsDueAtOnceThoughItsNodesClockIsAhead) {
  const EndpointId id = NewOrdered();
  NewEvent event = MakeEvent("t");
  event.create_time += absl::Seconds(1);
  Accept({event}, {1, kLeaseTime, {}});
  EXPECT_THAT(ClaimHead(id), SizeIs(1));
}

TEST_F(OrderedTest, MoreEventsAtOnceThanThereArePlacesAreRefused) {
  const NewEvent event = MakeEvent("t");
  const std::vector<NewEvent> events(kMaxEventsAtOnce + 1, event);
  const std::vector<int32_t> batches(events.size(), 0);
  EXPECT_TRUE(absl::IsOutOfRange(acceptor_.Accept(events, batches, {}).status()));
}

TEST_F(OrderedTest, OneIsClaimedHoweverManyAreAskedFor) {
  const EndpointId id = NewOrdered();
  std::vector<DeliveryId> accepted;
  for (int i = 0; i < 3; ++i) accepted.push_back(AcceptOne());
  const auto claimed = dispatch_.Claim({{id, 10, false}}, 1, kLeaseTime);
  ASSERT_TRUE(claimed.ok()) << claimed.status();
  EXPECT_THAT(IdsOf(*claimed), ElementsAre(accepted[0]));
  EXPECT_TRUE(claimed->at(0).in_order);
  // And no other while it is under way, by no node.
  EXPECT_THAT(ClaimHead(id), IsEmpty());
  EXPECT_THAT(Claim(id, 10), IsEmpty());
  Succeed(claimed->at(0));
  EXPECT_THAT(IdsOf(ClaimHead(id)), ElementsAre(accepted[1]));
}

TEST_F(OrderedTest, AHeadThatWaitsForItsRetryHoldsBackWhatIsBehindIt) {
  const EndpointId id = NewOrdered();
  const DeliveryId first = AcceptOne();
  const DeliveryId second = AcceptOne();
  Fail(ClaimHead(id)[0]);
  EXPECT_THAT(ClaimHead(id), IsEmpty());
  const auto due = dispatch_.FindDue({}, 10);
  ASSERT_THAT(*due, SizeIs(1));
  EXPECT_FALSE(due->at(0).due);
  EXPECT_GT(due->at(0).next_attempt_time, DatabaseTime() + absl::Seconds(50));
  LetTimePass();
  EXPECT_TRUE(dispatch_.FindDue({}, 10)->at(0).due);
  const std::vector<ClaimedDelivery> again = ClaimHead(id);
  ASSERT_THAT(IdsOf(again), ElementsAre(first));
  EXPECT_EQ(again[0].attempt_count, 1);
  Succeed(again[0]);
  EXPECT_THAT(DrainAll(id), ElementsAre(second));
}

TEST_F(OrderedTest, AnEndpointWhoseHeadIsUnderWayIsNotDue) {
  const EndpointId id = NewOrdered();
  AcceptOne();
  AcceptOne();
  EXPECT_TRUE(dispatch_.FindDue({}, 10)->at(0).due);
  const std::vector<ClaimedDelivery> head = ClaimHead(id);
  const auto due = dispatch_.FindDue({}, 10);
  ASSERT_THAT(*due, SizeIs(1));
  EXPECT_FALSE(due->at(0).due);
  EXPECT_EQ(due->at(0).next_attempt_time, absl::InfiniteFuture());
  ASSERT_TRUE(dispatch_.Release({{head[0].id, head[0].lease_token}}).ok());
  EXPECT_TRUE(dispatch_.FindDue({}, 10)->at(0).due);
  EXPECT_THAT(IdsOf(ClaimHead(id)), ElementsAre(head[0].id));
}

TEST_F(OrderedTest, EndpointsOfBothKindsArePagedThroughById) {
  std::vector<EndpointId> all;
  for (int i = 0; i < 7; ++i) all.push_back(NewEndpoint({}, std::nullopt, i % 2 == 0));
  LeaveDue(2);
  SetOrdered(all[1], true);  // it has some of both
  LeaveDue(1);
  std::vector<EndpointId> found;
  for (EndpointId after;;) {
    const auto page = dispatch_.FindDue(after, 2);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const DueEndpoint& endpoint : *page) {
      EXPECT_TRUE(endpoint.due);
      found.push_back(endpoint.id);
    }
    if (page->size() < 2) break;
    after = page->back().id;
  }
  EXPECT_THAT(found, ElementsAreArray(all));
}

TEST_F(OrderedTest, AHeadThatSomebodyIsWorkingOnIsNotPassedOver) {
  const EndpointId id = NewOrdered();
  AcceptOne();
  AcceptOne();
  Execute("BEGIN; SELECT FROM open_deliveries ORDER BY sequence LIMIT 1 FOR UPDATE");
  EXPECT_THAT(ClaimHead(id), IsEmpty());
  Execute("ROLLBACK");
  EXPECT_THAT(ClaimHead(id), SizeIs(1));
}

TEST_F(OrderedTest, NodesThatClaimTogetherKeepTheOrder) {
  constexpr int kDeliveries = 150;
  const EndpointId id = NewOrdered();
  std::vector<DeliveryId> accepted;
  for (int i = 0; i < kDeliveries; ++i) accepted.push_back(AcceptOne());
  absl::Mutex mutex;
  std::vector<DeliveryId> order;
  std::vector<std::thread> threads;
  for (int32_t node = 1; node <= 3; ++node) {
    threads.emplace_back([&, node] {
      PgDispatchStore store(Options(SessionKind::kHot));
      for (;;) {
        const auto claimed = store.Claim({{id, 1, true}}, node, kLeaseTime);
        ASSERT_TRUE(claimed.ok()) << claimed.status();
        {
          absl::MutexLock lock(&mutex);
          if (order.size() == kDeliveries) return;
          for (const ClaimedDelivery& delivery : *claimed) order.push_back(delivery.id);
        }
        for (const ClaimedDelivery& delivery : *claimed) {
          OutcomeRecord record;
          record.attempt.id = AttemptId{Ulid::RandomAt(absl::Now(), RandomBits)};
          record.attempt.delivery_id = delivery.id;
          record.attempt.endpoint_id = id;
          record.attempt.start_time = record.complete_time = absl::Now();
          record.attempt.outcome = AttemptOutcome::kSucceeded;
          record.lease_token = delivery.lease_token;
          record.state = DeliveryState::kSucceeded;
          ASSERT_TRUE(store.Record({record}, {}).ok());
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(order, accepted);
}

TEST_F(OrderedTest, WhatWasAcceptedBeforeTheSwitchGoesFirstAndOneAtATime) {
  const EndpointId id = NewEndpoint();
  LeaveDue(2);
  SetOrdered(id, true);
  const DeliveryId in_order = AcceptOne();
  std::vector<ClaimedDelivery> claimed = ClaimHead(id);
  ASSERT_THAT(claimed, SizeIs(1));
  EXPECT_FALSE(claimed[0].in_order);
  Succeed(claimed[0]);
  claimed = ClaimHead(id);
  ASSERT_THAT(claimed, SizeIs(1));
  EXPECT_FALSE(claimed[0].in_order);
  // One that waits for its retry is nobody's head.
  Fail(claimed[0]);
  EXPECT_THAT(IdsOf(ClaimHead(id)), ElementsAre(in_order));
}

TEST_F(OrderedTest, WhatWasAcceptedInOrderKeepsItWhenTheEndpointIsOrderedNoMore) {
  const EndpointId id = NewOrdered();
  const DeliveryId first = AcceptOne();
  const DeliveryId second = AcceptOne();
  SetOrdered(id, false);
  LeaveDue(3);
  EXPECT_TRUE(dispatch_.FindDue({}, 10)->at(0).due);
  const auto claimed = dispatch_.Claim({{id, 2, false}}, 1, kLeaseTime);
  ASSERT_THAT(*claimed, SizeIs(3));
  int in_order = 0;
  for (const ClaimedDelivery& delivery : *claimed) in_order += delivery.in_order ? 1 : 0;
  EXPECT_EQ(in_order, 1);
  EXPECT_THAT(*dispatch_.Claim({{id, 10, false}}, 1, kLeaseTime), SizeIs(1));
  for (const ClaimedDelivery& delivery : *claimed) {
    if (!delivery.in_order) continue;
    EXPECT_EQ(delivery.id, first);
    Succeed(delivery);
  }
  EXPECT_THAT(IdsOf(*dispatch_.Claim({{id, 10, false}}, 1, kLeaseTime)), ElementsAre(second));
}

TEST_F(OrderedTest, ASuspectIsItsQueuesHeadLikeAnyOther) {
  const EndpointId one = NewOrdered({"one"});
  const EndpointId two = NewOrdered({"two"});
  const DeliveryId first = AcceptOne("one");
  const DeliveryId other = AcceptOne("two");
  const DeliveryId second = AcceptOne("one");
  Execute(
      "UPDATE open_deliveries SET lost_claims = 2 WHERE sequence < (SELECT max(sequence) FROM "
      "open_deliveries)");
  // One suspect at a time on a node, and nothing goes around it.
  auto claimed = dispatch_.Claim({{one, 1, true}, {two, 1, true}}, 7, kLeaseTime);
  ASSERT_TRUE(claimed.ok()) << claimed.status();
  ASSERT_THAT(*claimed, SizeIs(1));
  EXPECT_THAT(*dispatch_.Claim({{one, 1, true}, {two, 1, true}}, 7, kLeaseTime), IsEmpty());
  EXPECT_THAT(*dispatch_.Claim({{one, 1, true}, {two, 1, true}}, 8, kLeaseTime), SizeIs(1));
  // What it comes to is the end of that: the next one follows.
  const EndpointId its = claimed->at(0).endpoint_id;
  Succeed(claimed->at(0));
  EXPECT_EQ(claimed->at(0).id, its == one ? first : other);
  if (its == one) {
    EXPECT_THAT(IdsOf(ClaimHead(one, 7)), ElementsAre(second));
  } else {
    EXPECT_THAT(ClaimHead(one, 7), IsEmpty());
  }
}

TEST_F(OrderedTest, WhenTheHeadIsCanceledTheNextOneIsTheHead) {
  const EndpointId id = NewOrdered();
  const DeliveryId first = AcceptOne();
  const DeliveryId second = AcceptOne();
  const DeliveryId third = AcceptOne();
  ASSERT_TRUE(deliveries_.Cancel(first).ok());
  const std::vector<ClaimedDelivery> head = ClaimHead(id);
  EXPECT_THAT(IdsOf(head), ElementsAre(second));
  // Also under way.
  ASSERT_TRUE(deliveries_.Cancel(second).ok());
  EXPECT_THAT(IdsOf(ClaimHead(id)), ElementsAre(third));
}

TEST_F(OrderedTest, ARedeliveryGoesToTheEnd) {
  const EndpointId id = NewOrdered();
  const DeliveryId first = AcceptOne();
  const DeliveryId second = AcceptOne();
  Succeed(ClaimHead(id)[0]);
  const auto again = NewId<DeliveryId>();
  ASSERT_TRUE(deliveries_.Redeliver(first, again, {}).ok());
  const DeliveryId third = AcceptOne();
  EXPECT_THAT(DrainAll(id), ElementsAre(second, again, third));
  // And to another endpoint it has no place.
  SetOrdered(id, false);
  ASSERT_TRUE(deliveries_.Redeliver(first, NewId<DeliveryId>(), {}).ok());
  EXPECT_EQ(Value("SELECT count(sequence) FROM open_deliveries"), "0");
}

TEST_F(OrderedTest, OnlyTheHeadShowsWhenItIsDue) {
  const EndpointId id = NewOrdered();
  const DeliveryId first = AcceptOne();
  const DeliveryId second = AcceptOne();
  const auto shown = [&] {
    std::set<DeliveryId> with_time;
    DeliveryFilter filter;
    filter.endpoint_id = id;
    const auto page = deliveries_.List(filter, {10, {}});
    EXPECT_TRUE(page.ok()) << page.status();
    for (const Delivery& delivery : page->rows) {
      const auto got = deliveries_.Get(delivery.id);
      EXPECT_TRUE(got.ok()) << got.status();
      EXPECT_EQ(got->next_attempt_time, delivery.next_attempt_time);
      if (delivery.next_attempt_time) with_time.insert(delivery.id);
    }
    return with_time;
  };
  EXPECT_THAT(shown(), ElementsAre(first));
  const std::vector<ClaimedDelivery> head = ClaimHead(id);
  EXPECT_THAT(shown(), IsEmpty());
  EXPECT_EQ(deliveries_.Get(second)->state, DeliveryState::kPending);
  Fail(head[0]);
  EXPECT_THAT(shown(), ElementsAre(first));
  LetTimePass();
  Succeed(ClaimHead(id)[0]);
  EXPECT_THAT(shown(), ElementsAre(second));
  // What has no place in a queue is due on its own.
  SetOrdered(id, false);
  const auto again = NewId<DeliveryId>();
  ASSERT_TRUE(deliveries_.Redeliver(first, again, {}).ok());
  EXPECT_THAT(shown(), ::testing::UnorderedElementsAre(second, again));
}

}  // namespace
}  // namespace postrider

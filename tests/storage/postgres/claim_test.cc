// Who gets what is due (storage/sql/find_due.sql, claim.sql, release.sql, expire_leased.sql).

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/storage/postgres/store_test_base.h"

namespace postrider {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr absl::Duration kLeaseTime = absl::Seconds(30);

class ClaimTest : public StoreTest {
 protected:
  std::vector<DueEndpoint> FindDue(EndpointId after = {}, int32_t limit = 100) {
    const auto due = dispatch_.FindDue(after, limit);
    EXPECT_TRUE(due.ok()) << due.status();
    return due.ok() ? *due : std::vector<DueEndpoint>();
  }

  // Lets what is open wait so much longer.
  void Postpone(const std::string& span) {
    Execute(absl::StrCat("UPDATE open_deliveries SET next_attempt_time = next_attempt_time + '",
                         span, "'"));
  }
};

TEST_F(ClaimTest, FindDueNamesEndpointsWithWorkByTheirFirstDelivery) {
  const EndpointId one = NewEndpoint();
  const EndpointId two = NewEndpoint();
  NewEndpoint({"nothing.comes"});
  LeaveDue(2);
  Execute(
      "UPDATE open_deliveries SET next_attempt_time = next_attempt_time + interval '1 hour' "
      "WHERE create_time = (SELECT max(create_time) FROM open_deliveries)");
  const auto first = session_.Run({"first", "SELECT min(next_attempt_time) FROM open_deliveries"});
  ASSERT_TRUE(first.ok()) << first.status();
  const std::vector<DueEndpoint> due = FindDue();
  ASSERT_THAT(due, SizeIs(2));
  EXPECT_EQ(due[0].id, one);
  EXPECT_EQ(due[1].id, two);
  for (const DueEndpoint& endpoint : due) {
    EXPECT_EQ(endpoint.next_attempt_time, first->Time(0, 0));
    EXPECT_TRUE(endpoint.due);
  }
}

TEST_F(ClaimTest, WhatWaitsForItsTimeOrAnEnabledEndpointIsNamedButNotDue) {
  NewEndpoint({"later"});
  const EndpointId disabled = NewEndpoint({"held"});
  LeaveDue(1, "later");
  Postpone("1 hour");
  LeaveDue(1, "held");
  ASSERT_TRUE(endpoints_.Disable(disabled).ok());
  const std::vector<DueEndpoint> due = FindDue();
  ASSERT_THAT(due, SizeIs(2));
  EXPECT_FALSE(due[0].due);
  EXPECT_GT(due[0].next_attempt_time, DatabaseTime() + absl::Minutes(59));
  EXPECT_FALSE(due[1].due);
  ASSERT_TRUE(endpoints_.Enable(disabled, false).ok());
  EXPECT_TRUE(FindDue()[1].due);
}

TEST_F(ClaimTest, WhatIsLeasedOrOverIsNotNamed) {
  const EndpointId endpoint = NewEndpoint();
  const std::vector<Leased> leased = Lease(2);
  EXPECT_THAT(FindDue(), IsEmpty());
  ASSERT_TRUE(Record({OutcomeOf(leased[0], AttemptOutcome::kSucceeded)}).ok());
  EXPECT_THAT(FindDue(), IsEmpty());
  ASSERT_TRUE(dispatch_.Release({{leased[1].id, leased[1].token}}).ok());
  ASSERT_THAT(FindDue(), SizeIs(1));
  ASSERT_TRUE(endpoints_.Delete(endpoint).ok());
  EXPECT_THAT(FindDue(), IsEmpty());
}

TEST_F(ClaimTest, FindDueGoesOnBehindTheLastOfAPage) {
  std::vector<EndpointId> ids;
  for (int i = 0; i < 7; ++i) ids.push_back(NewEndpoint());
  LeaveDue(1);
  std::vector<EndpointId> found;
  EndpointId after;
  for (size_t size : {3u, 3u, 1u, 0u}) {
    const std::vector<DueEndpoint> page = FindDue(after, 3);
    EXPECT_THAT(page, SizeIs(size));
    for (const DueEndpoint& due : page) found.push_back(after = due.id);
  }
  EXPECT_EQ(found, ids);
}

TEST_F(ClaimTest, AClaimTakesTheOldestOfEachEndpointAsManyAsAreOrdered) {
  const EndpointId one = NewEndpoint({"one"});
  const EndpointId two = NewEndpoint({"two"});
  LeaveDue(5, "one");
  LeaveDue(5, "two");
  // The oldest by the time they are due, not by id.
  Execute(
      "UPDATE open_deliveries SET next_attempt_time = create_time - n * interval '1 s' FROM "
      "(SELECT delivery_id AS id, row_number() OVER (ORDER BY delivery_id) AS n FROM "
      "open_deliveries) AS x WHERE id = delivery_id");
  const std::vector<std::string> oldest = Rows(
      "(SELECT delivery_id FROM open_deliveries WHERE event_type = 'one' "
      "ORDER BY next_attempt_time LIMIT 2) UNION ALL "
      "(SELECT delivery_id FROM open_deliveries WHERE event_type = 'two' "
      "ORDER BY next_attempt_time LIMIT 3)");
  const auto claimed = dispatch_.Claim({{one, 2}, {two, 3}}, 7, kLeaseTime);
  ASSERT_TRUE(claimed.ok()) << claimed.status();
  ASSERT_THAT(*claimed, SizeIs(5));
  for (const ClaimedDelivery& delivery : *claimed) {
    EXPECT_EQ(delivery.lease_token, claimed->front().lease_token);
  }
  std::vector<std::string> leased = Rows(
      "SELECT delivery_id FROM open_deliveries WHERE lease_node = 7 AND "
      "lease_expire_time - now() BETWEEN '25 s' AND '30 s' ORDER BY event_type, next_attempt_time");
  EXPECT_EQ(leased, oldest);
  EXPECT_EQ(Value(absl::StrCat("SELECT count(*) FROM open_deliveries WHERE lease_token = ",
                               claimed->front().lease_token, " AND lease_node = 7")),
            "5");
}

TEST_F(ClaimTest, AClaimTakesNothingThatIsNotDueOrLeased) {
  const EndpointId endpoint = NewEndpoint();
  Lease(2);
  LeaveDue(3);
  Execute(
      "UPDATE open_deliveries SET next_attempt_time = now() + interval '1 min' WHERE delivery_id = "
      "(SELECT delivery_id FROM open_deliveries WHERE lease_node IS NULL LIMIT 1)");
  EXPECT_THAT(Claim(endpoint, 100), SizeIs(2));
  EXPECT_THAT(Claim(endpoint, 100), IsEmpty());
  EXPECT_EQ(Value("SELECT count(*) FROM open_deliveries WHERE lease_node = 1"), "2");
}

TEST_F(ClaimTest, EveryClaimHasANewToken) {
  const EndpointId endpoint = NewEndpoint();
  const int64_t first = Lease(1)[0].token;
  LeaveDue(2);
  const int64_t second = Claim(endpoint, 1)[0].token;
  const int64_t third = Claim(endpoint, 1)[0].token;
  EXPECT_LT(first, second);
  EXPECT_LT(second, third);
}

TEST_F(ClaimTest, WhatIsClaimedComesWithEverythingASenderNeeds) {
  const EndpointId endpoint = NewEndpoint();
  const NewEvent event = MakeEvent("message.received");
  Accept({event}, {0, kLeaseTime, {}});
  Execute("UPDATE open_deliveries SET origin = 2, attempt_count = 4, failure_count = 3");
  const auto claimed = dispatch_.Claim({{endpoint, 1}}, 7, kLeaseTime);
  ASSERT_TRUE(claimed.ok()) << claimed.status();
  ASSERT_THAT(*claimed, SizeIs(1));
  const ClaimedDelivery& delivery = claimed->front();
  EXPECT_EQ(delivery.event_id, event.id);
  EXPECT_EQ(delivery.endpoint_id, endpoint);
  EXPECT_EQ(delivery.origin, DeliveryOrigin::kRedelivery);
  EXPECT_EQ(delivery.attempt_count, 4);
  EXPECT_EQ(delivery.failure_count, 3);
  ASSERT_NE(delivery.body, nullptr);
  EXPECT_EQ(*delivery.body, *event.body);
}

TEST_F(ClaimTest, WhatSomebodyIsWorkingOnIsPassedOverAndNotWaitedFor) {
  const EndpointId endpoint = NewEndpoint();
  LeaveDue(3);
  Execute("BEGIN; SELECT FROM open_deliveries ORDER BY next_attempt_time LIMIT 2 FOR UPDATE");
  EXPECT_THAT(Claim(endpoint, 3), SizeIs(1));
  Execute("ROLLBACK");
  EXPECT_THAT(Claim(endpoint, 3), SizeIs(2));
}

TEST_F(ClaimTest, NodesThatClaimTogetherShareTheWork) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::vector<EndpointId> endpoints;
  for (int i = 0; i < 6; ++i) endpoints.push_back(NewEndpoint());
  constexpr size_t kDeliveries = 6 * 150;
  LeaveDue(150);
  std::vector<DeliveryId> claimed[4];
  std::vector<std::thread> threads;
  for (size_t node = 0; node < std::size(claimed); ++node) {
    threads.emplace_back([&, node] {
      PgDispatchStore store(Options(SessionKind::kHot));
      std::mt19937 random(seed + static_cast<uint32_t>(node));
      // What another has locked at that moment is passed over: until nothing is there any more.
      while (store.FindDue({}, 100)->size() > 0) {
        std::vector<ClaimOrder> orders;
        for (EndpointId id : endpoints) orders.push_back({id, static_cast<int32_t>(random() % 10)});
        const auto got = store.Claim(orders, static_cast<int32_t>(node) + 1, kLeaseTime);
        ASSERT_TRUE(got.ok()) << got.status();
        for (const ClaimedDelivery& delivery : *got) claimed[node].push_back(delivery.id);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<DeliveryId> all;
  size_t sum = 0;
  for (const auto& ids : claimed) {
    all.insert(ids.begin(), ids.end());
    sum += ids.size();
  }
  EXPECT_EQ(all.size(), kDeliveries);
  EXPECT_EQ(sum, kDeliveries);
}

TEST_F(ClaimTest, AReleasedLeaseIsDueAtOnceAndCountsNothing) {
  const EndpointId endpoint = NewEndpoint();
  const std::vector<Leased> leased = Lease(2);
  ASSERT_TRUE(dispatch_.Release({{leased[0].id, leased[0].token}}).ok());
  EXPECT_THAT(Rows("SELECT count(*) FILTER (WHERE lease_node IS NULL), sum(attempt_count), "
                   "sum(failure_count), sum(lost_claims) FROM open_deliveries"),
              ElementsAre("1|0|0|0"));
  const std::vector<Leased> again = Claim(endpoint, 2);
  ASSERT_THAT(again, SizeIs(1));
  EXPECT_EQ(again[0].id, leased[0].id);
  EXPECT_GT(again[0].token, leased[0].token);
}

TEST_F(ClaimTest, OnlyTheHolderOfALeaseReleasesIt) {
  const EndpointId endpoint = NewEndpoint();
  const Leased old = Lease(1)[0];
  ASSERT_TRUE(dispatch_.Release({{old.id, old.token}}).ok());
  const Leased now = Claim(endpoint, 1)[0];
  ASSERT_TRUE(dispatch_.Release({{old.id, old.token}, {DeliveryId{}, now.token}}).ok());
  EXPECT_EQ(Value("SELECT lease_node FROM open_deliveries"), "2");
  ASSERT_TRUE(dispatch_.Release({{now.id, now.token}}).ok());
  EXPECT_EQ(Value("SELECT lease_node FROM open_deliveries"), "");
}

TEST_F(ClaimTest, ADeliveryWhosePayloadIsGoneComesWithoutOneAndExpires) {
  const EndpointId endpoint = NewEndpoint();
  LeaveDue(2);
  Execute("UPDATE events SET body = NULL");
  const auto claimed = dispatch_.Claim({{endpoint, 2}}, 7, kLeaseTime);
  ASSERT_TRUE(claimed.ok()) << claimed.status();
  ASSERT_THAT(*claimed, SizeIs(2));
  for (const ClaimedDelivery& delivery : *claimed) EXPECT_EQ(delivery.body, nullptr);
  // Only under its token.
  const ClaimedDelivery& one = claimed->front();
  ASSERT_TRUE(dispatch_.Expire({{one.id, one.lease_token + 1}}).ok());
  EXPECT_EQ(Value("SELECT count(*) FROM open_deliveries"), "2");
  ASSERT_TRUE(dispatch_.Expire({{one.id, one.lease_token}}).ok());
  const auto ended = deliveries_.Get(one.id);
  ASSERT_TRUE(ended.ok()) << ended.status();
  EXPECT_EQ(ended->state, DeliveryState::kCanceled);
  EXPECT_EQ(ended->state_reason, StateReason::kExpired);
  EXPECT_EQ(ended->attempt_count, 0);
  EXPECT_TRUE(ended->complete_time.has_value());
  EXPECT_EQ(Value("SELECT count(*) FROM open_deliveries"), "1");
  EXPECT_EQ(Value("SELECT count(*) FROM attempts"), "0");
  EXPECT_EQ(Value("SELECT count(*) FROM closed_deliveries WHERE lease_token IS NOT NULL"), "0");
}

}  // namespace
}  // namespace postrider

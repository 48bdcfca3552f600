// Acceptance: fan-out, idempotency, batches (SEMANTICS, "The event" and "Acceptance").

#include <algorithm>
#include <set>
#include <string>
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
using ::testing::UnorderedElementsAre;
using Status = AcceptResult::Status;

const FanOutLease kLease{1, absl::Seconds(30), {}};

std::vector<EndpointId> EndpointsOf(const AcceptResult& result) {
  std::vector<EndpointId> ids;
  for (const NewDelivery& delivery : result.deliveries) ids.push_back(delivery.endpoint_id);
  return ids;
}

TEST_F(StoreTest, AnEventGoesToEveryMatchingEndpointOnce) {
  const EndpointId all = NewEndpoint();
  const EndpointId exact = NewEndpoint({"message.received"});
  const EndpointId prefix = NewEndpoint({"message.*", "message.received", "message.received.*"});
  NewEndpoint({"message.bounced"});
  NewEndpoint({"message"});
  NewEndpoint({}, Tenant{"org", "other"});
  NewEndpoint({}, Tenant{"other", "env"});
  const std::vector<AcceptResult> results = Accept({MakeEvent("message.received")}, kLease);
  EXPECT_EQ(results[0].status, Status::kAccepted);
  EXPECT_EQ(results[0].delivery_count, 3);
  EXPECT_THAT(EndpointsOf(results[0]), UnorderedElementsAre(all, exact, prefix));
  EXPECT_EQ(Value("SELECT delivery_count FROM events"), "3");
  EXPECT_EQ(Value("SELECT count(*) FROM open_deliveries"), "3");
}

TEST_F(StoreTest, AnEventThatMatchesNothingIsStoredAllTheSame) {
  NewEndpoint({"message.*"});
  const std::vector<AcceptResult> results = Accept({MakeEvent("message")}, kLease);
  EXPECT_EQ(results[0].status, Status::kAccepted);
  EXPECT_EQ(results[0].delivery_count, 0);
  EXPECT_THAT(results[0].deliveries, IsEmpty());
  EXPECT_THAT(Rows("SELECT type, delivery_count FROM events"), ElementsAre("message|0"));
}

TEST_F(StoreTest, OurOwnEventsGoOnlyWhereTheyAreAskedFor) {
  NewEndpoint();
  const EndpointId asked = NewEndpoint({"postrider.*"});
  EXPECT_THAT(EndpointsOf(Accept({MakeEvent("postrider.x")}, kLease)[0]), ElementsAre(asked));
}

TEST_F(StoreTest, DisabledAndDeletedEndpointsGetNothingNew) {
  const EndpointId enabled = NewEndpoint();
  const EndpointId disabled = NewEndpoint();
  const EndpointId deleted = NewEndpoint();
  ASSERT_TRUE(endpoints_.Disable(disabled).ok());
  ASSERT_TRUE(endpoints_.Delete(deleted).ok());
  EXPECT_THAT(EndpointsOf(Accept({MakeEvent("t")}, kLease)[0]), ElementsAre(enabled));
  ASSERT_TRUE(endpoints_.Enable(disabled, false).ok());
  EXPECT_THAT(EndpointsOf(Accept({MakeEvent("t")}, kLease)[0]),
              UnorderedElementsAre(enabled, disabled));
}

TEST_F(StoreTest, DeliveriesAreLeasedToTheNodeThatAccepts) {
  NewEndpoint();
  const AcceptResult result = Accept({MakeEvent("t")}, {7, absl::Seconds(30), {}})[0];
  ASSERT_THAT(result.deliveries, SizeIs(1));
  EXPECT_TRUE(result.deliveries[0].leased);
  EXPECT_LT(result.deliveries[0].lease_token, 0);  // as only an acceptance gives one
  EXPECT_THAT(Rows("SELECT lease_node, lease_token, lease_expire_time - now() BETWEEN '25s' AND "
                   "'30s' AS soon, next_attempt_time = create_time AS due FROM open_deliveries"),
              ElementsAre(absl::StrCat("7|", result.deliveries[0].lease_token, "|t|t")));
}

TEST_F(StoreTest, WhatACongestedEndpointGetsIsLeftToBeClaimed) {
  const EndpointId congested = NewEndpoint();
  const EndpointId other = NewEndpoint();
  const AcceptResult result = Accept({MakeEvent("t")}, {7, absl::Seconds(30), {congested}})[0];
  ASSERT_THAT(result.deliveries, SizeIs(2));
  for (const NewDelivery& delivery : result.deliveries) {
    EXPECT_EQ(delivery.leased, delivery.endpoint_id == other);
  }
  EXPECT_EQ(Value("SELECT count(*) FROM open_deliveries WHERE lease_node IS NULL"), "1");
}

TEST_F(StoreTest, MoreDeliveriesThanATransactionMayMakeStoreNothing) {
  Accept({MakeEvent("t")}, kLease);  // the environment is there now
  Execute(
      "WITH made AS (INSERT INTO endpoint_states (endpoint_id) SELECT ulid_at(now()) "
      "FROM generate_series(1, 500) RETURNING endpoint_id) "
      "INSERT INTO subscriptions SELECT env_no, '*', endpoint_id FROM made, environments");
  std::vector<NewEvent> events;
  std::vector<int32_t> batches;
  for (int i = 0; i <= kMaxFanOut / 500; ++i) {
    events.push_back(MakeEvent("t", absl::StrCat("k", i)));
    batches.push_back(i);
  }
  const auto refused = acceptor_.Accept(events, batches, kLease);
  EXPECT_TRUE(absl::IsOutOfRange(refused.status())) << refused.status();
  EXPECT_EQ(Value("SELECT count(*) FROM events"), "1");
  EXPECT_EQ(Value("SELECT count(*) FROM idempotency_keys"), "0");
  EXPECT_EQ(Accept({MakeEvent("t", "k0")}, kLease)[0].delivery_count, 500);
}

TEST_F(StoreTest, EverythingOfAnEventIsStored) {
  NewEvent event = MakeEvent("message.received", "key 1");
  event.event_time = absl::FromUnixMillis(1234567890123);
  event.traceparent = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01";
  event.body = std::make_shared<const std::string>("{\"b\":\"\\u0000ä\"}");
  Accept({event}, kLease);
  PgEventStore events(pool_, environments_);
  const auto stored = events.Get(event.id);
  ASSERT_TRUE(stored.ok()) << stored.status();
  EXPECT_EQ(stored->tenant, tenant_);
  EXPECT_EQ(stored->type, "message.received");
  EXPECT_EQ(stored->event_time, event.event_time);
  EXPECT_EQ(stored->create_time, event.create_time);
  EXPECT_EQ(stored->idempotency_key, "key 1");
  EXPECT_EQ(stored->traceparent, event.traceparent);
  EXPECT_EQ(stored->body, *event.body);
}

TEST_F(StoreTest, ASecondEventOfAKeyIsADuplicateOfTheFirst) {
  NewEndpoint();
  const NewEvent first = MakeEvent("t", "k");
  Accept({first}, kLease);
  NewEndpoint();  // a duplicate has the deliveries of the first one
  const AcceptResult again = Accept({MakeEvent("t", "k")}, kLease)[0];
  EXPECT_EQ(again.status, Status::kDuplicate);
  EXPECT_EQ(again.event_id, first.id);
  EXPECT_EQ(again.create_time, first.create_time);
  EXPECT_EQ(again.delivery_count, 1);
  EXPECT_THAT(again.deliveries, IsEmpty());
  EXPECT_EQ(Value("SELECT count(*) FROM events"), "1");
  EXPECT_EQ(Value("SELECT count(*) FROM open_deliveries"), "1");
}

TEST_F(StoreTest, OtherContentUnderAKeyIsAConflict) {
  Accept({MakeEvent("t", "k")}, kLease);
  NewEvent other = MakeEvent("t", "k");
  other.content_digest = std::string(32, 'e');
  EXPECT_EQ(Accept({other}, kLease)[0].status, Status::kConflict);
  EXPECT_EQ(Value("SELECT count(*) FROM events"), "1");
}

TEST_F(StoreTest, AnotherEventTimeIsAConflictOnlyWhereBothGiveOne) {
  const absl::Time time = absl::FromUnixSeconds(1772980000);
  struct Row {
    std::optional<absl::Time> first;
    std::optional<absl::Time> second;
    Status status;
  };
  const Row kTable[] = {
      {std::nullopt, std::nullopt, Status::kDuplicate},
      {time, std::nullopt, Status::kDuplicate},
      {std::nullopt, time, Status::kDuplicate},
      {time, time, Status::kDuplicate},
      {time, time + absl::Milliseconds(1), Status::kConflict},
  };
  int n = 0;
  for (const Row& row : kTable) {
    const std::string key = absl::StrCat("k", ++n);
    NewEvent first = MakeEvent("t", key);
    first.given_event_time = row.first;
    Accept({first}, kLease);
    NewEvent second = MakeEvent("t", key);
    second.given_event_time = row.second;
    EXPECT_EQ(Accept({second}, kLease)[0].status, row.status) << key;
  }
}

TEST_F(StoreTest, AKeyBelongsToItsEnvironment) {
  Accept({MakeEvent("t", "k")}, kLease);
  NewEvent elsewhere = MakeEvent("t", "k");
  elsewhere.tenant = {"org", "other"};
  EXPECT_EQ(Accept({elsewhere}, kLease)[0].status, Status::kAccepted);
}

// Moves what is stored under keys into the window before.
std::string OneWindowBack(absl::Duration window, const std::string& create_time) {
  return absl::StrCat("UPDATE idempotency_keys SET window_start = window_start - interval '",
                      absl::ToInt64Seconds(window), " s', create_time = ", create_time);
}

TEST_F(StoreTest, AKeyIsFreeAgainWhenItsTimeIsOver) {
  const absl::Duration window = WindowBegun(absl::Minutes(10), absl::Minutes(50), absl::Hours(1));
  PgEventAcceptor acceptor(Options(SessionKind::kHot), environments_, window, RandomBits);
  ASSERT_TRUE(acceptor.Accept({MakeEvent("t", "k")}, {0}, kLease).ok());
  EXPECT_EQ(acceptor.Accept({MakeEvent("t", "k")}, {0}, kLease)->at(0).status, Status::kDuplicate);
  Execute(OneWindowBack(
      window, absl::StrCat("create_time - interval '", absl::ToInt64Seconds(window), " s'")));
  EXPECT_EQ(acceptor.Accept({MakeEvent("t", "k")}, {0}, kLease)->at(0).status, Status::kAccepted);
}

TEST_F(StoreTest, AKeyHoldsOverTheEndOfItsWindow) {
  const absl::Duration window = WindowBegun(absl::Minutes(10), absl::Minutes(50), absl::Hours(1));
  PgEventAcceptor acceptor(Options(SessionKind::kHot), environments_, window, RandomBits);
  ASSERT_TRUE(acceptor.Accept({MakeEvent("t", "k")}, {0}, kLease).ok());
  Execute(OneWindowBack(window, "create_time"));
  EXPECT_EQ(acceptor.Accept({MakeEvent("t", "k")}, {0}, kLease)->at(0).status, Status::kDuplicate);
}

// Results of one call with these batch numbers.
class BatchTest : public StoreTest {
 protected:
  std::vector<AcceptResult> AcceptBatches(const std::vector<NewEvent>& events,
                                          const std::vector<int32_t>& batches) {
    auto results = acceptor_.Accept(events, batches, kLease);
    EXPECT_TRUE(results.ok()) << results.status();
    return results.ok() ? *std::move(results) : std::vector<AcceptResult>(events.size());
  }
};

std::vector<Status> StatusesOf(const std::vector<AcceptResult>& results) {
  std::vector<Status> statuses;
  for (const AcceptResult& result : results) statuses.push_back(result.status);
  return statuses;
}

TEST_F(BatchTest, OneConflictRefusesItsBatchAndNoOther) {
  NewEndpoint();
  Accept({MakeEvent("t", "taken")}, kLease);
  NewEvent conflict = MakeEvent("t", "taken");
  conflict.content_digest = std::string(32, 'e');
  const auto results = AcceptBatches(
      {MakeEvent("t", "a"), MakeEvent("t"), conflict, MakeEvent("t", "b"), MakeEvent("t")},
      {1, 1, 1, 2, 3});
  EXPECT_THAT(StatusesOf(results),
              ElementsAre(Status::kRefused, Status::kRefused, Status::kConflict, Status::kAccepted,
                          Status::kAccepted));
  EXPECT_EQ(Value("SELECT count(*) FROM events"), "3");
  EXPECT_EQ(Value("SELECT count(*) FROM open_deliveries"), "3");
  // The key of a refused item is free.
  EXPECT_EQ(Accept({MakeEvent("t", "a")}, kLease)[0].status, Status::kAccepted);
}

TEST_F(BatchTest, ADuplicateDoesNotRefuseItsBatch) {
  const NewEvent first = MakeEvent("t", "known");
  Accept({first}, kLease);
  const auto results =
      AcceptBatches({MakeEvent("t", "new"), MakeEvent("t", "known"), MakeEvent("t")}, {1, 1, 1});
  EXPECT_THAT(StatusesOf(results),
              ElementsAre(Status::kAccepted, Status::kDuplicate, Status::kAccepted));
  EXPECT_EQ(results[1].event_id, first.id);
  EXPECT_EQ(Value("SELECT count(*) FROM events"), "3");
}

TEST_F(BatchTest, ResultsComeInTheOrderOfTheEvents) {
  std::vector<NewEvent> events;
  std::vector<int32_t> batches;
  for (int i = 0; i < 50; ++i) {
    events.push_back(MakeEvent("t", i % 2 == 0 ? absl::StrCat("k", 100 - i) : ""));
    batches.push_back(i);
  }
  const EndpointId endpoint = NewEndpoint();
  const auto results = AcceptBatches(events, batches);
  for (size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(results[i].event_id, events[i].id);
    EXPECT_THAT(EndpointsOf(results[i]), ElementsAre(endpoint));
  }
}

TEST_F(BatchTest, DeliveryIdsAreUniqueAndOfTheirEventsTime) {
  for (int i = 0; i < 4; ++i) NewEndpoint();
  std::set<DeliveryId> ids;
  std::vector<NewEvent> events;
  for (int i = 0; i < 100; ++i) events.push_back(MakeEvent("t"));
  for (const AcceptResult& result : Accept(events, kLease)) {
    for (const NewDelivery& delivery : result.deliveries) {
      ids.insert(delivery.id);
      EXPECT_EQ(delivery.id.ulid.time(), result.event_id.ulid.time());
    }
  }
  EXPECT_EQ(ids.size(), 400u);
}

}  // namespace
}  // namespace postrider

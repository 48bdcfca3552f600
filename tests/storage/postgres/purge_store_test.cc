// Erasing (storage/purge_store.h) where calls alone do not reach: many deliveries of one event,
// keys in several windows, late outcomes, stopping in between.

#include "storage/postgres/purge_store.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/postgres/maintenance_store.h"
#include "tests/storage/postgres/store_test_base.h"

namespace postrider {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class PurgeStoreTest : public StoreTest {
 protected:
  PurgeStoreTest() : purges_(pool_) {}

  EventErasure Purge(EventId id) {
    const auto erased = purges_.PurgeEvent(id);
    EXPECT_TRUE(erased.ok()) << erased.status();
    return erased.value_or(EventErasure{});
  }

  // An attempt that failed, with an answer that repeats the request.
  OutcomeRecord AnsweredOutcome(const Leased& delivery) {
    OutcomeRecord outcome = OutcomeOf(delivery, AttemptOutcome::kHttpStatus);
    outcome.attempt.event_id = delivery.event_id;
    outcome.attempt.response_headers = {{"x-echo", "secret"}};
    outcome.attempt.response_body = "secret";
    return outcome;
  }

  PgPurgeStore purges_;
};

TEST_F(PurgeStoreTest, ErasesTheAnswersOfMoreDeliveriesThanOneStepTakes) {
  NewEndpoint();
  const Leased leased = Lease(1).at(0);
  ASSERT_TRUE(Record({AnsweredOutcome(leased)}).ok());
  // 4999 deliveries more, each with an attempt. Half are of ids as Publish makes them, half made
  // again.
  Execute(
      "INSERT INTO open_deliveries SELECT CASE n % 2 WHEN 0 THEN ulid_at(now()) ELSE "
      "(left(event_id::text, 13) || substr(gen_random_uuid()::text, 14))::uuid END, event_id, "
      "endpoint_id, env_no, event_type, 2 - n % 2, 1, 1, 0, NULL, create_time, next_attempt_time "
      "FROM open_deliveries, generate_series(1, 4999) AS n;"
      "INSERT INTO attempts SELECT ulid_at(now()), o.delivery_id, o.event_id, o.endpoint_id, "
      "o.env_no, number, a.origin, start_time, duration_us, outcome, http_status, error, "
      "remote_address, send_count, response_headers, response_body, response_body_truncated, "
      "phases_us, NULL, commit_xid FROM open_deliveries o, attempts a "
      "WHERE o.delivery_id <> a.delivery_id");
  const EventErasure erased = Purge(leased.event_id);
  EXPECT_TRUE(erased.payload);
  EXPECT_EQ(erased.canceled_deliveries, 5000);
  EXPECT_EQ(erased.responses, 5000);
  EXPECT_EQ(
      Value("SELECT count(*) FROM attempts WHERE response_body <> '' OR response_headers <> ''"
            " OR NOT response_body_truncated"),
      "0");
  EXPECT_THAT(Rows("SELECT DISTINCT state, state_reason FROM closed_deliveries"),
              ElementsAre("5|7"));
  EXPECT_THAT(Rows("SELECT * FROM open_deliveries"), IsEmpty());
}

TEST_F(PurgeStoreTest, ForgetsTheDigestInEveryWindowThatHoldsTheKeyAndNoOther) {
  const std::vector<NewEvent> events = {MakeEvent("t", "key"), MakeEvent("t", "other")};
  Accept(events, {});
  // As early in a window, when a key is put into the window before too, and with windows that were
  // much shorter once.
  Execute(
      "SELECT make_day(now()::date - n) FROM generate_series(1, 2) AS n;"
      "INSERT INTO idempotency_keys SELECT window_start - i * interval '1 hour', env_no, key, "
      "event_id, content_digest, given_event_time, delivery_count, create_time "
      "FROM idempotency_keys, generate_series(1, 5) i");
  Purge(events[0].id);
  EXPECT_THAT(
      Rows("SELECT key, count(*) > 5, bool_and(content_digest = ''), bool_or(content_digest = '') "
           "FROM idempotency_keys GROUP BY key ORDER BY key"),
      ElementsAre("key|t|t|t", "other|t|f|f"));
}

TEST_F(PurgeStoreTest, AnEventWithoutAKeyIsErasedToo) {
  const NewEvent event = MakeEvent("t");
  Accept({event}, {});
  EXPECT_TRUE(Purge(event.id).payload);
  EXPECT_FALSE(Purge(event.id).payload);
  EXPECT_EQ(Value("SELECT count(*) FROM events WHERE body IS NULL"), "1");
}

TEST_F(PurgeStoreTest, AnAbandonedAttemptIsCompletedWithoutItsAnswer) {
  NewEndpoint();
  const Leased lost = Lease(1).at(0);
  ASSERT_TRUE(dispatch_.TakeOver({1}, {}, 10, absl::Seconds(30)).ok());
  Purge(lost.event_id);
  ASSERT_TRUE(dispatch_.RecordLate(AnsweredOutcome(lost), {}).ok());
  EXPECT_THAT(Rows("SELECT outcome, http_status, length(response_headers), length(response_body), "
                   "response_body_truncated FROM attempts"),
              ElementsAre("2|500|0|0|t"));
}

TEST_F(PurgeStoreTest, ADeliveryMadeBesideTheErasureIsClaimedWithoutAPayload) {
  const EndpointId endpoint = NewEndpoint();
  LeaveDue(1);
  // A redelivery that was committed beside the erasure.
  Execute("CREATE TABLE beside AS SELECT * FROM open_deliveries");
  const std::vector<Leased> claimed = Claim(endpoint, 1);
  ASSERT_THAT(claimed, SizeIs(1));
  Purge(claimed[0].event_id);
  Execute(
      "UPDATE beside SET delivery_id = ulid_at(now());"
      "INSERT INTO open_deliveries SELECT * FROM beside");
  const auto again = dispatch_.Claim({{endpoint, 1}}, 2, absl::Seconds(30));
  ASSERT_TRUE(again.ok()) << again.status();
  ASSERT_THAT(*again, SizeIs(1));
  EXPECT_EQ((*again)[0].body, nullptr);
}

TEST_F(PurgeStoreTest, AnOrgIsErasedUntilToldToStopAndThenTheRest) {
  NewEndpoint();
  for (const Leased& delivery : Lease(10)) {
    ASSERT_TRUE(Record({OutcomeOf(delivery, AttemptOutcome::kSucceeded)}).ok());
  }
  int steps = 0;
  const auto stopped = purges_.PurgeOrg("org", [&] { return ++steps <= 5; });
  EXPECT_EQ(stopped.status().code(), absl::StatusCode::kCancelled) << stopped.status();
  EXPECT_EQ(Value("SELECT count(*) FROM endpoints WHERE delete_time IS NULL"), "0");
  EXPECT_EQ(Value("SELECT count(*) FROM events"), "10");
  const auto rest = purges_.PurgeOrg("org", [] { return true; });
  ASSERT_TRUE(rest.ok()) << rest.status();
  EXPECT_EQ(rest->endpoints, 0);
  EXPECT_EQ(rest->events, 10);
  EXPECT_THAT(
      Rows("SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM closed_deliveries), "
           "(SELECT count(*) FROM attempts), (SELECT count(*) FROM endpoint_secrets)"),
      ElementsAre("0|0|0|0"));
}

TEST_F(PurgeStoreTest, OfAMillisecondsEventsOneIsErasedWithWhatWasMadeAgain) {
  NewEndpoint();
  NewEndpoint();
  // Both of one call, so their deliveries are among each other.
  std::vector<NewEvent> events = {MakeEvent("t"), MakeEvent("t")};
  events[1].id = EventId{Ulid::RandomAt(events[0].id.ulid.time(), RandomBits)};
  std::vector<OutcomeRecord> outcomes;
  for (const AcceptResult& result : Accept(events, {1, absl::Seconds(30), {}})) {
    const NewDelivery& first = result.deliveries.at(0);
    OutcomeRecord outcome =
        AnsweredOutcome({first.id, result.event_id, first.endpoint_id, first.lease_token});
    outcome.state = DeliveryState::kSucceeded;
    outcomes.push_back(outcome);
  }
  ASSERT_TRUE(Record(outcomes).ok());
  std::vector<Leased> again;
  for (const OutcomeRecord& outcome : outcomes) {
    const auto made = deliveries_.Redeliver(outcome.attempt.delivery_id, NewId<DeliveryId>(), {});
    ASSERT_TRUE(made.ok()) << made.status();
    again.push_back(Claim(made->endpoint_id, 1).at(0));
  }
  ASSERT_TRUE(Record({AnsweredOutcome(again[0]), AnsweredOutcome(again[1])}).ok());

  const EventErasure erased = Purge(events[0].id);
  EXPECT_EQ(erased.canceled_deliveries, 2);
  EXPECT_EQ(erased.responses, 2);
  EXPECT_THAT(Rows("SELECT e.body IS NULL, count(*) FROM events e JOIN open_deliveries "
                   "USING (event_id) GROUP BY 1"),
              ElementsAre("f|2"));
  EXPECT_THAT(
      Rows("SELECT e.body IS NULL, encode(a.response_body, 'escape') FROM events e JOIN attempts a "
           "USING (event_id) ORDER BY 1"),
      ElementsAre("f|secret", "f|secret", "t|", "t|"));
}

TEST_F(PurgeStoreTest, APurgeThatWasInterruptedFindsTheLogDaysLater) {
  NewEndpoint();
  NewEndpoint();
  for (const Leased& delivery : Lease(3)) {
    ASSERT_TRUE(Record({OutcomeOf(delivery, AttemptOutcome::kSucceeded)}).ok());
  }
  bool wiped = false;
  const auto stopped = purges_.PurgeOrg("org", [&] { return !std::exchange(wiped, true); });
  EXPECT_TRUE(absl::IsCancelled(stopped.status())) << stopped.status();
  ASSERT_EQ(Value("SELECT count(*) FROM endpoints WHERE url <> ''"), "0");
  ASSERT_EQ(Value("SELECT count(*) FROM attempts"), "6");
  // The day of the deliveries and events is past retention, that of their attempts is not.
  Execute(
      "DELETE FROM events; DELETE FROM closed_deliveries;"
      "UPDATE endpoints SET delete_time = now() - interval '60 days'");
  PgMaintenanceStore maintenance(Options(SessionKind::kGeneral));
  ASSERT_TRUE(maintenance.SweepSmall({}).ok());

  const auto rest = purges_.PurgeOrg("org", [] { return true; });
  ASSERT_TRUE(rest.ok()) << rest.status();
  EXPECT_EQ(rest->attempts, 6);
  EXPECT_EQ(Value("SELECT count(*) FROM attempts"), "0");
  EXPECT_EQ(Value("SELECT count(*) FROM endpoints"), "2");
  ASSERT_TRUE(maintenance.SweepSmall({}).ok());
  EXPECT_EQ(Value("SELECT count(*) FROM endpoints"), "0");
}

TEST_F(PurgeStoreTest, ADeletedEndpointStaysWhileAnAttemptOfItMayStillBeLogged) {
  const EndpointId endpoint = NewEndpoint();
  const Leased late = Lease(1).at(0);
  ASSERT_TRUE(endpoints_.Delete(endpoint).ok());
  ASSERT_EQ(Value("SELECT count(*) FROM closed_deliveries WHERE lease_token IS NOT NULL"), "1");
  Execute("UPDATE endpoints SET delete_time = now() - interval '60 days'");
  PgMaintenanceStore maintenance(Options(SessionKind::kGeneral));
  ASSERT_TRUE(maintenance.SweepSmall({}).ok());
  ASSERT_TRUE(dispatch_.RecordLate(AnsweredOutcome(late), {}).ok());
  const auto erased = purges_.PurgeOrg("org", [] { return true; });
  ASSERT_TRUE(erased.ok()) << erased.status();
  EXPECT_EQ(erased->attempts, 1);
  EXPECT_EQ(Value("SELECT count(*) FROM attempts"), "0");
}

TEST_F(PurgeStoreTest, AnOrgsLogIsErasedInMoreStepsThanOneAndNobodyElses) {
  NewEndpoint();
  NewEndpoint({}, Tenant{"other", "env"});
  NewEndpoint();
  ASSERT_TRUE(Record({OutcomeOf(Lease(1).at(0), AttemptOutcome::kSucceeded)}).ok());
  // 2500 attempts for each endpoint, the other org's too.
  Execute(
      "INSERT INTO attempts SELECT ulid_at(now()), ulid_at(now()), event_id, p.endpoint_id, "
      "p.env_no, number, origin, start_time, duration_us, outcome, http_status, error, "
      "remote_address, send_count, response_headers, response_body, response_body_truncated, "
      "phases_us, NULL, commit_xid FROM attempts, endpoints p, generate_series(1, 2500)");
  const auto erased = purges_.PurgeOrg("org", [] { return true; });
  ASSERT_TRUE(erased.ok()) << erased.status();
  EXPECT_EQ(erased->attempts, 5001);
  EXPECT_THAT(
      Rows("SELECT org_id, count(*) FROM attempts JOIN environments USING (env_no) GROUP BY 1"),
      ElementsAre("other|2500"));
}

TEST_F(PurgeStoreTest, AnOrgsKeysGoInEveryWindow) {
  Accept({MakeEvent("t", "a"), MakeEvent("t", "b")}, {});
  NewEvent other = MakeEvent("t", "a");
  other.tenant = {"other", "env"};
  Accept({other}, {});
  Execute(
      "SELECT make_day(now()::date - n) FROM generate_series(1, 2) AS n;"
      "INSERT INTO idempotency_keys SELECT window_start - interval '1 hour', env_no, key, "
      "event_id, "
      "content_digest, given_event_time, delivery_count, create_time FROM idempotency_keys");
  ASSERT_TRUE(purges_.PurgeOrg("org", [] { return true; }).ok());
  EXPECT_THAT(Rows("SELECT DISTINCT org_id FROM idempotency_keys JOIN environments USING (env_no)"),
              ElementsAre("other"));
  EXPECT_EQ(Value("SELECT count(*) > 1 FROM idempotency_keys"), "t");
}

}  // namespace
}  // namespace postrider

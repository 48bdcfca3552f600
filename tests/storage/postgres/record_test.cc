// What an attempt came to, written down (storage/sql/record.sql, leases_held.sql).

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

class RecordTest : public StoreTest {
 protected:
  std::vector<Attempt> LogOf(DeliveryId id) {
    AttemptFilter filter;
    filter.delivery_id = id;
    const auto page = deliveries_.ListAttempts(filter, {}, 1 << 20);
    EXPECT_TRUE(page.ok()) << page.status();
    return page.ok() ? page->rows : std::vector<Attempt>();
  }

  std::vector<DeliveryId> Held(const std::vector<LeaseRef>& leases) {
    const auto held = dispatch_.LeasesHeld(leases);
    EXPECT_TRUE(held.ok()) << held.status();
    std::vector<DeliveryId> ids;
    if (held.ok()) {
      for (const LeaseRef& lease : *held) ids.push_back(lease.id);
    }
    return ids;
  }

  // That a record is refused and leaves no trace, with a count that would have left one.
  void ExpectRefused(const std::vector<OutcomeRecord>& outcomes, EndpointId endpoint) {
    const std::string before = database_->Dump();
    EndpointTally tally;
    tally.endpoint_id = endpoint;
    tally.leading_failures = tally.longest_run = tally.trailing_failures = 1;
    tally.threshold = 1;
    const auto recorded = dispatch_.Record(outcomes, {tally});
    EXPECT_EQ(recorded.status().code(), absl::StatusCode::kAborted) << recorded.status();
    EXPECT_EQ(database_->Dump(), before);
  }
};

TEST_F(RecordTest, ASuccessClosesTheDelivery) {
  const EndpointId endpoint = NewEndpoint();
  const Leased leased = Lease(1, "message.received")[0];
  const OutcomeRecord record = OutcomeOf(leased, AttemptOutcome::kSucceeded);
  ASSERT_TRUE(Record({record}).ok());
  const auto delivery = deliveries_.Get(leased.id);
  ASSERT_TRUE(delivery.ok()) << delivery.status();
  EXPECT_EQ(delivery->event_id, leased.event_id);
  EXPECT_EQ(delivery->endpoint_id, endpoint);
  EXPECT_EQ(delivery->tenant, tenant_);
  EXPECT_EQ(delivery->event_type, "message.received");
  EXPECT_EQ(delivery->origin, DeliveryOrigin::kPublish);
  EXPECT_EQ(delivery->state, DeliveryState::kSucceeded);
  EXPECT_EQ(delivery->state_reason, StateReason::kNone);
  EXPECT_EQ(delivery->attempt_count, 1);
  EXPECT_EQ(delivery->next_attempt_time, std::nullopt);
  EXPECT_EQ(Ulid::FloorOf(delivery->create_time), Ulid::FloorOf(leased.id.ulid.time()));
  EXPECT_EQ(delivery->complete_time,
            absl::FromUnixMicros(absl::ToUnixMicros(record.complete_time)));
  EXPECT_EQ(Value("SELECT count(*) FROM open_deliveries"), "0");
  EXPECT_EQ(Value("SELECT lease_token FROM closed_deliveries"), "");
}

TEST_F(RecordTest, AFailureWaitsForItsRetry) {
  NewEndpoint();
  const std::vector<Leased> leased = Lease(2);
  OutcomeRecord uses = OutcomeOf(leased[0], AttemptOutcome::kHttpStatus);
  OutcomeRecord uses_none = OutcomeOf(leased[1], AttemptOutcome::kTimeout);
  uses_none.uses_retry = false;
  ASSERT_TRUE(Record({uses, uses_none}).ok());
  EXPECT_EQ(Value("SELECT count(*) FROM closed_deliveries"), "0");
  EXPECT_THAT(Rows(absl::StrCat("SELECT attempt_count, failure_count, lost_claims, lease_node, "
                                "lease_expire_time FROM open_deliveries ORDER BY failure_count")),
              ElementsAre("1|0|0||", "1|1|0||"));
  const auto delivery = deliveries_.Get(leased[0].id);
  ASSERT_TRUE(delivery.ok()) << delivery.status();
  EXPECT_EQ(delivery->state, DeliveryState::kPending);
  EXPECT_EQ(delivery->next_attempt_time,
            absl::FromUnixMicros(absl::ToUnixMicros(uses.next_attempt_time)));
  EXPECT_EQ(delivery->complete_time, std::nullopt);
}

TEST_F(RecordTest, DeliveriesEndInTheStateAndForTheReasonThatIsGiven) {
  NewEndpoint();
  const std::vector<Leased> leased = Lease(3);
  std::vector<OutcomeRecord> records;
  for (const Leased& one : leased) {
    records.push_back(OutcomeOf(one, AttemptOutcome::kHttpStatus));
  }
  records[0].state = DeliveryState::kFailed;
  records[0].state_reason = StateReason::kExhausted;
  records[1].state = DeliveryState::kFailed;
  records[1].state_reason = StateReason::kGone;
  records[2].state = DeliveryState::kCanceled;
  records[2].state_reason = StateReason::kEndpointDeleted;
  ASSERT_TRUE(Record(records).ok());
  for (size_t i = 0; i < records.size(); ++i) {
    const auto delivery = deliveries_.Get(leased[i].id);
    ASSERT_TRUE(delivery.ok()) << delivery.status();
    EXPECT_EQ(delivery->state, records[i].state);
    EXPECT_EQ(delivery->state_reason, records[i].state_reason);
  }
}

TEST_F(RecordTest, EveryFieldOfAnAttemptIsLogged) {
  NewEndpoint();
  const Leased leased = Lease(1)[0];
  Execute("UPDATE open_deliveries SET origin = 3");
  OutcomeRecord record = OutcomeOf(leased, AttemptOutcome::kHttpStatus);
  Attempt& attempt = record.attempt;
  attempt.start_time = absl::FromUnixMicros(1772980200123456);
  attempt.duration = absl::Microseconds(int64_t{5000000000});  // over 2^32
  attempt.http_status = 503;
  attempt.error = "HTTP 503: überlastet";
  attempt.remote_address = "[2001:db8::1]:443";
  attempt.send_count = 1;
  attempt.response_headers = {{"Retry-After", "120"}, {"Set-Cookie", "a"}, {"Set-Cookie", "b: c"}};
  attempt.response_body = std::string("\0\xff{}\r\n", 6);
  attempt.response_body_truncated = true;
  attempt.phases = {absl::Microseconds(1), absl::Microseconds(2), absl::Microseconds(3),
                    absl::Microseconds(4)};
  ASSERT_TRUE(Record({record}).ok());
  const std::vector<Attempt> log = LogOf(leased.id);
  ASSERT_THAT(log, SizeIs(1));
  EXPECT_EQ(log[0].id, attempt.id);
  EXPECT_EQ(log[0].delivery_id, leased.id);
  EXPECT_EQ(log[0].event_id, leased.event_id);
  EXPECT_EQ(log[0].endpoint_id, leased.endpoint_id);
  EXPECT_EQ(log[0].number, 1);
  EXPECT_EQ(log[0].origin, DeliveryOrigin::kRecovery);
  EXPECT_EQ(log[0].start_time, attempt.start_time);
  EXPECT_EQ(log[0].duration, attempt.duration);
  EXPECT_EQ(log[0].outcome, AttemptOutcome::kHttpStatus);
  EXPECT_EQ(log[0].http_status, 503);
  EXPECT_EQ(log[0].error, attempt.error);
  EXPECT_EQ(log[0].remote_address, attempt.remote_address);
  EXPECT_EQ(log[0].send_count, 1);
  EXPECT_EQ(log[0].response_headers, attempt.response_headers);
  EXPECT_EQ(log[0].response_body, attempt.response_body);
  EXPECT_TRUE(log[0].response_body_truncated);
  EXPECT_EQ(log[0].phases.dns, attempt.phases.dns);
  EXPECT_EQ(log[0].phases.connect, attempt.phases.connect);
  EXPECT_EQ(log[0].phases.tls, attempt.phases.tls);
  EXPECT_EQ(log[0].phases.first_byte, attempt.phases.first_byte);
  EXPECT_EQ(Value("SELECT lease_token FROM attempts"), "");
  EXPECT_EQ(Value("SELECT count(*) FROM attempts a, environments v WHERE v.env_no = a.env_no AND "
                  "a.commit_xid = a.xmin::text::bigint"),
            "1");
}

TEST_F(RecordTest, AttemptsAreNumberedWithoutHoles) {
  const EndpointId endpoint = NewEndpoint();
  Leased leased = Lease(1)[0];
  for (int n = 1; n <= 4; ++n) {
    OutcomeRecord record =
        OutcomeOf(leased, n == 4 ? AttemptOutcome::kSucceeded : AttemptOutcome::kConnection);
    record.next_attempt_time = DatabaseTime();
    ASSERT_TRUE(Record({record}).ok());
    if (n < 4) leased = Claim(endpoint, 1).at(0);
  }
  std::vector<int32_t> numbers;
  for (const Attempt& attempt : LogOf(leased.id)) numbers.push_back(attempt.number);
  EXPECT_THAT(numbers, ElementsAre(4, 3, 2, 1));
  EXPECT_THAT(Rows("SELECT attempt_count FROM closed_deliveries"), ElementsAre("4"));
}

TEST_F(RecordTest, ABatchMayHoldNothing) { EXPECT_TRUE(Record({}).ok()); }

TEST_F(RecordTest, OneWrongTokenRefusesTheWholeBatch) {
  const EndpointId endpoint = NewEndpoint();
  const std::vector<Leased> leased = Lease(3);
  std::vector<OutcomeRecord> records = {OutcomeOf(leased[0], AttemptOutcome::kSucceeded),
                                        OutcomeOf(leased[1], AttemptOutcome::kHttpStatus),
                                        OutcomeOf(leased[2], AttemptOutcome::kSucceeded)};
  for (OutcomeRecord& wrong : records) {
    ++wrong.lease_token;
    ExpectRefused(records, endpoint);
    --wrong.lease_token;
  }
  EXPECT_TRUE(Record(records).ok());
}

TEST_F(RecordTest, AReleasedLeaseIsNoLease) {
  const EndpointId endpoint = NewEndpoint();
  const Leased leased = Lease(1)[0];
  ASSERT_TRUE(dispatch_.Release({{leased.id, leased.token}}).ok());
  ExpectRefused({OutcomeOf(leased, AttemptOutcome::kSucceeded)}, endpoint);
  ExpectRefused({OutcomeOf(leased, AttemptOutcome::kHttpStatus)}, endpoint);
}

TEST_F(RecordTest, TheTokenOfAnEarlierLeaseIsWorthNothing) {
  const EndpointId endpoint = NewEndpoint();
  const Leased old = Lease(1)[0];
  ASSERT_TRUE(dispatch_.Release({{old.id, old.token}}).ok());
  const Leased now = Claim(endpoint, 1).at(0);
  ExpectRefused({OutcomeOf(old, AttemptOutcome::kSucceeded)}, endpoint);
  EXPECT_TRUE(Record({OutcomeOf(now, AttemptOutcome::kSucceeded)}).ok());
}

TEST_F(RecordTest, AnOutcomeIsRecordedOnce) {
  const EndpointId endpoint = NewEndpoint();
  for (AttemptOutcome outcome : {AttemptOutcome::kSucceeded, AttemptOutcome::kHttpStatus}) {
    const OutcomeRecord record = OutcomeOf(Lease(1)[0], outcome);
    ASSERT_TRUE(Record({record}).ok());
    ExpectRefused({record}, endpoint);
  }
}

TEST_F(RecordTest, WhatWasCanceledUnderItsAttemptIsNotRecordedAsIfItWereOpen) {
  const EndpointId endpoint = NewEndpoint();
  const Leased leased = Lease(1)[0];
  ASSERT_TRUE(deliveries_.Cancel(leased.id).ok());
  ExpectRefused({OutcomeOf(leased, AttemptOutcome::kSucceeded)}, endpoint);
}

TEST_F(RecordTest, LeasesHeldAreThoseThatCouldBeRecorded) {
  const EndpointId endpoint = NewEndpoint();
  const std::vector<Leased> leased = Lease(5);
  ASSERT_TRUE(Record({OutcomeOf(leased[0], AttemptOutcome::kSucceeded),
                      OutcomeOf(leased[1], AttemptOutcome::kHttpStatus)})
                  .ok());
  ASSERT_TRUE(dispatch_.Release({{leased[2].id, leased[2].token}}).ok());
  const Leased again = Claim(endpoint, 1).at(0);
  std::vector<LeaseRef> asked;
  for (const Leased& one : leased) asked.push_back({one.id, one.token});
  EXPECT_THAT(Held(asked), ElementsAre(leased[3].id, leased[4].id));
  EXPECT_THAT(Held({{leased[2].id, leased[2].token}, {again.id, again.token}}),
              ElementsAre(again.id));
  EXPECT_THAT(Held({{leased[3].id, again.token}}), IsEmpty());
  EXPECT_THAT(Held({}), IsEmpty());
}

}  // namespace
}  // namespace postrider

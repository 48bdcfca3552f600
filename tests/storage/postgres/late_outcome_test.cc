// An outcome that comes after its lease was lost (SEMANTICS, "Attempts and crashes";
// storage/sql/record_late.sql).

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

class LateOutcomeTest : public StoreTest {
 protected:
  // A delivery whose node was declared dead while its attempt ran.
  Leased Abandoned() {
    NewEndpoint();
    const Leased leased = Lease(1).at(0);
    EXPECT_TRUE(dispatch_.TakeOver({1}, {}, 10, absl::Seconds(30)).ok());
    return leased;
  }

  // Whether it counts for its endpoint.
  bool RecordLate(const OutcomeRecord& outcome) {
    const EndpointTally one_failure{outcome.attempt.endpoint_id, 1, 1, 1};
    const auto counts = dispatch_.RecordLate(outcome, {one_failure});
    EXPECT_TRUE(counts.ok()) << counts.status();
    return counts.ok() && !counts->empty();
  }

  std::vector<std::string> Log() {
    return Rows("SELECT number, outcome, http_status, lease_token FROM attempts ORDER BY number");
  }
  std::vector<std::string> Open() {
    return Rows(
        "SELECT attempt_count, failure_count, lost_claims, lease_node FROM open_deliveries");
  }
  std::vector<std::string> Closed() {
    return Rows("SELECT state, state_reason, attempt_count, lease_token FROM closed_deliveries");
  }
};

TEST_F(LateOutcomeTest, ASuccessEndsADeliveryThatStillWaits) {
  const Leased lost = Abandoned();
  const OutcomeRecord outcome = OutcomeOf(lost, AttemptOutcome::kSucceeded);
  EXPECT_FALSE(RecordLate(outcome));
  EXPECT_THAT(Log(), ElementsAre("1|1|200|"));
  EXPECT_THAT(Open(), IsEmpty());
  EXPECT_THAT(Closed(), ElementsAre("3|0|1|"));
  const auto delivery = deliveries_.Get(lost.id);
  ASSERT_TRUE(delivery.ok()) << delivery.status();
  EXPECT_EQ(delivery->complete_time,
            absl::FromUnixMicros(absl::ToUnixMicros(outcome.complete_time)));
}

TEST_F(LateOutcomeTest, EveryFieldOfTheAbandonedRowIsCompleted) {
  const Leased lost = Abandoned();
  const std::string id = Value("SELECT attempt_id FROM attempts");
  OutcomeRecord outcome = OutcomeOf(lost, AttemptOutcome::kHttpStatus);
  Attempt& attempt = outcome.attempt;
  attempt.start_time = absl::FromUnixMicros(1772980200123456);
  attempt.error = "HTTP 500";
  attempt.remote_address = "192.0.2.1:443";
  attempt.send_count = 1;
  attempt.response_headers = {{"a", "b"}};
  attempt.response_body = "no";
  attempt.response_body_truncated = true;
  attempt.phases = {absl::Microseconds(1), absl::Microseconds(2), absl::Microseconds(3),
                    absl::Microseconds(4)};
  EXPECT_FALSE(RecordLate(outcome));
  EXPECT_THAT(
      Rows("SELECT attempt_id, number, start_time, duration_us, outcome, http_status, error, "
           "remote_address, send_count, convert_from(response_headers, 'UTF8') = E'a: b\\r\\n', "
           "convert_from(response_body, 'UTF8'), response_body_truncated, phases_us FROM attempts"),
      ElementsAre(absl::StrCat(id, "|1|2026-03-08 14:30:00.123456+00|20000|2|500|HTTP 500|",
                               "192.0.2.1:443|1|t|no|t|{1,2,3,4}")));
}

TEST_F(LateOutcomeTest, AFailureCompletesItsRowAndChangesNothingElse) {
  const Leased lost = Abandoned();
  EXPECT_FALSE(RecordLate(OutcomeOf(lost, AttemptOutcome::kHttpStatus)));
  EXPECT_THAT(Log(), ElementsAre("1|2|500|"));
  EXPECT_THAT(Open(), ElementsAre("1|0|1|"));
  EXPECT_THAT(Closed(), IsEmpty());
}

TEST_F(LateOutcomeTest, ARowIsCompletedOnce) {
  const Leased lost = Abandoned();
  RecordLate(OutcomeOf(lost, AttemptOutcome::kHttpStatus));
  const std::string before = database_->Dump();
  EXPECT_FALSE(RecordLate(OutcomeOf(lost, AttemptOutcome::kTimeout)));
  EXPECT_FALSE(RecordLate(OutcomeOf(lost, AttemptOutcome::kSucceeded)));
  EXPECT_EQ(database_->Dump(), before);
}

TEST_F(LateOutcomeTest, OnlyTheTokenThatWasLostCompletesARow) {
  Leased lost = Abandoned();
  const std::string before = database_->Dump();
  ++lost.token;
  EXPECT_FALSE(RecordLate(OutcomeOf(lost, AttemptOutcome::kSucceeded)));
  --lost.token;
  lost.id = NewId<DeliveryId>();
  EXPECT_FALSE(RecordLate(OutcomeOf(lost, AttemptOutcome::kSucceeded)));
  EXPECT_EQ(database_->Dump(), before);
}

TEST_F(LateOutcomeTest, ASuccessEndsADeliveryThatAnotherHasLeasedAndItsAttemptIsLoggedToo) {
  const Leased lost = Abandoned();
  const Leased second = Claim(lost.endpoint_id, 1).at(0);
  EXPECT_FALSE(RecordLate(OutcomeOf(lost, AttemptOutcome::kSucceeded)));
  EXPECT_THAT(Open(), IsEmpty());
  EXPECT_THAT(Closed(), ElementsAre(absl::StrCat("3|0|1|", second.token)));
  // The other's attempt finds no lease, but its token: logged, once, and it counts.
  const OutcomeRecord outcome = OutcomeOf(second, AttemptOutcome::kHttpStatus);
  EXPECT_TRUE(absl::IsAborted(Record({outcome})));
  EXPECT_TRUE(RecordLate(outcome));
  EXPECT_THAT(Log(), ElementsAre("1|1|200|", "2|2|500|"));
  EXPECT_THAT(Closed(), ElementsAre("3|0|2|"));
  EXPECT_FALSE(RecordLate(outcome));
  EXPECT_THAT(Log(), ElementsAre("1|1|200|", "2|2|500|"));
}

TEST_F(LateOutcomeTest, ASuccessDuringALaterWaitEndsTheDelivery) {
  const Leased lost = Abandoned();
  const Leased second = Claim(lost.endpoint_id, 1).at(0);
  ASSERT_TRUE(Record({OutcomeOf(second, AttemptOutcome::kHttpStatus)}).ok());
  EXPECT_FALSE(RecordLate(OutcomeOf(lost, AttemptOutcome::kSucceeded)));
  EXPECT_THAT(Log(), ElementsAre("1|1|200|", "2|2|500|"));
  EXPECT_THAT(Closed(), ElementsAre("3|0|2|"));
}

TEST_F(LateOutcomeTest, ADeliveryThatIsOverStaysAsItEnded) {
  const Leased lost = Abandoned();
  OutcomeRecord failed = OutcomeOf(Claim(lost.endpoint_id, 1).at(0), AttemptOutcome::kHttpStatus);
  failed.state = DeliveryState::kFailed;
  failed.state_reason = StateReason::kExhausted;
  ASSERT_TRUE(Record({failed}).ok());
  EXPECT_FALSE(RecordLate(OutcomeOf(lost, AttemptOutcome::kSucceeded)));
  EXPECT_THAT(Log(), ElementsAre("1|1|200|", "2|2|500|"));
  EXPECT_THAT(Closed(), ElementsAre("4|1|2|"));
}

TEST_F(LateOutcomeTest, AnAttemptWhoseDeliveryWasCanceledUnderItIsLoggedOnce) {
  NewEndpoint();
  for (AttemptOutcome outcome : {AttemptOutcome::kSucceeded, AttemptOutcome::kTimeout}) {
    const Leased leased = Lease(1).at(0);
    ASSERT_TRUE(deliveries_.Cancel(leased.id).ok());
    const OutcomeRecord record = OutcomeOf(leased, outcome);
    EXPECT_TRUE(absl::IsAborted(Record({record})));
    EXPECT_TRUE(RecordLate(record));
    EXPECT_FALSE(RecordLate(record));
    EXPECT_THAT(Rows("SELECT number, outcome, attempt_id = '" +
                     Value("SELECT max(attempt_id::text) FROM attempts") +
                     "' FROM attempts ORDER BY attempt_id DESC LIMIT 1"),
                ElementsAre(absl::StrCat("1|", static_cast<int>(outcome), "|t")));
    const auto delivery = deliveries_.Get(leased.id);
    ASSERT_TRUE(delivery.ok()) << delivery.status();
    EXPECT_EQ(delivery->state, DeliveryState::kCanceled);
    EXPECT_EQ(delivery->state_reason, StateReason::kCanceledByCaller);
    EXPECT_EQ(delivery->attempt_count, 1);
  }
  EXPECT_EQ(Value("SELECT count(*) FROM attempts"), "2");
  EXPECT_THAT(Closed(), ElementsAre("5|6|1|", "5|6|1|"));
}

TEST_F(LateOutcomeTest, AnAttemptWhoseEndpointWasDeletedUnderItIsLoggedOnce) {
  const EndpointId endpoint = NewEndpoint();
  const Leased leased = Lease(1).at(0);
  ASSERT_TRUE(endpoints_.Delete(endpoint).ok());
  EXPECT_FALSE(RecordLate(OutcomeOf(leased, AttemptOutcome::kSucceeded)));  // nobody's counter
  EXPECT_THAT(Log(), ElementsAre("1|1|200|"));
  EXPECT_THAT(Closed(), ElementsAre("5|5|1|"));
}

TEST_F(LateOutcomeTest, WhatWasCanceledWithoutAnAttemptAwaitsNone) {
  NewEndpoint();
  const Leased leased = Lease(1).at(0);
  ASSERT_TRUE(dispatch_.Release({{leased.id, leased.token}}).ok());
  ASSERT_TRUE(deliveries_.Cancel(leased.id).ok());
  EXPECT_FALSE(RecordLate(OutcomeOf(leased, AttemptOutcome::kSucceeded)));
  EXPECT_THAT(Log(), IsEmpty());
  EXPECT_THAT(Closed(), ElementsAre("5|6|0|"));
}

TEST_F(LateOutcomeTest, AReleasedLeaseLeavesNothingToComplete) {
  NewEndpoint();
  const Leased leased = Lease(1).at(0);
  ASSERT_TRUE(dispatch_.Release({{leased.id, leased.token}}).ok());
  const std::string before = database_->Dump();
  EXPECT_FALSE(RecordLate(OutcomeOf(leased, AttemptOutcome::kSucceeded)));
  EXPECT_EQ(database_->Dump(), before);
}

// A commit whose answer was lost is recorded again: the second time finds no lease.
TEST_F(LateOutcomeTest, WhatWasRecordedAlreadyIsNotRecordedAgain) {
  NewEndpoint();
  for (AttemptOutcome outcome : {AttemptOutcome::kSucceeded, AttemptOutcome::kHttpStatus}) {
    const OutcomeRecord record = OutcomeOf(Lease(1).at(0), outcome);
    ASSERT_TRUE(Record({record}).ok());
    const std::string before = database_->Dump();
    EXPECT_TRUE(absl::IsAborted(Record({record})));
    EXPECT_FALSE(RecordLate(record));
    EXPECT_EQ(database_->Dump(), before);
  }
}

}  // namespace
}  // namespace postrider

#include "server/policy/transition.h"

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace postrider::policy {
namespace {

using S = DeliveryState;
using I = DeliveryInput;
using R = StateReason;

const absl::Time kEnd = absl::FromUnixMillis(1772980200123);
constexpr S kStates[] = {S::kPending, S::kInProgress, S::kSucceeded, S::kFailed, S::kCanceled};

FailureRules Rules() { return {{DefaultSchedule(), false}, true}; }

FailureFacts Facts(int earlier_failures = 0, int http_status = 500) {
  FailureFacts facts;
  facts.earlier_failures = earlier_failures;
  facts.http_status = http_status;
  facts.attempt_end = kEnd;
  return facts;
}

Transition To(S state, R reason, bool logs_attempt) {
  Transition next;
  next.state = state;
  next.reason = reason;
  next.logs_attempt = logs_attempt;
  return next;
}

Transition Retry(absl::Duration wait) {
  Transition next = To(S::kPending, R::kNone, true);
  next.uses_retry = true;
  next.next_attempt_time = kEnd + wait;
  return next;
}

// The same, with no step of the schedule used.
Transition Again(absl::Duration wait) {
  Transition next = Retry(wait);
  next.uses_retry = false;
  return next;
}

Transition Failed(R reason) {
  Transition next = To(S::kFailed, reason, true);
  next.uses_retry = true;
  next.disables_endpoint = reason == R::kGone;
  return next;
}

// Everything that can happen to a delivery in a state that is not listed here is nothing.
struct Row {
  S state;
  I input;
  std::optional<Transition> next;
};
std::vector<Row> Table() {
  std::vector<Row> table = {
      {S::kPending, I::kClaim, To(S::kInProgress, R::kNone, false)},
      {S::kPending, I::kRelease, std::nullopt},
      {S::kPending, I::kSucceeded, std::nullopt},
      {S::kPending, I::kFailed, std::nullopt},
      {S::kPending, I::kOurOutage, std::nullopt},
      {S::kPending, I::kPoisoned, std::nullopt},
      {S::kPending, I::kAbandoned, std::nullopt},
      {S::kPending, I::kLateSuccess, To(S::kSucceeded, R::kNone, false)},
      {S::kPending, I::kCanceledByCaller, To(S::kCanceled, R::kCanceledByCaller, false)},
      {S::kPending, I::kEndpointDeleted, To(S::kCanceled, R::kEndpointDeleted, false)},
      {S::kPending, I::kExpired, To(S::kCanceled, R::kExpired, false)},
      {S::kInProgress, I::kClaim, std::nullopt},
      {S::kInProgress, I::kRelease, To(S::kPending, R::kNone, false)},
      {S::kInProgress, I::kSucceeded, To(S::kSucceeded, R::kNone, true)},
      {S::kInProgress, I::kFailed, Retry(absl::Seconds(30))},
      {S::kInProgress, I::kOurOutage, Again(absl::Seconds(2))},
      {S::kInProgress, I::kPoisoned, To(S::kFailed, R::kPoisoned, true)},
      {S::kInProgress, I::kAbandoned, To(S::kPending, R::kNone, true)},
      {S::kInProgress, I::kLateSuccess, To(S::kSucceeded, R::kNone, false)},
      {S::kInProgress, I::kCanceledByCaller, To(S::kCanceled, R::kCanceledByCaller, true)},
      {S::kInProgress, I::kEndpointDeleted, To(S::kCanceled, R::kEndpointDeleted, true)},
      {S::kInProgress, I::kExpired, To(S::kCanceled, R::kExpired, true)},
  };
  for (S state : {S::kSucceeded, S::kFailed, S::kCanceled}) {
    for (I input :
         {I::kClaim, I::kRelease, I::kSucceeded, I::kFailed, I::kOurOutage, I::kPoisoned,
          I::kAbandoned, I::kLateSuccess, I::kCanceledByCaller, I::kEndpointDeleted, I::kExpired}) {
      table.push_back({state, input, std::nullopt});
    }
  }
  return table;
}

TEST(TransitionTest, EveryStateTakesEveryInputAsTheTableSays) {
  const std::vector<Row> table = Table();
  ASSERT_EQ(table.size(), 5u * 11u);
  for (const Row& row : table) {
    EXPECT_EQ(Next(row.state, row.input, Facts(), Rules()), row.next)
        << "state " << static_cast<int>(row.state) << " input " << static_cast<int>(row.input);
  }
}

TEST(TransitionTest, TerminalStatesNeverChangeWhateverIsKnown) {
  FailureFacts gone = Facts(0, 410);
  gone.retry_after = absl::Seconds(1);
  for (S state : {S::kSucceeded, S::kFailed, S::kCanceled}) {
    EXPECT_EQ(Next(state, I::kFailed, gone, Rules()), std::nullopt);
  }
}

TEST(TransitionTest, FactsCountForFailuresAlone) {
  for (S state : kStates) {
    for (I input : {I::kClaim, I::kRelease, I::kSucceeded, I::kPoisoned, I::kAbandoned,
                    I::kLateSuccess, I::kCanceledByCaller, I::kEndpointDeleted, I::kExpired}) {
      EXPECT_EQ(Next(state, input, Facts(9, 410), {{{}, true}, true}),
                Next(state, input, Facts(), Rules()));
    }
  }
}

TEST(TransitionTest, FiveRetriesAndThenExhausted) {
  const absl::Duration kWaits[] = {absl::Seconds(30), absl::Minutes(2), absl::Minutes(10),
                                   absl::Hours(1), absl::Hours(4)};
  for (int earlier = 0; earlier < 5; ++earlier) {
    EXPECT_EQ(Next(S::kInProgress, I::kFailed, Facts(earlier), Rules()), Retry(kWaits[earlier]));
  }
  EXPECT_EQ(Next(S::kInProgress, I::kFailed, Facts(5), Rules()), Failed(R::kExhausted));
  EXPECT_EQ(Next(S::kInProgress, I::kFailed, Facts(6), Rules()), Failed(R::kExhausted));
}

TEST(TransitionTest, AShorterScheduleInForceEndsTheDelivery) {
  const FailureRules rules{{{absl::Seconds(5)}, false}, true};
  EXPECT_EQ(Next(S::kInProgress, I::kFailed, Facts(0), rules), Retry(absl::Seconds(5)));
  EXPECT_EQ(Next(S::kInProgress, I::kFailed, Facts(1), rules), Failed(R::kExhausted));
  EXPECT_EQ(Next(S::kInProgress, I::kFailed, Facts(3), rules), Failed(R::kExhausted));
}

TEST(TransitionTest, DisabledRetriesFailAtTheFirstFailure) {
  const FailureRules rules{{DefaultSchedule(), true}, true};
  EXPECT_EQ(Next(S::kInProgress, I::kFailed, Facts(), rules), Failed(R::kExhausted));
}

TEST(TransitionTest, RetryAfterAndJitterAreInTheNextTime) {
  FailureFacts facts = Facts(0, 503);
  facts.random = 0.5;
  EXPECT_EQ(Next(S::kInProgress, I::kFailed, facts, Rules()), Retry(absl::Seconds(31.5)));
  facts.retry_after = absl::Seconds(45);
  EXPECT_EQ(Next(S::kInProgress, I::kFailed, facts, Rules()), Retry(absl::Seconds(45)));
  facts.retry_after = absl::Hours(300);
  EXPECT_EQ(Next(S::kInProgress, I::kFailed, facts, Rules()), Retry(absl::Hours(24)));
}

TEST(TransitionTest, GoneFailsForGoodAndDisables) {
  EXPECT_EQ(Next(S::kInProgress, I::kFailed, Facts(0, 410), Rules()), Failed(R::kGone));
  EXPECT_EQ(Next(S::kInProgress, I::kFailed, Facts(4, 410), Rules()), Failed(R::kGone));
  // Also where it was the last retry anyway.
  EXPECT_EQ(Next(S::kInProgress, I::kFailed, Facts(5, 410), Rules()), Failed(R::kGone));
}

TEST(TransitionTest, GoneIsAFailureLikeOthersWhenTurnedOff) {
  FailureRules rules = Rules();
  rules.disable_on_gone = false;
  EXPECT_EQ(Next(S::kInProgress, I::kFailed, Facts(0, 410), rules), Retry(absl::Seconds(30)));
  EXPECT_EQ(Next(S::kInProgress, I::kFailed, Facts(5, 410), rules), Failed(R::kExhausted));
}

TEST(OutcomeTest, Only2xxIsASuccess) {
  for (int status = 100; status < 1000; ++status) {
    EXPECT_EQ(OutcomeOf(std::nullopt, status), status >= 200 && status < 300
                                                   ? AttemptOutcome::kSucceeded
                                                   : AttemptOutcome::kHttpStatus)
        << status;
  }
  EXPECT_EQ(OutcomeOf(std::nullopt, 0), AttemptOutcome::kHttpStatus);
}

TEST(OutcomeTest, WhatWentWrongInTransportCountsBeforeTheStatus) {
  for (AttemptOutcome failure :
       {AttemptOutcome::kTimeout, AttemptOutcome::kConnection, AttemptOutcome::kDns,
        AttemptOutcome::kTls, AttemptOutcome::kBlocked}) {
    EXPECT_EQ(OutcomeOf(failure, 0), failure);
    EXPECT_EQ(OutcomeOf(failure, 200), failure);  // a 200 whose body broke off
    EXPECT_EQ(OutcomeOf(failure, 503), failure);
  }
}

TEST(OutcomeTest, FailuresAreTheSixThatCount) {
  EXPECT_FALSE(IsFailure(AttemptOutcome::kSucceeded));
  EXPECT_TRUE(IsFailure(AttemptOutcome::kHttpStatus));
  EXPECT_TRUE(IsFailure(AttemptOutcome::kTimeout));
  EXPECT_TRUE(IsFailure(AttemptOutcome::kConnection));
  EXPECT_TRUE(IsFailure(AttemptOutcome::kDns));
  EXPECT_TRUE(IsFailure(AttemptOutcome::kTls));
  EXPECT_TRUE(IsFailure(AttemptOutcome::kBlocked));
  EXPECT_FALSE(IsFailure(AttemptOutcome::kAbandoned));
}

}  // namespace
}  // namespace postrider::policy

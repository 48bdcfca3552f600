// The checker finds what it is there for: a run that kept every promise passes, and each way of
// breaking one is told.

#include "tests/ledger/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace postrider::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Outcome = StoredAttempt::Outcome;

absl::Time At(double seconds) { return absl::UnixEpoch() + absl::Seconds(seconds); }

// Event 1 goes to one endpoint: a failure, a retry 2 s later that dies with its node after the
// receiver has answered 2xx, and the attempt of another node. Event 2 goes to nobody.
class CheckTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ledger_.schedule = {absl::Seconds(2)};
    ledger_.subscribers = {{"ep", {"a.b"}}};
    ledger_.publications = {
        {"k1", "a.b", {{Told::kUnknown, "", false}, {Told::kAccepted, "e1", true}}},
        {"k2", "c.d", {{Told::kRefused, "", false}, {Told::kAccepted, "e2", false}}}};
    ledger_.events = {{"e1", "k1", "a.b", 1}, {"e2", "k2", "c.d", 0}};
    ledger_.deliveries = {{"d", "e1", "ep", StoredState::kSucceeded, 3}};
    ledger_.attempts = {{"d", 1, At(0), At(1), Outcome::kHttpStatus, 500, false},
                        {"d", 2, At(3), At(3), Outcome::kAbandoned, 0, true},
                        {"d", 3, At(12), At(13), Outcome::kSucceeded, 200, false}};
    ledger_.arrivals = {{"e1", "d", "ep", 1, At(0), At(1), 500},
                        {"e1", "d", "ep", 2, At(3), At(3), 200},
                        {"e1", "d", "ep", 3, At(12), At(13), 200}};
  }

  // What is said of the ledger; all of it in one text.
  std::string Said() const {
    std::string said;
    for (const std::string& line : BrokenPromises(ledger_)) said += line + "\n";
    return said;
  }

  Ledger ledger_;
};

TEST_F(CheckTest, ARunThatKeptEveryPromisePasses) {
  EXPECT_THAT(BrokenPromises(ledger_), IsEmpty());
  const Count count = CountOf(ledger_);
  EXPECT_EQ(count.acknowledged, 2u);
  EXPECT_EQ(count.lost, 0u);
  EXPECT_EQ(count.duplicated, 1u);
  EXPECT_EQ(count.unexplained, 0u);
  EXPECT_EQ(count.abandoned, 1u);
}

TEST_F(CheckTest, AnAnswerThatTheLogDoesNotKnow) {
  ledger_.attempt_timeout = absl::Seconds(5);
  ledger_.attempts[1] = {"d", 2, At(3), At(9), Outcome::kNotAnswered, 0, true};
  EXPECT_THAT(Said(), HasSubstr("d: attempt 2 was answered with 200"));
  // The server was stopped meanwhile, and timed the attempt out when it went on.
  ledger_.attempts[1].end = At(9.5);
  EXPECT_THAT(Said(), ::testing::Not(HasSubstr("answered with 200")));
  // Nobody thought it dead.
  ledger_.attempts[1].was_abandoned = false;
  EXPECT_THAT(Said(), HasSubstr("d: attempt 2 was answered with 200"));
}

TEST_F(CheckTest, AnAcknowledgedEventThatIsNotStored) {
  ledger_.events.pop_back();
  EXPECT_THAT(BrokenPromises(ledger_), ElementsAre("k2: acknowledged as e2 and lost"));
}

TEST_F(CheckTest, AnAcknowledgedEventWithoutItsDelivery) {
  ledger_.deliveries.clear();
  ledger_.attempts.clear();
  ledger_.arrivals.clear();
  EXPECT_THAT(Said(), HasSubstr("e1: 0 deliveries to ep instead of 1"));
  EXPECT_EQ(CountOf(ledger_).lost, 1u);
}

TEST_F(CheckTest, ADeliveryToAnEndpointThatDoesNotWantTheType) {
  ledger_.deliveries.push_back({"d2", "e2", "ep", StoredState::kExhausted, 0});
  EXPECT_THAT(Said(), HasSubstr("e2: 1 deliveries to ep instead of 0"));
}

TEST_F(CheckTest, TwoDeliveriesToOneEndpoint) {
  ledger_.deliveries.push_back({"d2", "e1", "ep", StoredState::kExhausted, 0});
  EXPECT_THAT(Said(), HasSubstr("e1: 2 deliveries to ep instead of 1"));
}

TEST_F(CheckTest, TwoEventsUnderOneKey) {
  ledger_.events.push_back({"e3", "k2", "c.d", 0});
  EXPECT_THAT(Said(), HasSubstr("k2: stored 2 times"));
}

TEST_F(CheckTest, TwoIdsForOneKey) {
  ledger_.publications[1].tries.push_back({Told::kAccepted, "e1", true});
  EXPECT_THAT(Said(), HasSubstr("k2: answered with several event ids"));
}

TEST_F(CheckTest, ARefusedEventThatIsStored) {
  ledger_.publications[1].tries = {{Told::kRefused, "", false}};
  EXPECT_THAT(Said(), HasSubstr("k2: stored, although every try was refused"));
}

TEST_F(CheckTest, ADuplicateThatCannotBeOne) {
  ledger_.publications[1].tries[1].duplicate = true;
  EXPECT_THAT(Said(), HasSubstr("k2: called a duplicate at the first try"));
}

TEST_F(CheckTest, AnEventThatNobodyPublished) {
  ledger_.publications.pop_back();
  EXPECT_THAT(Said(), HasSubstr("k2: nobody published"));
}

TEST_F(CheckTest, ADeliveryThatIsNotOver) {
  ledger_.deliveries[0].state = StoredState::kOpen;
  EXPECT_THAT(Said(), HasSubstr("d: is not over"));
}

TEST_F(CheckTest, ASuccessThatNoReceiverSaw) {
  for (Arrival& arrival : ledger_.arrivals) arrival.status = 500;
  EXPECT_THAT(Said(), HasSubstr("d: succeeded, and no receiver answered 2xx"));
  EXPECT_THAT(Said(), HasSubstr("d: attempt 3 was answered with 500"));
}

TEST_F(CheckTest, ADeliveryGivenUpTooSoon) {
  ledger_.deliveries[0].state = StoredState::kExhausted;
  EXPECT_THAT(Said(), HasSubstr("d: exhausted after 1 of 2"));
}

TEST_F(CheckTest, ADeliveryThatEndedForNoReason) {
  ledger_.deliveries[0].state = StoredState::kFailedOtherwise;
  EXPECT_THAT(Said(), HasSubstr("d: ended for a reason that nobody gave"));
}

TEST_F(CheckTest, AHoleInTheNumbers) {
  ledger_.attempts[2].number = 4;
  EXPECT_THAT(Said(), HasSubstr("d: attempts are not numbered 1..n in the log"));
  EXPECT_THAT(Said(), HasSubstr("d: attempt 3 arrived and is not in the log"));
}

TEST_F(CheckTest, ANumberThatArrivedTwice) {
  ledger_.arrivals.push_back(ledger_.arrivals[2]);
  EXPECT_THAT(Said(), HasSubstr("d: attempt 3 arrived twice"));
}

TEST_F(CheckTest, AnAttemptThatArrivedBeforeTheOneBeforeIt) {
  ledger_.arrivals[1].arrived = At(20);
  EXPECT_THAT(Said(), HasSubstr("d: attempt 3 arrived before the one before it"));
}

TEST_F(CheckTest, AnAnswerThatTheLogMadeUp) {
  ledger_.arrivals.pop_back();
  EXPECT_THAT(Said(), HasSubstr("attempt 3 is in the log as answered and never arrived"));
}

TEST_F(CheckTest, ARepeatThatNoAbandonedRowExplains) {
  ledger_.attempts[1] = {"d", 2, At(3), At(3), Outcome::kSucceeded, 200, false};
  EXPECT_THAT(Said(), HasSubstr("d: sent again after 2xx, and no ABANDONED row says why"));
  EXPECT_EQ(CountOf(ledger_).unexplained, 1u);
}

TEST_F(CheckTest, ALateOutcomeOfAnAbandonedAttemptStillExplains) {
  ledger_.attempts[1] = {"d", 2, At(3), At(11), Outcome::kSucceeded, 200, true};
  EXPECT_THAT(BrokenPromises(ledger_), IsEmpty());
}

TEST_F(CheckTest, ARetryBeforeItsTime) {
  ledger_.attempts[1] = {"d", 2, At(2.5), At(3), Outcome::kSucceeded, 200, false};
  ledger_.arrivals[1].arrived = At(2.5);
  EXPECT_THAT(Said(), HasSubstr("d: attempt 2 began 500ms early by the log"));
  EXPECT_THAT(Said(), HasSubstr("d: attempt 2 arrived 500ms early"));
}

TEST_F(CheckTest, MoreAttemptsThanTheScheduleHas) {
  ledger_.attempts[1] = {"d", 2, At(3), At(4), Outcome::kHttpStatus, 500, false};
  ledger_.arrivals[1].status = 500;
  EXPECT_THAT(Said(), HasSubstr("d: attempt 3 is beyond the schedule"));
}

}  // namespace
}  // namespace postrider::testing

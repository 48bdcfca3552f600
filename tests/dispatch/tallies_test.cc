#include <vector>

#include "gtest/gtest.h"
#include "server/dispatch/recorder.h"
#include "tests/dispatch/dispatcher_test_base.h"

namespace postrider::dispatch {
namespace {

FinishedAttempt Ended(int endpoint, AttemptOutcome outcome, int threshold = 50) {
  FinishedAttempt finished;
  finished.record.attempt.endpoint_id = EndpointNo(endpoint);
  finished.record.attempt.outcome = outcome;
  finished.disable_threshold = threshold;
  return finished;
}

constexpr AttemptOutcome kGood = AttemptOutcome::kSucceeded;
constexpr AttemptOutcome kBad = AttemptOutcome::kTimeout;

TEST(TalliesTest, ABatchIsBoiledDownByEndpointSortedById) {
  const std::vector<EndpointTally> tallies =
      TalliesOf({Ended(7, kBad), Ended(2, kGood), Ended(7, kBad), Ended(2, kBad), Ended(7, kGood),
                 Ended(7, kBad)});
  ASSERT_EQ(tallies.size(), 2u);
  EXPECT_EQ(tallies[0].endpoint_id, EndpointNo(2));
  EXPECT_EQ(tallies[0].leading_failures, 0);
  EXPECT_EQ(tallies[0].longest_run, 1);
  EXPECT_EQ(tallies[0].trailing_failures, 1);
  EXPECT_TRUE(tallies[0].has_success);
  EXPECT_EQ(tallies[1].endpoint_id, EndpointNo(7));
  EXPECT_EQ(tallies[1].leading_failures, 2);
  EXPECT_EQ(tallies[1].longest_run, 2);
  EXPECT_EQ(tallies[1].trailing_failures, 1);
  EXPECT_TRUE(tallies[1].has_success);
}

TEST(TalliesTest, RedeliveriesAndRecoveriesCount) {
  for (DeliveryOrigin origin : {DeliveryOrigin::kRedelivery, DeliveryOrigin::kRecovery}) {
    FinishedAttempt finished = Ended(1, kBad);
    finished.record.attempt.origin = origin;
    const std::vector<EndpointTally> tallies = TalliesOf({finished});
    ASSERT_EQ(tallies.size(), 1u);
    EXPECT_EQ(tallies[0].leading_failures, 1);
  }
}

TEST(TalliesTest, TestsNeitherCountNorReset) {
  FinishedAttempt good = Ended(1, kGood);
  good.record.attempt.origin = DeliveryOrigin::kTest;
  FinishedAttempt bad = Ended(2, kBad);
  bad.record.attempt.origin = DeliveryOrigin::kTest;
  bad.disables_endpoint = true;
  const std::vector<EndpointTally> tallies = TalliesOf({Ended(1, kBad), good, bad, Ended(1, kBad)});
  ASSERT_EQ(tallies.size(), 1u);
  EXPECT_EQ(tallies[0].endpoint_id, EndpointNo(1));
  EXPECT_EQ(tallies[0].leading_failures, 2);
  EXPECT_FALSE(tallies[0].has_success);
}

TEST(TalliesTest, TheThresholdIsTheOneOfTheLastAttempt) {
  const std::vector<EndpointTally> tallies = TalliesOf({Ended(1, kBad, 50), Ended(1, kBad, 5)});
  ASSERT_EQ(tallies.size(), 1u);
  EXPECT_EQ(tallies[0].threshold, 5);
}

TEST(TalliesTest, OneGoneAmongManyDisables) {
  FinishedAttempt gone = Ended(1, AttemptOutcome::kHttpStatus);
  gone.disables_endpoint = true;
  const std::vector<EndpointTally> tallies = TalliesOf({gone, Ended(1, kGood), Ended(2, kGood)});
  ASSERT_EQ(tallies.size(), 2u);
  EXPECT_TRUE(tallies[0].gone);
  EXPECT_FALSE(tallies[1].gone);
}

TEST(TalliesTest, AnEmptyBatchHasNone) { EXPECT_TRUE(TalliesOf({}).empty()); }

}  // namespace
}  // namespace postrider::dispatch

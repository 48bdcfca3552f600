#include "server/dispatch/totals.h"

#include <vector>

#include "gtest/gtest.h"
#include "tests/dispatch/dispatcher_test_base.h"

namespace postrider::dispatch {
namespace {

const absl::Time kHour = absl::FromUnixSeconds(1772978400);  // 14:00:00

FinishedAttempt Ended(int endpoint, AttemptOutcome outcome, absl::Duration duration,
                      absl::Time time) {
  FinishedAttempt finished;
  finished.record.attempt.endpoint_id = EndpointNo(endpoint);
  finished.record.attempt.outcome = outcome;
  finished.record.attempt.duration = duration;
  finished.record.complete_time = time;
  return finished;
}

TEST(TotalsTest, ABucketHoldsWhatIsLessThanItsPowerOfTwo) {
  EXPECT_EQ(DurationBucket(absl::ZeroDuration()), 0);
  EXPECT_EQ(DurationBucket(absl::Microseconds(999)), 0);
  EXPECT_EQ(DurationBucket(absl::Milliseconds(1)), 1);
  EXPECT_EQ(DurationBucket(absl::Microseconds(1999)), 1);
  EXPECT_EQ(DurationBucket(absl::Milliseconds(2)), 2);
  EXPECT_EQ(DurationBucket(absl::Milliseconds(3)), 2);
  EXPECT_EQ(DurationBucket(absl::Milliseconds(4)), 3);
  EXPECT_EQ(DurationBucket(absl::Milliseconds(1023)), 10);
  EXPECT_EQ(DurationBucket(absl::Milliseconds(1024)), 11);
  EXPECT_EQ(DurationBucket(absl::Seconds(15)), 14);
  EXPECT_EQ(DurationBucket(absl::Hours(10)), 20);
}

TEST(TotalsTest, AttemptsAreCountedByEndpointHourOutcomeAndDuration) {
  Totals totals;
  const auto good = AttemptOutcome::kSucceeded;
  totals.Add({Ended(2, good, absl::Milliseconds(5), kHour),
              Ended(2, good, absl::Milliseconds(7), kHour + absl::Minutes(59)),
              Ended(2, good, absl::Milliseconds(9), kHour),
              Ended(2, AttemptOutcome::kTimeout, absl::Milliseconds(5), kHour)});
  totals.Add({Ended(2, good, absl::Milliseconds(5), kHour + absl::Minutes(60)),
              Ended(1, good, absl::Milliseconds(5), kHour)});
  EXPECT_EQ(totals.size(), 5u);
  const std::vector<EndpointTotal> taken = totals.Take();
  ASSERT_EQ(taken.size(), 5u);
  EXPECT_EQ(taken[0].endpoint_id, EndpointNo(1));
  EXPECT_EQ(taken[1].endpoint_id, EndpointNo(2));
  EXPECT_EQ(taken[1].hour, kHour);
  EXPECT_EQ(taken[1].outcome, good);
  EXPECT_EQ(taken[1].duration_bucket, 3);
  EXPECT_EQ(taken[1].count, 2);
  EXPECT_EQ(taken[2].duration_bucket, 4);
  EXPECT_EQ(taken[3].outcome, AttemptOutcome::kTimeout);
  EXPECT_EQ(taken[4].hour, kHour + absl::Hours(1));
}

TEST(TotalsTest, WhatWasTakenIsNotCountedAgain) {
  Totals totals;
  totals.Add({Ended(1, AttemptOutcome::kSucceeded, {}, kHour)});
  EXPECT_EQ(totals.Take().size(), 1u);
  EXPECT_TRUE(totals.empty());
  EXPECT_TRUE(totals.Take().empty());
}

TEST(TotalsTest, TestsAreNotCounted) {
  Totals totals;
  FinishedAttempt test = Ended(1, AttemptOutcome::kSucceeded, {}, kHour);
  test.record.attempt.origin = DeliveryOrigin::kTest;
  totals.Add({test});
  EXPECT_TRUE(totals.empty());
}

}  // namespace
}  // namespace postrider::dispatch

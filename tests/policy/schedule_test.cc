#include "server/policy/schedule.h"

#include <cmath>
#include <optional>
#include <random>
#include <vector>

#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace postrider::policy {
namespace {

using testing::ElementsAre;

const absl::Time kEnd = absl::FromUnixMillis(1772980200123);
const double kJustBelowOne = std::nextafter(1.0, 0.0);

RetryPolicy Default() { return {DefaultSchedule(), false}; }

std::optional<absl::Duration> Wait(const RetryPolicy& policy, int failures, double random = 0,
                                   std::optional<absl::Duration> retry_after = std::nullopt) {
  const auto time = NextAttemptTime(policy, failures, kEnd, retry_after, random);
  if (!time) return std::nullopt;
  return *time - kEnd;
}

TEST(ScheduleTest, DefaultIsFiveRetries) {
  EXPECT_THAT(DefaultSchedule(), ElementsAre(absl::Seconds(30), absl::Minutes(2), absl::Minutes(10),
                                             absl::Hours(1), absl::Hours(4)));
}

TEST(ScheduleTest, RetriesFollowTheEndOfTheFailedAttemptByTheirDelay) {
  EXPECT_EQ(Wait(Default(), 1), absl::Seconds(30));
  EXPECT_EQ(Wait(Default(), 2), absl::Minutes(2));
  EXPECT_EQ(Wait(Default(), 3), absl::Minutes(10));
  EXPECT_EQ(Wait(Default(), 4), absl::Hours(1));
  EXPECT_EQ(Wait(Default(), 5), absl::Hours(4));
}

TEST(ScheduleTest, NothingFollowsTheFailureOfTheFifthRetry) {
  EXPECT_EQ(Wait(Default(), 6), std::nullopt);
  EXPECT_EQ(Wait(Default(), 7), std::nullopt);
}

TEST(ScheduleTest, JitterOnlyAddsAndLessThanATenth) {
  for (int failures = 1; failures <= 5; ++failures) {
    const absl::Duration delay = DefaultSchedule()[static_cast<size_t>(failures - 1)];
    EXPECT_EQ(Wait(Default(), failures, 0.0), delay);
    EXPECT_EQ(Wait(Default(), failures, 0.5), delay * 1.05);
    EXPECT_LE(*Wait(Default(), failures, kJustBelowOne), delay * 1.1);
    EXPECT_GT(*Wait(Default(), failures, kJustBelowOne), delay * 1.0999999);
  }
}

TEST(ScheduleTest, RandomJitterStaysInItsBounds) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<double> unit(0, 1);
  for (int i = 0; i < 2000; ++i) {
    const absl::Duration delay =
        absl::Milliseconds(1000 + static_cast<int64_t>(random() % 86399001));
    const absl::Duration wait = *Wait({{delay}, false}, 1, unit(random));
    ASSERT_GE(wait, delay);
    ASSERT_LE(wait, delay * 1.1);
  }
}

TEST(ScheduleTest, AScheduleOfNDelaysMeansNRetries) {
  for (int n = 0; n <= kMaxRetries; ++n) {
    const RetryPolicy policy{std::vector<absl::Duration>(static_cast<size_t>(n), absl::Seconds(7)),
                             false};
    int retries = 0;
    while (Wait(policy, retries + 1)) ++retries;
    EXPECT_EQ(retries, n);
  }
}

TEST(ScheduleTest, DisabledRetriesMeanNone) {
  EXPECT_EQ(Wait({DefaultSchedule(), true}, 1), std::nullopt);
  EXPECT_EQ(Wait({DefaultSchedule(), true}, 1, 0, absl::Seconds(5)), std::nullopt);
}

TEST(ScheduleTest, RetryAfterMovesARetryLaterNeverEarlier) {
  EXPECT_EQ(Wait(Default(), 1, 0, absl::Seconds(90)), absl::Seconds(90));
  EXPECT_EQ(Wait(Default(), 1, 0, absl::Seconds(30)), absl::Seconds(30));
  EXPECT_EQ(Wait(Default(), 1, 0, absl::Seconds(29)), absl::Seconds(30));
  EXPECT_EQ(Wait(Default(), 1, 0, absl::ZeroDuration()), absl::Seconds(30));
  EXPECT_EQ(Wait(Default(), 5, 0, absl::Hours(3)), absl::Hours(4));
}

TEST(ScheduleTest, RetryAfterHasNoJitter) {
  EXPECT_EQ(Wait(Default(), 1, kJustBelowOne, absl::Seconds(90)), absl::Seconds(90));
  // The jittered delay of 31.5 s is the later of the two.
  EXPECT_EQ(Wait(Default(), 1, 0.5, absl::Seconds(31)), absl::Seconds(31.5));
}

TEST(ScheduleTest, RetryAfterIsBoundedByADay) {
  EXPECT_EQ(Wait(Default(), 1, 0, absl::Hours(24)), absl::Hours(24));
  EXPECT_EQ(Wait(Default(), 1, 0, absl::Hours(24) + absl::Nanoseconds(1)), absl::Hours(24));
  EXPECT_EQ(Wait(Default(), 1, 0, absl::Hours(24 * 365 * 100)), absl::Hours(24));
  EXPECT_EQ(Wait(Default(), 1, 0, absl::InfiniteDuration()), absl::Hours(24));
  // The jitter of a day's delay goes over it.
  EXPECT_EQ(Wait({{absl::Hours(24)}, false}, 1, 0.5, absl::Hours(48)), absl::Hours(24) * 1.05);
}

TEST(ScheduleTest, RetryAfterGivesNoRetryThatTheScheduleDoesNotHave) {
  EXPECT_EQ(Wait(Default(), 6, 0, absl::Seconds(5)), std::nullopt);
  EXPECT_EQ(Wait({{}, false}, 1, 0, absl::Seconds(5)), std::nullopt);
}

TEST(ScheduleTest, LimitsAreTheProducts) {
  EXPECT_EQ(kMaxRetries, 20);
  EXPECT_EQ(kMinDelay, absl::Seconds(1));
  EXPECT_EQ(kMaxDelay, absl::Hours(24));
  EXPECT_EQ(kMaxRetryAfter, absl::Hours(24));
}

}  // namespace
}  // namespace postrider::policy

// How many may run at once: halving, half of what is left, recovery, shares.

#include "server/policy/admission.h"

#include <random>
#include <vector>

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace postrider::policy {
namespace {

constexpr Instant kNow = absl::Seconds(1000);

AdmissionRules Rules(int max_in_flight, int threshold = 0) {
  AdmissionRules rules;
  rules.max_in_flight = max_in_flight;
  rules.disable_threshold = threshold;
  return rules;
}

// Starts and ends one attempt.
void Fail(Admission& admission, const AdmissionRules& rules, int times = 1) {
  for (int i = 0; i < times; ++i) {
    admission.OnStart(rules, kNow);
    admission.OnFailure(rules, kNow);
  }
}
void Succeed(Admission& admission, const AdmissionRules& rules, int times = 1) {
  for (int i = 0; i < times; ++i) {
    admission.OnStart(rules, kNow);
    admission.OnSuccess(rules);
  }
}

TEST(AdmissionTest, AHealthyEndpointHasItsWholeLimit) {
  EXPECT_EQ(Admission().Limit(Rules(32)), 32);
  EXPECT_EQ(Admission().Limit(Rules(1)), 1);
  EXPECT_EQ(Admission().Limit(Rules(1000)), 1000);
}

TEST(AdmissionTest, NoMoreThanTheLimitStart) {
  Admission admission;
  const AdmissionRules rules = Rules(3);
  Instant retry_at;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(admission.MayStart(rules, kNow, &retry_at));
    admission.OnStart(rules, kNow);
  }
  EXPECT_EQ(admission.in_flight(), 3);
  EXPECT_FALSE(admission.MayStart(rules, kNow, &retry_at));
  EXPECT_EQ(retry_at, absl::InfiniteDuration());  // when one of them ends
  admission.OnSuccess(rules);
  EXPECT_TRUE(admission.MayStart(rules, kNow, &retry_at));
}

TEST(AdmissionTest, EveryFailureHalvesTheLimitDownToOne) {
  Admission admission;
  const AdmissionRules rules = Rules(32);
  for (int expected : {16, 8, 4, 2, 1, 1, 1}) {
    Fail(admission, rules);
    EXPECT_EQ(admission.Limit(rules), expected);
  }
}

TEST(AdmissionTest, AnOddLimitIsHalvedDownwards) {
  Admission admission;
  const AdmissionRules rules = Rules(7);
  for (int expected : {3, 1, 1}) {
    Fail(admission, rules);
    EXPECT_EQ(admission.Limit(rules), expected);
  }
}

TEST(AdmissionTest, EverySuccessRaisesTheLimitUpToTheCap) {
  Admission admission;
  const AdmissionRules rules = Rules(4);
  Fail(admission, rules, 5);
  ASSERT_EQ(admission.Limit(rules), 1);
  for (int expected : {2, 3, 4, 4, 4}) {
    Succeed(admission, rules);
    EXPECT_EQ(admission.Limit(rules), expected);
  }
}

TEST(AdmissionTest, ARaisedCapIsReachedBySuccesses) {
  Admission admission;
  Fail(admission, Rules(4), 5);
  Succeed(admission, Rules(4), 10);
  EXPECT_EQ(admission.Limit(Rules(6)), 4);
  Succeed(admission, Rules(6), 2);
  EXPECT_EQ(admission.Limit(Rules(6)), 6);
}

TEST(AdmissionTest, ALoweredCapHoldsAtOnce) {
  Admission admission;
  Succeed(admission, Rules(32), 3);
  EXPECT_EQ(admission.Limit(Rules(5)), 5);
}

TEST(AdmissionTest, TheLimitIsNeverAboveHalfOfWhatIsLeftToTheThreshold) {
  for (int failures = 0; failures <= 60; ++failures) {
    Admission admission;
    admission.SetConsecutiveFailures(failures);
    const int left = failures < 50 ? 50 - failures : 0;
    const int half = left / 2 < 1 ? 1 : left / 2;
    EXPECT_EQ(admission.Limit(Rules(1000, 50)), half) << failures;
    EXPECT_EQ(admission.Limit(Rules(8, 50)), half < 8 ? half : 8) << failures;
  }
}

TEST(AdmissionTest, AnEndpointThatIsNeverDisabledHasNoSuchBound) {
  Admission admission;
  admission.SetConsecutiveFailures(100000);
  EXPECT_EQ(admission.Limit(Rules(32, 0)), 32);
}

TEST(AdmissionTest, ThresholdsOfOneToThreeLeaveOneInFlight) {
  for (int threshold : {1, 2, 3}) EXPECT_EQ(Admission().Limit(Rules(32, threshold)), 1);
  EXPECT_EQ(Admission().Limit(Rules(32, 4)), 2);
}

TEST(AdmissionTest, WhatIsInFlightNeverUsesUpTheThreshold) {
  // Whatever runs may fail together: from any counter, all of them and as many again fit.
  for (int threshold = 2; threshold <= 100; ++threshold) {
    for (int failures = 0; failures + 2 <= threshold; ++failures) {
      Admission admission;
      admission.SetConsecutiveFailures(failures);
      ASSERT_LE(failures + 2 * admission.Limit(Rules(1000, threshold)), threshold);
    }
  }
}

TEST(AdmissionTest, ASuccessResetsTheCounterAndTheBound) {
  Admission admission;
  const AdmissionRules rules = Rules(32, 50);
  Fail(admission, rules, 40);
  EXPECT_EQ(admission.consecutive_failures(), 40);
  EXPECT_EQ(admission.Limit(rules), 1);
  Succeed(admission, rules);
  EXPECT_EQ(admission.consecutive_failures(), 0);
  EXPECT_EQ(admission.Limit(rules), 2);
}

TEST(AdmissionTest, AttemptsThatCountNeitherWayOnlyEnd) {
  Admission admission;
  const AdmissionRules rules = Rules(32, 50);
  Fail(admission, rules, 2);
  admission.OnStart(rules, kNow);
  admission.OnNeutral();
  EXPECT_EQ(admission.in_flight(), 0);
  EXPECT_EQ(admission.consecutive_failures(), 2);
  EXPECT_EQ(admission.Limit(rules), 8);
}

int SumOverRanks(AdmissionRules rules, int nodes, int consecutive_failures) {
  int sum = 0;
  rules.nodes = nodes;
  for (rules.rank = 0; rules.rank < nodes; ++rules.rank) {
    Admission admission;
    admission.SetConsecutiveFailures(consecutive_failures);
    sum += admission.Limit(rules);
  }
  return sum;
}

TEST(AdmissionTest, SharesOfAllRanksAddUpToTheClustersLimit) {
  for (int cap = 1; cap <= 70; ++cap) {
    for (int nodes = 1; nodes <= 9; ++nodes) {
      EXPECT_EQ(SumOverRanks(Rules(cap), nodes, 0), cap) << cap << " over " << nodes;
      EXPECT_EQ(SumOverRanks(Rules(cap, 50), nodes, 0), cap < 25 ? cap : 25);
      EXPECT_EQ(SumOverRanks(Rules(cap, 50), nodes, 36), cap < 7 ? cap : 7);
      EXPECT_EQ(SumOverRanks(Rules(cap, 50), nodes, 49), 1);
    }
  }
}

TEST(AdmissionTest, SharesDifferByOneAtMostAndLowRanksHaveMore) {
  AdmissionRules rules = Rules(32);
  rules.nodes = 5;
  const std::vector<int> expected = {7, 7, 6, 6, 6};
  for (rules.rank = 0; rules.rank < 5; ++rules.rank) {
    EXPECT_EQ(Admission().Limit(rules), expected[static_cast<size_t>(rules.rank)]);
  }
}

TEST(AdmissionTest, AnEndpointWhoseShareFallsBelowOneBelongsToTheLowestRanks) {
  AdmissionRules rules = Rules(2);
  rules.nodes = 4;
  const std::vector<int> expected = {1, 1, 0, 0};
  for (rules.rank = 0; rules.rank < 4; ++rules.rank) {
    EXPECT_EQ(Admission().Limit(rules), expected[static_cast<size_t>(rules.rank)]);
  }
}

TEST(AdmissionTest, ANodeWithoutAShareStartsNothing) {
  AdmissionRules rules = Rules(1);
  rules.nodes = 2;
  rules.rank = 1;
  Instant retry_at;
  EXPECT_FALSE(Admission().MayStart(rules, kNow, &retry_at));
  EXPECT_EQ(retry_at, absl::InfiniteDuration());
}

TEST(AdmissionTest, InFlightNeverExceedsTheLimitAtAnyStart) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (int run = 0; run < 50; ++run) {
    const int threshold = random() % 3 == 0 ? 0 : 1 + static_cast<int>(random() % 60);
    const AdmissionRules rules = Rules(1 + static_cast<int>(random() % 40), threshold);
    Admission admission;
    Instant now = kNow;
    for (int step = 0; step < 500; ++step) {
      now += absl::Milliseconds(random() % 300);
      Instant retry_at;
      if (admission.in_flight() > 0 && random() % 2 == 0) {
        switch (random() % 3) {
          case 0:
            admission.OnSuccess(rules);
            break;
          case 1:
            admission.OnFailure(rules, now);
            break;
          default:
            admission.OnNeutral();
        }
      } else if (admission.MayStart(rules, now, &retry_at)) {
        admission.OnStart(rules, now);
        ASSERT_LE(admission.in_flight(), admission.Limit(rules));
        ASSERT_LE(admission.in_flight(), rules.max_in_flight);
      } else {
        ASSERT_GT(retry_at, now);  // never a busy wait
      }
    }
    ASSERT_GE(admission.Limit(rules), 1);
  }
}

TEST(AdmissionTest, WhatDidNotGetItsTurnLowersTheLimitToWhatDid) {
  Admission admission;
  const AdmissionRules rules = Rules(32);
  for (int i = 0; i < 10; ++i) admission.OnStart(rules, kNow);
  for (int i = 0; i < 7; ++i) admission.OnNotStarted();
  EXPECT_EQ(admission.in_flight(), 3);
  EXPECT_EQ(admission.Limit(rules), 3);
  EXPECT_EQ(admission.consecutive_failures(), 0);
  for (int i = 0; i < 3; ++i) admission.OnNotStarted();
  EXPECT_EQ(admission.Limit(rules), 1);
  Succeed(admission, rules, 5);
  EXPECT_EQ(admission.Limit(rules), 6);
}

}  // namespace
}  // namespace postrider::policy

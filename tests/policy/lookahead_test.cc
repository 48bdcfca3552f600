#include "server/policy/lookahead.h"

#include "gtest/gtest.h"

namespace postrider::policy {
namespace {

constexpr Instant kNow = absl::Seconds(1000);

TEST(LookaheadTest, BeforeAnythingEndedHalfOfTheLimitWaits) {
  EXPECT_EQ(Lookahead(32, 0), 16);
  EXPECT_EQ(Lookahead(3, 0), 1);
  EXPECT_EQ(Lookahead(1, 0), 1);
}

TEST(LookaheadTest, ATenthOfASecondOfWorkWaits) {
  EXPECT_EQ(Lookahead(32, 500), 50);
  EXPECT_EQ(Lookahead(1, 20), 2);
  EXPECT_EQ(Lookahead(1, 29.9), 2);
}

TEST(LookaheadTest, ItIsBounded) {
  EXPECT_EQ(Lookahead(32, 1e9), kMaxLookahead);
  EXPECT_EQ(Lookahead(1'000'000, 0), kMaxLookahead);
}

TEST(LookaheadTest, NothingWaitsWhereOtherNodesHaveTheEndpoint) {
  EXPECT_EQ(Lookahead(0, 1000), 0);
}

TEST(CompletionRateTest, NothingEndedIsZero) { EXPECT_EQ(CompletionRate().PerSecond(kNow), 0); }

TEST(CompletionRateTest, ASteadyRateIsFound) {
  CompletionRate rate;
  Instant now = kNow;
  for (int i = 0; i < 5000; ++i) rate.Add(now += absl::Milliseconds(2));
  EXPECT_NEAR(rate.PerSecond(now), 500, 5);
}

TEST(CompletionRateTest, ManyAtOnceCountEach) {
  CompletionRate rate;
  for (int i = 0; i < 100; ++i) rate.Add(kNow);
  EXPECT_NEAR(rate.PerSecond(kNow), 100, 1e-6);
}

TEST(CompletionRateTest, ItFadesWithinSeconds) {
  CompletionRate rate;
  for (int i = 0; i < 1000; ++i) rate.Add(kNow);
  EXPECT_NEAR(rate.PerSecond(kNow + absl::Seconds(1)), 367.9, 0.1);
  EXPECT_LT(rate.PerSecond(kNow + absl::Seconds(10)), 0.1);
}

}  // namespace
}  // namespace postrider::policy

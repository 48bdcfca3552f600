#include "server/access/allowance.h"

#include <gtest/gtest.h>

#include <vector>

namespace postrider::access {
namespace {

constexpr Instant kStart = absl::Seconds(1000);

TEST(RateTest, ASecondsWorthMayComeAtOnce) {
  Rate rate(10);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(rate.Take(1, kStart), std::nullopt) << i;
  const std::optional<absl::Duration> wait = rate.Take(1, kStart);
  ASSERT_TRUE(wait.has_value());
  EXPECT_EQ(*wait, absl::Milliseconds(100));
  EXPECT_EQ(rate.Take(1, kStart + *wait), std::nullopt);
  EXPECT_TRUE(rate.Take(1, kStart + *wait).has_value());
}

TEST(RateTest, IdleTimeSavesUpNoMoreThanASecond) {
  Rate rate(10);
  EXPECT_EQ(rate.Take(10, kStart), std::nullopt);
  const Instant later = kStart + absl::Hours(1);
  EXPECT_EQ(rate.Take(10, later), std::nullopt);
  EXPECT_TRUE(rate.Take(1, later).has_value());
}

TEST(RateTest, MoreThanASecondBringsIsLetThroughOnceAndPaidFor) {
  Rate rate(10);
  EXPECT_EQ(rate.Take(30, kStart), std::nullopt);
  EXPECT_EQ(rate.Take(1, kStart), absl::Milliseconds(2100));
  EXPECT_TRUE(rate.Take(30, kStart + absl::Seconds(2)).has_value());
  EXPECT_EQ(rate.Take(30, kStart + absl::Seconds(3)), std::nullopt);
}

TEST(RateTest, ZeroIsNoLimit) {
  Rate rate(0);
  EXPECT_EQ(rate.Take(1e9, kStart), std::nullopt);
}

TEST(RateTest, AClockThatStandsStillBringsNothing) {
  Rate rate(1);
  EXPECT_EQ(rate.Take(1, kStart), std::nullopt);
  EXPECT_TRUE(rate.Take(1, kStart - absl::Seconds(5)).has_value());
  EXPECT_TRUE(rate.Take(1, kStart).has_value());
}

TEST(PlacesTest, APlaceIsTakenUntilItsLastCopyIsGone) {
  auto places = std::make_unique<Places>(2);
  Places::Place first = places->Take();
  Places::Place copy = first;
  Places::Place second = places->Take();
  EXPECT_NE(second, nullptr);
  EXPECT_EQ(places->Take(), nullptr);
  EXPECT_EQ(places->taken(), 2);
  first.reset();
  EXPECT_EQ(places->Take(), nullptr);
  copy.reset();
  EXPECT_EQ(places->taken(), 1);
  EXPECT_NE(places->Take(), nullptr);
  // A place may outlive what it was taken of.
  places.reset();
  second.reset();
}

}  // namespace
}  // namespace postrider::access

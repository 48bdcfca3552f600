#include "tests/bench/latency_histogram.h"

#include <gtest/gtest.h>

#include <memory>

namespace postrider::bench {
namespace {

TEST(LatencyHistogramTest, WithoutDurationsEveryQuantileIsZero) {
  const auto histogram = std::make_unique<LatencyHistogram>();
  EXPECT_EQ(histogram->count(), 0);
  EXPECT_EQ(histogram->Quantile(0.5), absl::ZeroDuration());
}

TEST(LatencyHistogramTest, QuantilesAreNoMoreThanAHundredthTooLong) {
  for (absl::Duration step : {absl::Nanoseconds(1), absl::Microseconds(7), absl::Milliseconds(3)}) {
    const auto histogram = std::make_unique<LatencyHistogram>();
    for (int i = 1; i <= 1000; ++i) histogram->Add(i * step);
    EXPECT_EQ(histogram->count(), 1000);
    for (double part : {0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0}) {
      const absl::Duration exact = part * 1000 * step;
      EXPECT_GE(histogram->Quantile(part), exact - absl::Nanoseconds(1)) << part << " of " << step;
      EXPECT_LE(histogram->Quantile(part), 1.01 * exact) << part << " of " << step;
    }
  }
}

TEST(LatencyHistogramTest, WhatIsOutOfRangeCountsAsTheNearestEnd) {
  const auto histogram = std::make_unique<LatencyHistogram>();
  histogram->Add(-absl::Seconds(1));
  EXPECT_EQ(histogram->Quantile(1), absl::ZeroDuration());
  histogram->Add(absl::Hours(24));
  EXPECT_GT(histogram->Quantile(1), absl::Minutes(18));
  EXPECT_EQ(histogram->count(), 2);
  histogram->Clear();
  EXPECT_EQ(histogram->count(), 0);
}

}  // namespace
}  // namespace postrider::bench

// Durations counted in buckets that are narrow where durations are short, as in HdrHistogram.

#ifndef POSTRIDER_TESTS_BENCH_LATENCY_HISTOGRAM_H_
#define POSTRIDER_TESTS_BENCH_LATENCY_HISTOGRAM_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

namespace postrider::bench {

// From 0 to about 18 minutes, each bucket at most 1/128 as wide as its values; longer durations
// count as the longest. Holds no pointers, so it may lie in memory that processes share.
// Thread-safe.
class LatencyHistogram {
 public:
  void Add(absl::Duration duration);

  int64_t count() const;

  // The upper end of the bucket that holds the given part of all durations, in (0, 1]; zero when
  // there are none.
  absl::Duration Quantile(double part) const;

  void Clear();

 private:
  static constexpr int kPrecisionBits = 7;
  static constexpr int kLargestBits = 40;  // of nanoseconds
  static constexpr size_t kBuckets = static_cast<size_t>(kLargestBits - kPrecisionBits + 1)
                                     << kPrecisionBits;

  static size_t BucketOf(uint64_t nanoseconds);
  static uint64_t UpperEndOf(size_t bucket);

  std::array<std::atomic<uint64_t>, kBuckets> counts_{};
};

}  // namespace postrider::bench

#endif  // POSTRIDER_TESTS_BENCH_LATENCY_HISTOGRAM_H_

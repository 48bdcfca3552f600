#include "tests/bench/latency_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace postrider::bench {

size_t LatencyHistogram::BucketOf(uint64_t nanoseconds) {
  nanoseconds = std::min(nanoseconds, (uint64_t{1} << kLargestBits) - 1);
  const int bits = std::bit_width(nanoseconds);
  if (bits <= kPrecisionBits) return nanoseconds;
  // The bits after the first one are the place among the buckets of this size.
  const int dropped = bits - kPrecisionBits - 1;
  return (static_cast<size_t>(dropped) << kPrecisionBits) + (nanoseconds >> dropped);
}

uint64_t LatencyHistogram::UpperEndOf(size_t bucket) {
  constexpr size_t kPerSize = size_t{1} << kPrecisionBits;
  if (bucket < 2 * kPerSize) return bucket;
  const size_t dropped = (bucket >> kPrecisionBits) - 1;
  const uint64_t first = (bucket & (kPerSize - 1)) | kPerSize;
  return ((first + 1) << dropped) - 1;
}

void LatencyHistogram::Add(absl::Duration duration) {
  const int64_t nanoseconds = std::max<int64_t>(0, absl::ToInt64Nanoseconds(duration));
  counts_[BucketOf(static_cast<uint64_t>(nanoseconds))].fetch_add(1, std::memory_order_relaxed);
}

int64_t LatencyHistogram::count() const {
  uint64_t sum = 0;
  for (const std::atomic<uint64_t>& count : counts_) sum += count.load(std::memory_order_relaxed);
  return static_cast<int64_t>(sum);
}

absl::Duration LatencyHistogram::Quantile(double part) const {
  const auto wanted = static_cast<uint64_t>(std::ceil(part * static_cast<double>(count())));
  if (wanted == 0) return absl::ZeroDuration();
  uint64_t seen = 0;
  for (size_t bucket = 0; bucket < kBuckets; ++bucket) {
    seen += counts_[bucket].load(std::memory_order_relaxed);
    if (seen >= wanted) return absl::Nanoseconds(static_cast<int64_t>(UpperEndOf(bucket)));
  }
  return absl::Nanoseconds(static_cast<int64_t>(UpperEndOf(kBuckets - 1)));
}

void LatencyHistogram::Clear() {
  for (std::atomic<uint64_t>& count : counts_) count.store(0, std::memory_order_relaxed);
}

}  // namespace postrider::bench

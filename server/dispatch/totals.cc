#include "server/dispatch/totals.h"

namespace postrider::dispatch {

int32_t DurationBucket(absl::Duration duration) {
  constexpr int32_t kLast = 20;
  int64_t ms = absl::ToInt64Milliseconds(duration);
  int32_t bucket = 0;
  for (; ms > 0 && bucket < kLast; ms >>= 1) ++bucket;
  return bucket;
}

void Totals::Add(const std::vector<FinishedAttempt>& batch) {
  for (const FinishedAttempt& finished : batch) {
    const Attempt& attempt = finished.record.attempt;
    if (!finished.counts || attempt.origin == DeliveryOrigin::kTest) continue;
    const int64_t seconds = absl::ToUnixSeconds(finished.record.complete_time);
    const absl::Time hour = absl::FromUnixSeconds(seconds - seconds % 3600);
    ++counts_[{attempt.endpoint_id, hour, attempt.outcome, DurationBucket(attempt.duration)}];
  }
}

std::vector<EndpointTotal> Totals::Take() {
  std::vector<EndpointTotal> totals;
  totals.reserve(counts_.size());
  for (const auto& [key, count] : counts_) {
    const auto& [endpoint_id, hour, outcome, bucket] = key;
    totals.push_back({endpoint_id, hour, outcome, bucket, count});
  }
  counts_.clear();
  return totals;
}

}  // namespace postrider::dispatch

#include "server/access/allowance.h"

#include <algorithm>

namespace postrider::access {

Rate::Rate(double per_second) : per_second_(per_second), level_(per_second) {}

std::optional<absl::Duration> Rate::Take(double count, Instant now) {
  if (per_second_ <= 0) return std::nullopt;
  absl::MutexLock lock(&mutex_);
  if (filled_at_ && now > *filled_at_) {
    level_ = std::min(per_second_, level_ + per_second_ * absl::ToDoubleSeconds(now - *filled_at_));
  }
  if (!filled_at_ || now > *filled_at_) filled_at_ = now;
  // What is larger than the bucket needs a full one.
  const double needed = std::min(count, per_second_);
  if (level_ < needed) return absl::Seconds((needed - level_) / per_second_);
  level_ -= count;
  return std::nullopt;
}

Places::Place Places::Take() {
  if (taken_->fetch_add(1, std::memory_order_relaxed) >= limit_) {
    taken_->fetch_sub(1, std::memory_order_relaxed);
    return nullptr;
  }
  return Place(taken_.get(),
               [taken = taken_](void*) { taken->fetch_sub(1, std::memory_order_relaxed); });
}

}  // namespace postrider::access

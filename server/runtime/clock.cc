#include "server/runtime/clock.h"

#include <time.h>

#include <algorithm>

namespace postrider {

Instant MonotonicNow() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return absl::DurationFromTimespec(now);
}

void DatabaseClock::Synchronize(absl::Time database_time, Instant sent, Instant received) {
  const absl::Time base = database_time - (sent + (received - sent) / 2);
  absl::MutexLock lock(&mutex_);
  base_ = base;
}

absl::Time DatabaseClock::Now() const {
  const Instant now = monotonic_();
  absl::MutexLock lock(&mutex_);
  if (!base_) return absl::InfinitePast();
  last_ = std::max(last_, *base_ + now);
  return last_;
}

absl::Time DatabaseClock::At(Instant instant) const {
  absl::MutexLock lock(&mutex_);
  return base_ ? *base_ + instant : absl::InfinitePast();
}

}  // namespace postrider

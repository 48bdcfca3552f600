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
  Bases now{database_time - received, database_time - sent, received};
  absl::MutexLock lock(&mutex_);
  if (bases_) {
    const absl::Duration drift = kMaxDrift * std::max(received - bases_->known_at, Instant());
    const absl::Time first = std::max(now.first, bases_->first - drift);
    const absl::Time last = std::min(now.last, bases_->last + drift);
    if (first <= last) now = {first, last, received};
  }
  bases_ = now;
}

absl::Time DatabaseClock::Now() const {
  const Instant now = monotonic_();
  absl::MutexLock lock(&mutex_);
  if (!bases_) return absl::InfinitePast();
  last_ = std::max(last_, bases_->Middle() + now);
  return last_;
}

absl::Time DatabaseClock::At(Instant instant) const {
  absl::MutexLock lock(&mutex_);
  return bases_ ? bases_->Middle() + instant : absl::InfinitePast();
}

}  // namespace postrider

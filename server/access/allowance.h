// How much somebody may use: a rate with a burst of one second, and calls at the same time.

#pragma once

#include <atomic>
#include <memory>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/runtime/clock.h"

namespace postrider::access {

// A bucket that holds what a second brings. One larger request is let through when the bucket is
// full, and what follows waits until its debt is paid. Thread-safe.
class Rate {
 public:
  // 0: without limit.
  explicit Rate(double per_second);

  // Takes `count`, or says how long to wait until one more fits, and takes nothing.
  std::optional<absl::Duration> Take(double count, Instant now);

 private:
  const double per_second_;
  absl::Mutex mutex_;
  double level_ ABSL_GUARDED_BY(mutex_);
  std::optional<Instant> filled_at_ ABSL_GUARDED_BY(mutex_);
};

// Counts what is in use at the same time. Thread-safe.
class Places {
 public:
  explicit Places(int limit) : limit_(limit), taken_(std::make_shared<std::atomic<int>>(0)) {}

  // A place, until the last copy of it is gone, which may be after this object. Null: none is free.
  using Place = std::shared_ptr<void>;
  Place Take();
  int taken() const { return *taken_; }

 private:
  const int limit_;
  const std::shared_ptr<std::atomic<int>> taken_;
};

}  // namespace postrider::access

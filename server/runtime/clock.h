// Two clocks, two types. Instants are monotonic and measure waits; absl::Time is the database's
// time and is what is stored, signed and due. A node's own wall clock is never asked, so that it
// may jump by hours without any effect (SEMANTICS, "Time").

#pragma once

#include <functional>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace postrider {

// Time since an arbitrary start.
using Instant = absl::Duration;

// CLOCK_MONOTONIC. Thread-safe.
Instant MonotonicNow();

// The database's time between exchanges with it: what it said, and the monotonic time that passed
// since. Off by half of the shortest exchange at most, and by what the clocks drifted apart since:
// a slow exchange makes it no worse. Never steps back. Thread-safe.
class DatabaseClock {
 public:
  // How fast the two clocks may drift apart: twice what NTP may slew one by.
  static constexpr double kMaxDrift = 0.001;

  // `monotonic`: the clock that is added. Thread-safe; a simulation has its own.
  explicit DatabaseClock(std::function<Instant()> monotonic = MonotonicNow)
      : monotonic_(std::move(monotonic)) {}

  Instant Monotonic() const { return monotonic_(); }

  // An exchange: the database said `database_time` at some moment between the two instants. One
  // that contradicts what was known means that the database's clock was set.
  void Synchronize(absl::Time database_time, Instant sent, Instant received);

  // Before the first exchange: the infinite past.
  absl::Time Now() const;
  absl::Time At(Instant instant) const;

 private:
  const std::function<Instant()> monotonic_;
  mutable absl::Mutex mutex_;
  // database time = base + instant, for a base between these two, as of the last exchange.
  struct Bases {
    absl::Time first;
    absl::Time last;
    Instant known_at;
    absl::Time Middle() const { return first + (last - first) / 2; }
  };
  std::optional<Bases> bases_ ABSL_GUARDED_BY(mutex_);
  mutable absl::Time last_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
};

}  // namespace postrider

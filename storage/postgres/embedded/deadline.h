#ifndef POSTRIDER_STORAGE_POSTGRES_EMBEDDED_DEADLINE_H_
#define POSTRIDER_STORAGE_POSTGRES_EMBEDDED_DEADLINE_H_

#include <algorithm>
#include <chrono>

#include "absl/time/time.h"

namespace postrider::embedded {

// A moment on the monotonic clock by which a wait has to end, so that a step of the wall clock
// neither shortens nor stretches it. A value; safe to copy.
class Deadline {
 public:
  // `wait` counted from now; negative counts as zero, more than a day as one day.
  explicit Deadline(absl::Duration wait)
      : at_(std::chrono::steady_clock::now() +
            absl::ToChronoNanoseconds(std::clamp(wait, absl::ZeroDuration(), absl::Hours(24)))) {}

  absl::Duration Left() const {
    return std::max(absl::FromChrono(at_ - std::chrono::steady_clock::now()), absl::ZeroDuration());
  }

  bool Passed() const { return Left() == absl::ZeroDuration(); }

  // For poll(2): milliseconds, rounded up, so that a wait never spins just before its end.
  int PollTimeoutMs() const {
    return static_cast<int>(absl::ToInt64Milliseconds(absl::Ceil(Left(), absl::Milliseconds(1))));
  }

 private:
  std::chrono::steady_clock::time_point at_;
};

}  // namespace postrider::embedded

#endif  // POSTRIDER_STORAGE_POSTGRES_EMBEDDED_DEADLINE_H_

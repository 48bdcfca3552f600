#ifndef POSTRIDER_TESTS_SUPPORT_WAIT_H_
#define POSTRIDER_TESTS_SUPPORT_WAIT_H_

#include <algorithm>
#include <chrono>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"

namespace postrider::testing {

// How long a test waits for what must happen. Generous: only a failing test waits so long.
inline constexpr absl::Duration kPatience = absl::Seconds(20);

// How long a test waits for what must not happen.
inline constexpr absl::Duration kQuiet = absl::Milliseconds(700);

// A moment on the monotonic clock by which a wait has to end.
class Deadline {
 public:
  explicit Deadline(absl::Duration wait)
      : at_(std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(wait)) {}

  absl::Duration Left() const {
    return std::max(absl::FromChrono(at_ - std::chrono::steady_clock::now()), absl::ZeroDuration());
  }

  bool Passed() const { return Left() == absl::ZeroDuration(); }

  // For poll(2): milliseconds, rounded up.
  int PollTimeoutMs() const {
    return static_cast<int>(absl::ToInt64Milliseconds(absl::Ceil(Left(), absl::Milliseconds(1))));
  }

 private:
  std::chrono::steady_clock::time_point at_;
};

// Asks again and again until `condition` holds; false if it does not within `timeout`. For states
// that can only be asked for, such as that of a delivery; what is received is waited for with
// Receiver, which knows when it happens.
bool WaitUntil(absl::FunctionRef<bool()> condition, absl::Duration timeout = kPatience);

// Lets pass the time after which a change of an endpoint holds for every attempt that starts: 1 s
// after the answer to the change.
void LetChangeHold();

}  // namespace postrider::testing

#endif  // POSTRIDER_TESTS_SUPPORT_WAIT_H_

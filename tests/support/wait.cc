#include "tests/support/wait.h"

#include "absl/time/clock.h"

namespace postrider::testing {

bool WaitUntil(absl::FunctionRef<bool()> condition, absl::Duration timeout) {
  constexpr absl::Duration kPause = absl::Milliseconds(5);
  const Deadline deadline(timeout);
  while (true) {
    if (condition()) return true;
    if (deadline.Passed()) return false;
    absl::SleepFor(kPause);
  }
}

void LetChangeHold() { absl::SleepFor(absl::Milliseconds(1010)); }

}  // namespace postrider::testing

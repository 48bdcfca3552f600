#include "storage/postgres/wait.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

namespace postrider {

WaitDeadline DeadlineAfter(absl::Duration timeout) {
  return std::chrono::steady_clock::now() + absl::ToChronoMilliseconds(timeout);
}

bool WaitForSocket(int socket, short events, WaitDeadline deadline) {
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    const int ms = static_cast<int>(std::clamp<int64_t>(left.count() + 1, 0, 1 << 30));
    if (ms == 0) return false;
    pollfd descriptor{socket, events, 0};
    const int ready = poll(&descriptor, 1, ms);
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return true;  // libpq will see what is wrong
  }
}

}  // namespace postrider

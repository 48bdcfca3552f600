// Waiting for a socket with a deadline of our own, which libpq's functions without blocking leave
// to their caller.

#pragma once

#include <chrono>

#include "absl/time/time.h"

namespace postrider {

using WaitDeadline = std::chrono::steady_clock::time_point;

WaitDeadline DeadlineAfter(absl::Duration timeout);

// Until the socket is ready for `events` (poll's). False: the deadline passed.
bool WaitForSocket(int socket, short events, WaitDeadline deadline);

}  // namespace postrider

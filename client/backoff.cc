#include "client/backoff.h"

#include <algorithm>

namespace postrider::client {

bool IsWorthRetrying(absl::StatusCode code) {
  return code == absl::StatusCode::kUnavailable || code == absl::StatusCode::kDeadlineExceeded ||
         code == absl::StatusCode::kResourceExhausted;
}

absl::Duration RetryWait(const RetryOptions& options, int failures,
                         std::optional<absl::Duration> named_delay, double random) {
  absl::Duration wait = std::min(options.first_wait, options.max_wait);
  for (int i = 1; i < failures && wait < options.max_wait; ++i) {
    wait = std::min(wait * 2, options.max_wait);
  }
  wait *= 0.5 + 0.5 * random;
  if (!named_delay.has_value()) return wait;
  return std::max(wait, *named_delay * (1 + 0.1 * random));
}

}  // namespace postrider::client

#include "server/policy/schedule.h"

#include <algorithm>

namespace postrider::policy {

std::vector<absl::Duration> DefaultSchedule() {
  return {absl::Seconds(30), absl::Minutes(2), absl::Minutes(10), absl::Hours(1), absl::Hours(4)};
}

std::optional<absl::Time> NextAttemptTime(const RetryPolicy& policy, int failures,
                                          absl::Time attempt_end,
                                          std::optional<absl::Duration> retry_after,
                                          double random) {
  if (policy.retries_disabled || failures < 1 ||
      failures > static_cast<int>(policy.delays.size())) {
    return std::nullopt;
  }
  const absl::Duration delay = policy.delays[static_cast<size_t>(failures - 1)];
  absl::Duration wait = delay * (1 + kJitter * random);
  if (retry_after) wait = std::max(wait, std::min(*retry_after, kMaxRetryAfter));
  return attempt_end + wait;
}

}  // namespace postrider::policy

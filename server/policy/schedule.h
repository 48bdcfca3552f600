// When the next attempt of a delivery takes place.

#pragma once

#include <optional>
#include <vector>

#include "absl/time/time.h"

namespace postrider::policy {

// The product's schedule: five retries after the first attempt (SEMANTICS, "Delivery").
std::vector<absl::Duration> DefaultSchedule();

inline constexpr int kMaxRetries = 20;
inline constexpr absl::Duration kMinDelay = absl::Seconds(1);
inline constexpr absl::Duration kMaxDelay = absl::Hours(24);
// Retry-After never moves a retry further than this.
inline constexpr absl::Duration kMaxRetryAfter = absl::Hours(24);
// Jitter adds up to this part of the delay, and never takes anything away.
inline constexpr double kJitter = 0.1;

struct RetryPolicy {
  std::vector<absl::Duration> delays;  // before each retry; N delays mean N retries
  bool retries_disabled = false;
};

// The time of the retry after a failed attempt that ended at `attempt_end`, or none when the
// schedule is used up. `failures` counts the failed attempts that used a step of it, this one
// included (so 1 after the first attempt). `random` is uniform in [0, 1).
//   attempt_end + max(delay x (1 + kJitter x random), min(retry_after, 24 h))
std::optional<absl::Time> NextAttemptTime(const RetryPolicy& policy, int failures,
                                          absl::Time attempt_end,
                                          std::optional<absl::Duration> retry_after, double random);

}  // namespace postrider::policy

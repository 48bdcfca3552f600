// How long to wait between tries of one call.

#ifndef POSTRIDER_CLIENT_BACKOFF_H_
#define POSTRIDER_CLIENT_BACKOFF_H_

#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace postrider::client {

// Limits of the tries of one call.
struct RetryOptions {
  absl::Duration deadline = absl::Seconds(60);          // for all tries and the waits between
  absl::Duration try_timeout = absl::Seconds(15);       // for one of them
  int max_tries = 10;                                   // the first one included, 1 or more
  absl::Duration first_wait = absl::Milliseconds(100);  // doubles with every further failure
  absl::Duration max_wait = absl::Seconds(5);           // of the doubling, not of a named delay
};

// True for the codes after which a publish with the same idempotency key is safe and can help:
// UNAVAILABLE, DEADLINE_EXCEEDED and RESOURCE_EXHAUSTED.
bool IsWorthRetrying(absl::StatusCode code);

// The wait after failure number `failures` (1 or more): min(first_wait x 2^(failures - 1),
// max_wait), of which a random half is taken off, but at least `named_delay` (what the server asked
// for) and up to a tenth more of it, so that callers that failed together do not return together.
// `random` is in [0, 1). Thread-safe.
absl::Duration RetryWait(const RetryOptions& options, int failures,
                         std::optional<absl::Duration> named_delay, double random);

}  // namespace postrider::client

#endif  // POSTRIDER_CLIENT_BACKOFF_H_

// A call on its way into a transaction.

#pragma once

#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "server/runtime/clock.h"
#include "storage/event_store.h"

namespace postrider::publish {

// The events of one call: all are stored or none. No idempotency key is in it twice.
struct Submission {
  std::vector<NewEvent> events;
  // Not begun by then: answered DEADLINE_EXCEEDED with nothing stored.
  Instant deadline = absl::InfiniteDuration();
  // Called exactly once, by the commit loop; must not block. One result an event, or
  //   ABORTED           its key was taken by others again and again, nothing was stored
  //   DEADLINE_EXCEEDED nothing was stored, or it is unknown (the message says which)
  //   FAILED_PRECONDITION  its events would make more than kMaxFanOut deliveries
  //   UNAVAILABLE       no database, or the outcome is unknown: the same key again is safe
  //   and what else the store says; nothing was stored then.
  absl::AnyInvocable<void(absl::StatusOr<std::vector<AcceptResult>>)> done;
};

}  // namespace postrider::publish

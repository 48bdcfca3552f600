// What becomes of a delivery. One function makes every transition; stores and loops carry it out.

#pragma once

#include <optional>

#include "absl/time/time.h"
#include "server/policy/schedule.h"
#include "storage/model/records.h"

namespace postrider::policy {

// The outcome of an attempt that ended: what went wrong in transport, if anything did, else the
// answer's status. Only 2xx is a success; redirects are not followed, so 3xx is a failure.
AttemptOutcome OutcomeOf(std::optional<AttemptOutcome> transport_failure, int http_status);

// Whether an outcome is a failure that counts ("Auto-disable"): not ABANDONED, which neither counts
// nor resets.
bool IsFailure(AttemptOutcome outcome);

enum class DeliveryInput {
  kClaim,             // a node leases it: its attempt starts
  kRelease,           // the lease is given back before the attempt started
  kSucceeded,         // its attempt got a 2xx
  kFailed,            // its attempt failed
  kOurOutage,         // its attempt failed because we were cut off (egress_outage.h)
  kAbandoned,         // its node died: the attempt may have been received
  kPoisoned,          // its node died, again, and with nothing else to blame
  kLateSuccess,       // an abandoned attempt turns out to have succeeded
  kCanceledByCaller,  //
  kEndpointDeleted,   //
  kExpired,           // its day is past retention
};

// A delivery that met our own outage is due again so long after its attempt.
inline constexpr absl::Duration kOutageRetry = absl::Seconds(2);

// What is known when an attempt failed.
struct FailureFacts {
  int earlier_failures = 0;  // that used a step of the schedule
  int http_status = 0;
  std::optional<absl::Duration> retry_after;  // of a 429 or 503 alone
  absl::Time attempt_end;
  double random = 0;  // uniform in [0, 1)
};

struct FailureRules {
  RetryPolicy retry;
  bool disable_on_gone = true;
};

struct Transition {
  DeliveryState state = DeliveryState::kPending;
  StateReason reason = StateReason::kNone;
  std::optional<absl::Time> next_attempt_time;  // of a failed one that is tried again
  bool uses_retry = false;                      // a step of the schedule
  bool logs_attempt = false;                    // the attempt goes to the log
  bool disables_endpoint = false;               // 410

  bool operator==(const Transition&) const = default;
};

// The next state, or none when the input does nothing in this state (terminal states never change).
// `facts` are looked at for kFailed and kOurOutage alone, `rules` for kFailed.
std::optional<Transition> Next(DeliveryState state, DeliveryInput input, const FailureFacts& facts,
                               const FailureRules& rules);

}  // namespace postrider::policy

// An endpoint as the sender needs it: URL parsed, headers and secrets opened. Made from what
// storage holds each time the endpoint changes; never changed afterwards.

#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/http/url.h"
#include "server/policy/transition.h"
#include "server/runtime/clock.h"
#include "server/security/sealer.h"
#include "server/signing/signature.h"
#include "storage/endpoint_store.h"

namespace postrider::dispatch {

// The server's defaults, for what an endpoint leaves open.
struct DeliveryDefaults {
  std::vector<absl::Duration> retry_schedule = policy::DefaultSchedule();
  absl::Duration attempt_timeout = absl::Seconds(15);
  absl::Duration connect_timeout = absl::Seconds(5);
  int disable_threshold = 50;
  bool disable_on_gone = true;
  int max_in_flight = 32;
};

struct TargetSecret {
  signing::SigningKey key;
  absl::Time expire_time;  // infinite for the current one
};

struct Target {
  EndpointId id;
  std::string org_id;
  EndpointState state = EndpointState::kEnabled;
  int64_t revision = 0;
  int consecutive_failures = 0;  // when it was read
  http::ParsedUrl url;           // empty when the URL is not allowed (any more)
  std::string url_error;
  std::vector<std::pair<std::string, std::string>> headers;
  std::vector<TargetSecret> secrets;  // newest first
  policy::FailureRules failure;
  int disable_threshold = 0;
  int max_in_flight = 0;
  bool ordered = false;
  double rate_per_second = 0;
  absl::Duration timeout;
  absl::Duration connect_timeout;
};

// What a look for changes of endpoints found.
struct EndpointNews {
  std::vector<std::shared_ptr<const Target>> targets;  // those that were read
  // Deliveries of these were canceled one by one: what waits here may be among them.
  std::vector<EndpointId> canceled;
  // Everything read before, and not among the targets, is unchanged as of then.
  Instant validated_at = -absl::InfiniteDuration();
  Instant canceled_by = -absl::InfiniteDuration();  // when that was known: later leases are good
};

// FAILED_PRECONDITION or DATA_LOSS when the headers or all secrets do not open: the master key is
// another one. A secret that does not open beside one that does is left out.
absl::StatusOr<std::shared_ptr<const Target>> MakeTarget(const EndpointForDispatch& stored,
                                                         const security::KeyRing& keys,
                                                         const http::DestinationPolicy& policy,
                                                         const DeliveryDefaults& defaults);

// An endpoint whose secrets do not open: nothing is sent without a signature (its limit is 0), and
// what is in flight ends as always.
std::shared_ptr<const Target> TargetWithoutSecrets(const Endpoint& endpoint,
                                                   const DeliveryDefaults& defaults);

}  // namespace postrider::dispatch

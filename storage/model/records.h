// Plain records of what Postrider keeps. Wire messages stop in server/rpc; these are what the rest
// of the server and the stores speak. Numbers of enum values are stored: never renumber.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "storage/model/ids.h"

namespace postrider {

// Who owns a resource: opaque names, [A-Za-z0-9_-]{1,64}.
struct Tenant {
  std::string org_id;
  std::string env_id;
  auto operator<=>(const Tenant&) const = default;
  template <typename H>
  friend H AbslHashValue(H h, const Tenant& tenant) {
    return H::combine(std::move(h), tenant.org_id, tenant.env_id);
  }
};

enum class EndpointState : int16_t { kEnabled = 1, kDisabled = 2, kDeleted = 3 };
enum class DisabledReason : int16_t { kNone = 0, kManual = 1, kConsecutiveFailures = 2, kGone = 3 };
enum class SignatureScheme : int16_t { kHmacSha256 = 1, kEd25519 = 2 };
enum class DeliveryOrigin : int16_t { kPublish = 1, kRedelivery = 2, kRecovery = 3, kTest = 4 };
enum class DeliveryState : int16_t {
  kPending = 1,
  kInProgress = 2,
  kSucceeded = 3,
  kFailed = 4,
  kCanceled = 5
};
enum class StateReason : int16_t {
  kNone = 0,
  kExhausted = 1,
  kGone = 2,
  kPoisoned = 3,
  kEndpointDisabled = 4,  // never stored: derived for open deliveries of a disabled endpoint
  kEndpointDeleted = 5,
  kCanceledByCaller = 6,
  kExpired = 7
};
enum class AttemptOutcome : int16_t {
  kSucceeded = 1,
  kHttpStatus = 2,
  kTimeout = 3,
  kConnection = 4,
  kDns = 5,
  kTls = 6,
  kBlocked = 7,
  kAbandoned = 8
};

// AES-256-GCM output as it is stored; what it is bound to is the sealer's business.
struct SealedBytes {
  std::string key_id;
  std::string nonce;
  std::string bytes;
};

// One version of an endpoint's signing secret.
struct EndpointSecret {
  int32_t version = 0;
  SignatureScheme scheme = SignatureScheme::kHmacSha256;
  SealedBytes sealed;
  absl::Time create_time;
  std::optional<absl::Time> expire_time;  // none: the current one
};

struct Event {
  EventId id;
  Tenant tenant;
  std::string type;
  absl::Time event_time;   // `timestamp` of the envelope
  absl::Time create_time;  // acceptance
  int32_t delivery_count = 0;
  std::string idempotency_key;      // empty: none
  std::string traceparent;          // empty: none
  std::optional<std::string> body;  // the envelope as sent; none: not asked for, or erased
};

// What an owner configures. Absent options mean the server's default.
struct EndpointConfig {
  std::string url;
  std::vector<std::string> events;  // as given; empty: every type but postrider.*
  std::string description;
  std::vector<std::string> header_names;  // names alone; the values are sealed
  std::optional<SealedBytes> headers;     // sealed serialized name/value pairs
  std::vector<absl::Duration> retry_schedule;
  bool retries_disabled = false;
  std::optional<int32_t> disable_threshold;
  std::optional<absl::Duration> timeout;
  std::optional<int32_t> max_in_flight;
  std::optional<double> rate_limit_per_second;
  bool ordered = false;
  std::map<std::string, std::string> metadata;
};

struct Endpoint {
  EndpointId id;
  Tenant tenant;
  EndpointConfig config;
  EndpointState state = EndpointState::kEnabled;
  DisabledReason disabled_reason = DisabledReason::kNone;
  std::optional<absl::Time> disable_time;
  int32_t consecutive_failures = 0;
  SignatureScheme signature_scheme = SignatureScheme::kHmacSha256;
  std::string public_key;
  std::string secret_hint;
  int64_t revision = 0;  // grows with every change of configuration; the etag
  absl::Time create_time;
  absl::Time update_time;
};

struct Delivery {
  DeliveryId id;
  EventId event_id;
  EndpointId endpoint_id;
  Tenant tenant;
  std::string event_type;
  DeliveryOrigin origin = DeliveryOrigin::kPublish;
  DeliveryState state = DeliveryState::kPending;
  StateReason state_reason = StateReason::kNone;
  int32_t attempt_count = 0;
  std::optional<absl::Time> next_attempt_time;
  absl::Time create_time;
  std::optional<absl::Time> complete_time;
};

struct AttemptPhases {
  absl::Duration dns;
  absl::Duration connect;
  absl::Duration tls;
  absl::Duration first_byte;
};

struct Attempt {
  AttemptId id;
  DeliveryId delivery_id;
  EventId event_id;
  EndpointId endpoint_id;
  int32_t number = 0;
  DeliveryOrigin origin = DeliveryOrigin::kPublish;
  absl::Time start_time;
  absl::Duration duration;
  AttemptOutcome outcome = AttemptOutcome::kAbandoned;
  int32_t http_status = 0;  // 0: no answer
  std::string error;
  std::string remote_address;
  int32_t send_count = 0;
  std::vector<std::pair<std::string, std::string>> response_headers;
  std::string response_body;
  bool response_body_truncated = false;
  AttemptPhases phases;
};

// A page of a list, newest first. `after` is the id of the last row of the page before.
struct PageRequest {
  int32_t size = 50;
  std::optional<Ulid> after;
};
template <typename Row>
struct Page {
  std::vector<Row> rows;
  bool more = false;  // behind the last row
};

}  // namespace postrider

// Endpoints, their secrets and their history.

#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/model/records.h"

namespace postrider {

// Makes a retry of a creating call safe: the same id with the same digest gives what the first
// call made; with another digest ALREADY_EXISTS. Kept for 24 hours.
struct RequestId {
  std::string id;  // empty: none
  std::string digest;
};

struct EndpointFilter {
  Tenant tenant;  // empty strings: any
  std::optional<EndpointState> state;
};

// What a sender must know, with its secrets still sealed.
struct EndpointForDispatch {
  Endpoint endpoint;
  std::vector<EndpointSecret> secrets;  // unexpired, newest first
};

struct EndpointChange {
  int64_t change_no = 0;
  EndpointId endpoint_id;
  bool cancels = false;  // deliveries that nodes had leased, and nothing of the endpoint itself
};
struct EndpointChanges {
  std::vector<EndpointChange> changes;  // may hold some again that an earlier call gave
  int64_t position = 0;                 // where the next call goes on
};

// What is done to the current secret when a new one comes.
struct SecretRotation {
  SignatureScheme scheme = SignatureScheme::kHmacSha256;
  SealedBytes sealed;
  std::string hint;
  std::string public_key;
  absl::Duration overlap;  // the old one stays valid so long; at most two old ones are kept
};

// Thread-safe. Errors besides those named: session.h.
class EndpointStore {
 public:
  virtual ~EndpointStore() = default;

  struct Created {
    Endpoint endpoint;
    EndpointSecret secret;
    bool repeated = false;  // the request_id was known: this is what the first call made
  };
  // `endpoint` comes with id, tenant, config, scheme, hint; `secret` is version 1.
  // RESOURCE_EXHAUSTED: the environment has `max_endpoints` already.
  virtual absl::StatusOr<Created> Create(const Endpoint& endpoint, const EndpointSecret& secret,
                                         const RequestId& request_id, int64_t max_endpoints) = 0;
  // NOT_FOUND, also for deleted ones.
  virtual absl::StatusOr<Endpoint> Get(EndpointId id) = 0;
  // Whose it is, or was: also of deleted ones. NOT_FOUND.
  virtual absl::StatusOr<Tenant> OwnerOf(EndpointId id) = 0;
  virtual absl::StatusOr<Page<Endpoint>> List(const EndpointFilter& filter,
                                              const PageRequest& page) = 0;

  // Reads, lets `change` edit and stores, in one transaction with the row locked. `change` may be
  // run more than once; an error from it is handed on and nothing is stored.
  using Change = std::function<absl::Status(Endpoint&)>;
  virtual absl::StatusOr<Endpoint> Update(EndpointId id, const Change& change) = 0;

  // Deletes for good and cancels what the endpoint still had to get: at once as much as one
  // statement bears, the rest by SweepDeleted. NOT_FOUND.
  virtual absl::Status Delete(EndpointId id) = 0;

  // No-op on an enabled endpoint. `discard_pending` cancels what was held.
  virtual absl::StatusOr<Endpoint> Enable(EndpointId id, bool discard_pending) = 0;
  // No-op on a disabled endpoint: it keeps its reason.
  virtual absl::StatusOr<Endpoint> Disable(EndpointId id) = 0;

  struct Rotated {
    Endpoint endpoint;
    EndpointSecret secret;
    bool repeated = false;
  };
  // The version that the next secret of this endpoint gets: part of what it is sealed with.
  virtual absl::StatusOr<int32_t> NextSecretVersion(EndpointId id) = 0;
  // ABORTED: `version` is no longer the next one.
  virtual absl::StatusOr<Rotated> RotateSecret(EndpointId id, int32_t version,
                                               const SecretRotation& rotation,
                                               const RequestId& request_id) = 0;
};

// What the delivery path needs of endpoints. Thread-compatible.
class EndpointReader {
 public:
  virtual ~EndpointReader() = default;
  // Those that exist, disabled and deleted ones included.
  virtual absl::StatusOr<std::vector<EndpointForDispatch>> Load(
      const std::vector<EndpointId>& ids) = 0;
  // Every change committed since `position` (0: only gives a position). Misses none.
  virtual absl::StatusOr<EndpointChanges> ChangesSince(int64_t position) = 0;
};

}  // namespace postrider

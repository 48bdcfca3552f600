// Secrets of endpoints between the wire and storage: made or read, sealed, opened again for the
// answer to a repeated request.

#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "server/rpc/endpoint_request.h"
#include "server/security/sealer.h"
#include "storage/model/records.h"

namespace postrider::rpc {

class EndpointSecrets {
 public:
  explicit EndpointSecrets(const security::KeyRing& keys) : keys_(keys) {}

  // A secret as it goes to storage.
  absl::StatusOr<SealedBytes> SealSecret(const Tenant& tenant, EndpointId id, int32_t version,
                                         const std::string& text) const;
  absl::StatusOr<std::string> OpenSecret(const Tenant& tenant, EndpointId id,
                                         const EndpointSecret& secret) const;

  // Headers as they go to storage; none for an empty list.
  absl::StatusOr<std::optional<SealedBytes>> SealHeaders(const Tenant& tenant, EndpointId id,
                                                         const HeaderPairs& headers) const;
  absl::StatusOr<HeaderPairs> OpenHeaders(const Endpoint& endpoint) const;

 private:
  const security::KeyRing& keys_;
};

}  // namespace postrider::rpc

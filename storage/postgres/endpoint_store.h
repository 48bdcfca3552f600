// Endpoints in PostgreSQL: see storage/endpoint_store.h.

#pragma once

#include <memory>
#include <vector>

#include "storage/endpoint_store.h"
#include "storage/postgres/environments.h"
#include "storage/postgres/session.h"
#include "storage/postgres/session_pool.h"

namespace postrider {

class PgEndpointStore : public EndpointStore {
 public:
  PgEndpointStore(SessionPool& pool, Environments& environments)
      : pool_(pool), environments_(environments) {}

  absl::StatusOr<Created> Create(const Endpoint& endpoint, const EndpointSecret& secret,
                                 const RequestId& request_id, int64_t max_endpoints) override;
  absl::StatusOr<Endpoint> Get(EndpointId id) override;
  absl::StatusOr<Tenant> OwnerOf(EndpointId id) override;
  absl::StatusOr<Page<Endpoint>> List(const EndpointFilter& filter,
                                      const PageRequest& page) override;
  absl::StatusOr<Endpoint> Update(EndpointId id, const Change& change) override;
  absl::Status Delete(EndpointId id) override;
  absl::StatusOr<Endpoint> Enable(EndpointId id, bool discard_pending) override;
  absl::StatusOr<Endpoint> Disable(EndpointId id) override;
  absl::StatusOr<int32_t> NextSecretVersion(EndpointId id) override;
  absl::StatusOr<Rotated> RotateSecret(EndpointId id, int32_t version,
                                       const SecretRotation& rotation,
                                       const RequestId& request_id) override;

 private:
  SessionPool& pool_;
  Environments& environments_;
};

class PgEndpointReader : public EndpointReader {
 public:
  explicit PgEndpointReader(const SessionOptions& options) : session_(options) {}

  absl::StatusOr<std::vector<EndpointForDispatch>> Load(
      const std::vector<EndpointId>& ids) override;
  absl::StatusOr<EndpointChanges> ChangesSince(int64_t position) override;

 private:
  Session session_;
};

}  // namespace postrider

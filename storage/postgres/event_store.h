// Events in PostgreSQL: see storage/event_store.h.

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "storage/event_store.h"
#include "storage/postgres/environments.h"
#include "storage/postgres/session.h"
#include "storage/postgres/session_pool.h"

namespace postrider {

class PgEventAcceptor : public EventAcceptor {
 public:
  PgEventAcceptor(const SessionOptions& options, Environments& environments,
                  absl::Duration idempotency_window);

  absl::StatusOr<std::vector<AcceptResult>> Accept(const std::vector<NewEvent>& events,
                                                   const std::vector<int32_t>& batches,
                                                   const FanOutLease& lease) override;

 private:
  Session session_;
  Environments& environments_;
  const absl::Duration idempotency_window_;
  Params params_;  // kept for its memory
};

class PgEventStore : public EventStore {
 public:
  PgEventStore(SessionPool& pool, Environments& environments)
      : pool_(pool), environments_(environments) {}

  absl::StatusOr<std::vector<EndpointId>> Match(const Tenant& tenant,
                                                const std::string& type) override;
  absl::StatusOr<Event> Get(EventId id) override;
  absl::StatusOr<StoredKey> FindKey(const Tenant& tenant, const std::string& key) override;
  absl::StatusOr<Page<Event>> List(const EventFilter& filter, const PageRequest& page,
                                   int64_t max_bytes) override;

 private:
  SessionPool& pool_;
  Environments& environments_;
};

}  // namespace postrider

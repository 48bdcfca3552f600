// Events as they are read back from PostgreSQL: see storage/event_store.h.

#pragma once

#include <string>
#include <vector>

#include "storage/event_store.h"
#include "storage/postgres/environments.h"
#include "storage/postgres/session_pool.h"

namespace postrider {

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

// PurgeStore over libpq.

#pragma once

#include "storage/postgres/session_pool.h"
#include "storage/purge_store.h"

namespace postrider {

class PgPurgeStore final : public PurgeStore {
 public:
  explicit PgPurgeStore(SessionPool& pool) : pool_(pool) {}

  absl::StatusOr<EventErasure> PurgeEvent(EventId id) override;
  absl::StatusOr<OrgErasure> PurgeOrg(const std::string& org_id,
                                      const std::function<bool()>& go_on) override;
  absl::StatusOr<OrgStats> StatsOf(const Tenant& tenant) override;

 private:
  SessionPool& pool_;
};

}  // namespace postrider

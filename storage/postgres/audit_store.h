// Audit records in PostgreSQL: see storage/audit_store.h.

#pragma once

#include "storage/audit_store.h"
#include "storage/postgres/session_pool.h"

namespace postrider {

class PgAuditStore : public AuditStore {
 public:
  explicit PgAuditStore(SessionPool& pool) : pool_(pool) {}

  absl::Status Begin(const AuditRecord& record) override;
  absl::Status End(const AuditRecord& record) override;
  absl::StatusOr<Page<AuditRecord>> List(const AuditFilter& filter,
                                         const PageRequest& page) override;

 private:
  SessionPool& pool_;
};

}  // namespace postrider

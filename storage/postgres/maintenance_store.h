// Housekeeping in PostgreSQL: see storage/maintenance_store.h.

#pragma once

#include <string>
#include <vector>

#include "storage/maintenance_store.h"
#include "storage/postgres/session.h"

namespace postrider {

class PgMaintenanceStore : public MaintenanceStore {
 public:
  explicit PgMaintenanceStore(const SessionOptions& options) : session_(options) {}

  absl::Status Migrate() override;
  absl::Status MakePartitions() override;
  absl::StatusOr<std::vector<std::string>> DropExpired(const RetentionOptions& options) override;
  absl::StatusOr<int64_t> SweepDeleted(int32_t limit) override;
  absl::Status SweepSmall(const RetentionOptions& options) override;
  absl::Status VacuumHot() override;

 private:
  absl::StatusOr<absl::Time> DatabaseTime();
  absl::Status RunUntilDone(const Statement& statement, absl::Time before);

  Session session_;
};

}  // namespace postrider

// Housekeeping of the database: partitions ahead, retention, leftovers.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace postrider {

struct RetentionOptions {
  absl::Duration retention = absl::Hours(30 * 24);          // events, deliveries, attempts
  absl::Duration payload_retention = absl::Hours(30 * 24);  // bodies of events
  absl::Duration idempotency_window = absl::Hours(24);
};

// Thread-compatible. Errors: session.h. Every call may be run by any number of nodes at once.
class MaintenanceStore {
 public:
  virtual ~MaintenanceStore() = default;
  // Applies migrations that are missing, under an advisory lock. FAILED_PRECONDITION: the database
  // was made by a newer Postrider.
  virtual absl::Status Migrate() = 0;
  // Partitions of yesterday to two days ahead.
  virtual absl::Status MakePartitions() = 0;
  // Cancels what is still open of days past retention (reason EXPIRED), then drops those days.
  // Gives the names of the tables dropped.
  virtual absl::StatusOr<std::vector<std::string>> DropExpired(const RetentionOptions& options) = 0;
  // Cancels deliveries of deleted endpoints that a fan-out committed beside the deletion, or that
  // were too many for it. At most `limit`; gives how many.
  virtual absl::StatusOr<int64_t> SweepDeleted(int32_t limit) = 0;
  // Request ids older than a day, secrets long expired, endpoint changes past retention, and what
  // is left of endpoints that were deleted before it.
  virtual absl::Status SweepSmall(const RetentionOptions& options) = 0;
  // Vacuums the hot table when it has many dead rows.
  virtual absl::Status VacuumHot() = 0;
};

}  // namespace postrider

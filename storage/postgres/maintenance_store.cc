#include "storage/postgres/maintenance_store.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "sql_text.h"

namespace postrider {
namespace {

constexpr absl::Duration kLong = absl::Minutes(10);
constexpr int32_t kRowsAtOnce = 5000;
constexpr int64_t kDeadRowsWorthAVacuum = 30000;
constexpr Statement kNow{"now", "SELECT now()"};

// In order; a migration that was released never changes.
constexpr Statement kMigrations[] = {sql::kMigrationInitial,          sql::kMigrationDeliveryGuards,
                                     sql::kMigrationFailures,         sql::kMigrationCallers,
                                     sql::kMigrationLookups,          sql::kMigrationSteadyNodes,
                                     sql::kMigrationOrderedEndpoints, sql::kMigrationFewerIndexes};

}  // namespace

absl::Status PgMaintenanceStore::Migrate() {
  return session_.Transaction([](Session& session) -> absl::Status {
    absl::Status prepared = session.Execute(
        "SELECT pg_advisory_xact_lock(7216900);"
        "CREATE TABLE IF NOT EXISTS schema_migrations ("
        "  version int PRIMARY KEY, apply_time timestamptz NOT NULL DEFAULT now())",
        kLong);
    if (!prepared.ok()) return prepared;
    absl::StatusOr<Result> applied = session.Run(sql::kMigrationsApplied);
    if (!applied.ok()) return applied.status();
    const int64_t version = applied->Int(0, 0);
    if (version > static_cast<int64_t>(std::size(kMigrations))) {
      return absl::FailedPreconditionError(absl::StrCat(
          "the database has schema version ", version, " and this postriderd knows only ",
          std::size(kMigrations), ": start the newer postriderd that made it"));
    }
    for (size_t i = static_cast<size_t>(version); i < std::size(kMigrations); ++i) {
      if (absl::Status status = session.Execute(kMigrations[i].text, kLong); !status.ok()) {
        return status;
      }
      const absl::Status noted =
          session.Run(sql::kMigrationsNote, Params().Int4(static_cast<int32_t>(i + 1))).status();
      if (!noted.ok()) return noted;
    }
    return absl::OkStatus();
  });
}

absl::Status PgMaintenanceStore::MakePartitions() {
  return session_.Run(sql::kMakePartitions, {}, kLong).status();
}

absl::StatusOr<absl::Time> PgMaintenanceStore::DatabaseTime() {
  absl::StatusOr<Result> rows = session_.Run(kNow);
  if (!rows.ok()) return rows.status();
  return rows->Time(0, 0);
}

// `statement` takes a time and a number of rows, and tells how many it changed.
absl::Status PgMaintenanceStore::RunUntilDone(const Statement& statement, absl::Time before) {
  for (;;) {
    absl::StatusOr<Result> rows =
        session_.Run(statement, Params().Time(before).Int4(kRowsAtOnce), kLong);
    if (!rows.ok()) return rows.status();
    if (rows->affected() == 0) return absl::OkStatus();
  }
}

absl::StatusOr<std::vector<std::string>> PgMaintenanceStore::DropExpired(
    const RetentionOptions& options) {
  const absl::StatusOr<absl::Time> now = DatabaseTime();
  if (!now.ok()) return now.status();
  absl::StatusOr<Result> partitions = session_.Run(sql::kPartitionsList);
  if (!partitions.ok()) return partitions.status();

  const absl::Time oldest = *now - options.retention;
  std::vector<std::string> expired;
  absl::Time open_before = absl::InfinitePast();
  for (int row = 0; row < partitions->rows(); ++row) {
    const absl::Time day_end = partitions->Time(row, 2) + absl::Hours(24);
    // A key is looked for in its own window and the one after, which may begin a day later.
    const bool is_key = partitions->View(row, 0) == "idempotency_keys";
    const absl::Time keep_from =
        is_key ? *now - 2 * options.idempotency_window - absl::Hours(24) : oldest;
    if (day_end > keep_from) continue;
    expired.push_back(partitions->Text(row, 1));
    if (!is_key) open_before = std::max(open_before, day_end);
  }
  if (open_before != absl::InfinitePast()) {
    if (absl::Status status = RunUntilDone(sql::kExpireOpen, open_before); !status.ok()) {
      return status;
    }
    // One that somebody is working on at this moment was passed over: its day must stay until it
    // has ended, or it could never be closed.
    absl::StatusOr<Result> open = session_.Run(sql::kOpenBefore, Params().Time(open_before));
    if (!open.ok()) return open.status();
    if (open->Bool(0, 0)) return std::vector<std::string>();
  }
  for (const std::string& table : expired) {
    // Names come from the catalogue and are ours: letters, digits and underscores. The lock that a
    // drop needs on the parent is waited for shortly, so that the delivery path never queues
    // behind.
    const std::string drop = absl::StrCat(
        "BEGIN; SET LOCAL lock_timeout = '2s'; DROP TABLE IF EXISTS ", table, "; COMMIT");
    if (absl::Status status = session_.Execute(drop.c_str(), kLong); !status.ok()) {
      (void)session_.Execute("ROLLBACK", absl::Seconds(5));
      return status;
    }
  }
  if (options.payload_retention < options.retention) {
    absl::Status status = RunUntilDone(sql::kErasePayloads, *now - options.payload_retention);
    if (!status.ok()) return status;
  }
  return expired;
}

absl::StatusOr<int64_t> PgMaintenanceStore::SweepDeleted(int32_t limit) {
  absl::StatusOr<Result> rows = session_.Run(sql::kSweepDeleted, Params().Int4(limit), kLong);
  if (!rows.ok()) return rows.status();
  return rows->affected();
}

absl::Status PgMaintenanceStore::SweepSmall(const RetentionOptions& options) {
  const double retention = absl::ToDoubleSeconds(options.retention);
  absl::Status status = session_.Run(sql::kSweepSmall, Params().Float8(retention), kLong).status();
  if (!status.ok()) return status;
  status = session_.Run(sql::kSweepEndpoints, Params().Float8(retention).Int4(kRowsAtOnce), kLong)
               .status();
  if (!status.ok()) return status;
  return session_.Run(sql::kSweepCallers, {}, kLong).status();
}

absl::Status PgMaintenanceStore::VacuumHot() {
  absl::StatusOr<Result> dead = session_.Run(sql::kHotDeadRows);
  if (!dead.ok()) return dead.status();
  if (dead->rows() == 0 || dead->Int(0, 0) < kDeadRowsWorthAVacuum) return absl::OkStatus();
  // Where another server or PostgreSQL itself is at it, that will do.
  return session_.Execute("VACUUM (SKIP_LOCKED, INDEX_CLEANUP ON) open_deliveries", kLong);
}

}  // namespace postrider

#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/postgres/maintenance_store.h"
#include "storage/postgres/purge_store.h"
#include "tests/storage/postgres/store_test_base.h"

namespace postrider {
namespace {

using ::testing::ElementsAre;

TEST_F(StoreTest, MigratingAgainChangesNothing) {
  PgMaintenanceStore maintenance(Options(SessionKind::kGeneral));
  const std::vector<std::string> before =
      Rows("SELECT version, apply_time FROM schema_migrations ORDER BY 1");
  ASSERT_TRUE(maintenance.Migrate().ok());
  ASSERT_TRUE(maintenance.Migrate().ok());
  EXPECT_EQ(Rows("SELECT version, apply_time FROM schema_migrations ORDER BY 1"), before);
}

TEST_F(StoreTest, NodesThatStartTogetherMigrateOnce) {
  const auto empty = testing::TestCluster::OfProgram().NewDatabase();
  const std::string conninfo = empty->conninfo();
  std::vector<absl::Status> statuses(4);
  std::vector<std::thread> threads;
  for (absl::Status& status : statuses) {
    threads.emplace_back([&status, conninfo] {
      PgMaintenanceStore maintenance({conninfo});
      status = maintenance.Migrate();
      if (status.ok()) status = maintenance.MakePartitions();
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& status : statuses) EXPECT_TRUE(status.ok()) << status;
  Session session({conninfo});
  const auto rows = session.Run(
      {"migrations", "SELECT count(*), count(DISTINCT version) FROM schema_migrations"});
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(rows->Int(0, 0), rows->Int(0, 1));
  EXPECT_GE(rows->Int(0, 0), 1);
}

// As the schema was before indexes were given up, with the log of an endpoint that was swept then.
TEST_F(StoreTest, AnUpgradeFindsTheOwnersOfTheWholeLog) {
  NewEndpoint();
  const EndpointId swept = NewEndpoint();
  for (const Leased& delivery : Lease(2)) {
    ASSERT_TRUE(Record({OutcomeOf(delivery, AttemptOutcome::kSucceeded)}).ok());
  }
  ASSERT_TRUE(endpoints_.Delete(swept).ok());
  Execute(
      "DELETE FROM endpoint_states WHERE state = 3; DELETE FROM endpoints WHERE delete_time < "
      "now();"
      "DELETE FROM schema_migrations WHERE version >= 8;"
      "ALTER TABLE attempts ADD PRIMARY KEY (attempt_id);"
      "CREATE INDEX attempts_of_env ON attempts (env_no, attempt_id) WHERE env_no IS NOT NULL;"
      "DROP INDEX open_deliveries_again_of_event, closed_deliveries_again_of_event;"
      "CREATE INDEX open_deliveries_of_event ON open_deliveries (event_id);"
      "CREATE INDEX closed_deliveries_of_event ON closed_deliveries (event_id)");
  PgMaintenanceStore maintenance(Options(SessionKind::kGeneral));
  ASSERT_TRUE(maintenance.Migrate().ok());
  EXPECT_THAT(Rows("SELECT url, delete_time IS NULL, env_no = (SELECT env_no FROM environments) "
                   "FROM endpoints ORDER BY 1"),
              ElementsAre("|f|t", "https://example.com/|t|t"));
  PgPurgeStore purges(pool_);
  const auto erased = purges.PurgeOrg("org", [] { return true; });
  ASSERT_TRUE(erased.ok()) << erased.status();
  EXPECT_EQ(erased->attempts, 4);
}

TEST_F(StoreTest, ADatabaseOfANewerPostriderIsLeftAlone) {
  Execute("INSERT INTO schema_migrations (version) VALUES (1000)");
  PgMaintenanceStore maintenance(Options(SessionKind::kGeneral));
  EXPECT_EQ(maintenance.Migrate().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(StoreTest, PartitionsAreMadeFromYesterdayToTwoDaysAheadOnce) {
  PgMaintenanceStore maintenance(Options(SessionKind::kGeneral));
  ASSERT_TRUE(maintenance.MakePartitions().ok());
  ASSERT_TRUE(maintenance.MakePartitions().ok());
  EXPECT_THAT(
      Rows("SELECT to_date(right(c.relname, 8), 'YYYYMMDD') - (now() AT TIME ZONE 'UTC')::date "
           "AS day FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
           "WHERE i.inhparent = 'events'::regclass ORDER BY 1"),
      ElementsAre("-1", "0", "1", "2"));
  for (const char* parent : {"closed_deliveries", "attempts", "idempotency_keys"}) {
    EXPECT_EQ(Value("SELECT count(*) FROM pg_inherits WHERE inhparent = '" + std::string(parent) +
                    "'::regclass"),
              "4")
        << parent;
  }
}

}  // namespace
}  // namespace postrider

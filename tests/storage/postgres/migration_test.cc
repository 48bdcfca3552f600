#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/postgres/maintenance_store.h"
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

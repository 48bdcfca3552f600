#include "tests/support/test_database.h"

#include <gtest/gtest.h>
#include <libpq-fe.h>
#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "storage/postgres/embedded/child_process.h"
#include "storage/postgres/embedded/cluster_layout.h"
#include "storage/postgres/embedded/postgres_programs.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/wait.h"

namespace postrider::testing {
namespace {

constexpr absl::Duration kStopTimeout = absl::Seconds(10);
constexpr absl::Duration kInitdbTimeout = absl::Minutes(1);

// Makes the cluster as the server would, but syncs nothing to the disk, which can take seconds.
absl::Status MakeUnsyncedCluster(const std::string& data_dir) {
  absl::StatusOr<embedded::ClusterLayout> layout = embedded::PrepareLayout(data_dir);
  if (!layout.ok()) return layout.status();
  if (layout->major.has_value()) return absl::OkStatus();  // There is one.
  absl::StatusOr<embedded::PostgresPrograms> programs =
      embedded::FindPostgresPrograms(std::nullopt);
  if (!programs.ok()) return programs.status();
  absl::Status made = embedded::MakePrivateFolder(layout->data, layout->run_as);
  if (!made.ok()) return made;
  embedded::ProgramCall initdb;
  initdb.arguments = {programs->Initdb(),     "--pgdata",        layout->data,
                      "--username=postrider", "--encoding=UTF8", "--locale=C",
                      "--auth=trust",         "--no-sync",       "--no-instructions"};
  initdb.run_as = layout->run_as;
  absl::StatusOr<embedded::ProgramResult> result = embedded::RunToEnd(initdb, "", kInitdbTimeout);
  if (!result.ok()) return result.status();
  return result->exit_code == 0 ? absl::OkStatus() : absl::InternalError(result->output);
}

Rows RowsOf(const PGresult* result) {
  Rows rows(PQntuples(result));
  for (int row = 0; row < PQntuples(result); ++row) {
    for (int column = 0; column < PQnfields(result); ++column) {
      rows[row].emplace_back(PQgetvalue(result, row, column), PQgetlength(result, row, column));
    }
  }
  return rows;
}

}  // namespace

TestDatabase::~TestDatabase() { PQfinish(connection_); }

Rows TestDatabase::Query(const std::string& sql) {
  if (connection_ != nullptr && PQstatus(connection_) != CONNECTION_OK) {
    PQfinish(connection_);
    connection_ = nullptr;
  }
  if (connection_ == nullptr) {
    connection_ = PQconnectdb(absl::StrCat(conninfo_, " connect_timeout=10").c_str());
  }
  // A connection that PostgreSQL ended shows that only when it is used.
  PGresult* result = PQexec(connection_, sql.c_str());
  if (PQstatus(connection_) != CONNECTION_OK) {
    PQclear(result);
    PQreset(connection_);
    result = PQexec(connection_, sql.c_str());
  }
  const ExecStatusType status = PQresultStatus(result);
  Rows rows;
  if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
    rows = RowsOf(result);
  } else {
    ADD_FAILURE() << sql << "\n" << PQerrorMessage(connection_);
  }
  PQclear(result);
  return rows;
}

std::string TestDatabase::Value(const std::string& sql) {
  const Rows rows = Query(sql);
  return rows.empty() || rows[0].empty() ? "" : rows[0][0];
}

std::string TestDatabase::Dump() {
  std::string dump;
  for (const std::vector<std::string>& table :
       Query("SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition "
             "AND relnamespace = 'public'::regnamespace AND relname <> 'nodes' ORDER BY 1")) {
    absl::StrAppend(&dump, table[0], "\n");
    for (const std::vector<std::string>& row :
         Query(absl::StrCat("SELECT t::text FROM ", table[0], " t ORDER BY 1"))) {
      absl::StrAppend(&dump, "  ", row[0], "\n");
    }
  }
  return dump;
}

TestCluster& TestCluster::OfProgram() {
  // Never destroyed: the cleanup of the scratch folder ends it.
  static TestCluster* const cluster = [] {
    absl::StatusOr<std::unique_ptr<TestCluster>> started = Start();
    if (!started.ok()) {
      std::fprintf(stderr, "no PostgreSQL for the tests: %s\n",
                   std::string(started.status().message()).c_str());
      std::abort();
    }
    return started->release();
  }();
  return *cluster;
}

absl::StatusOr<std::unique_ptr<TestCluster>> TestCluster::Start() {
  absl::StatusOr<std::unique_ptr<embedded::DataDir>> folder =
      embedded::DataDir::Open(ScratchFolder::NewFolder("cluster"));
  if (!folder.ok()) return folder.status();
  std::unique_ptr<TestCluster> cluster(new TestCluster(*std::move(folder)));
  if (absl::Status started = cluster->StartAgain(); !started.ok()) return started;
  return cluster;
}

TestCluster::TestCluster(std::unique_ptr<embedded::DataDir> folder) : folder_(std::move(folder)) {}

TestCluster::~TestCluster() {
  if (cluster_ != nullptr) cluster_->Stop(kStopTimeout).IgnoreError();
}

absl::Status TestCluster::StartAgain() {
  embedded::PrivateCluster::Options options;
  options.data_dir = folder_->path();
  options.extra_settings = {{"fsync", "off"},
                            {"full_page_writes", "off"},
                            {"shared_buffers", "64MB"},
                            {"max_connections", "200"}};
  cluster_.reset();
  if (absl::Status made = MakeUnsyncedCluster(folder_->path()); !made.ok()) return made;
  absl::StatusOr<std::unique_ptr<embedded::PrivateCluster>> started =
      embedded::PrivateCluster::Start(std::move(options));
  if (!started.ok()) return started.status();
  cluster_ = *std::move(started);
  return absl::OkStatus();
}

std::unique_ptr<TestDatabase> TestCluster::Make(absl::string_view how) {
  const std::string name = absl::StrCat("test", names_.size() + 1);
  const auto named = [this](const std::string& database) {
    return absl::StrReplaceAll(cluster_->conninfo(), {{"dbname=postrider", "dbname=" + database}});
  };
  TestDatabase(named("postgres")).Query(absl::StrCat("CREATE DATABASE ", name, how));
  auto database = std::make_unique<TestDatabase>(named(name));
  names_.emplace(database->conninfo(), name);
  return database;
}

std::unique_ptr<TestDatabase> TestCluster::NewDatabase() { return Make(""); }

std::unique_ptr<TestDatabase> TestCluster::CopyOf(const TestDatabase& original) {
  return Make(absl::StrCat(" TEMPLATE ", names_.at(original.conninfo())));
}

std::string TestCluster::log_path() const {
  return absl::StrCat(folder_->path(), "/postgres/postgres.log");
}

void TestCluster::Kill() {
  ::kill(cluster_->pid(), SIGKILL);
  WaitUntil([&] { return !cluster_->Alive(); });
}

void TestCluster::Stop() {
  absl::Status stopped = cluster_->Stop(kStopTimeout);
  EXPECT_TRUE(stopped.ok()) << stopped;
}

}  // namespace postrider::testing

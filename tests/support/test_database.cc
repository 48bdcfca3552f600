#include "tests/support/test_database.h"

#include <gtest/gtest.h>
#include <libpq-fe.h>
#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <map>
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
constexpr absl::Duration kMakeTimeout = absl::Minutes(1);

absl::Status RunProgram(const std::vector<std::string>& arguments,
                        const embedded::ClusterLayout& layout) {
  absl::StatusOr<embedded::ProgramResult> result =
      embedded::RunToEnd({arguments, layout.run_as}, "", kMakeTimeout);
  if (!result.ok()) return result.status();
  return result->exit_code == 0 ? absl::OkStatus() : absl::InternalError(result->output);
}

// Makes the cluster as the server would, but syncs nothing to the disk, which can take seconds;
// with `primary`, where one answers, as a copy of that one which follows it.
absl::Status MakeUnsyncedCluster(const std::string& data_dir, const std::string& primary) {
  absl::StatusOr<embedded::ClusterLayout> layout = embedded::PrepareLayout(data_dir);
  if (!layout.ok()) return layout.status();
  if (layout->major.has_value()) return absl::OkStatus();  // There is one.
  absl::StatusOr<embedded::PostgresPrograms> programs =
      embedded::FindPostgresPrograms(std::nullopt);
  if (!programs.ok()) return programs.status();
  absl::Status made = embedded::MakePrivateFolder(layout->data, layout->run_as);
  if (!made.ok()) return made;
  if (!primary.empty()) {
    return RunProgram({programs->folder + "/pg_basebackup", "--pgdata", layout->data, "--dbname",
                       primary, "--write-recovery-conf", "--checkpoint=fast", "--no-sync"},
                      *layout);
  }
  return RunProgram(
      {programs->Initdb(), "--pgdata", layout->data, "--username=postrider", "--encoding=UTF8",
       "--locale=C", "--auth=trust", "--no-sync", "--no-instructions"},
      *layout);
}

// `settings`, with `others` in place of settings of the same name.
std::vector<std::pair<std::string, std::string>> With(
    std::vector<std::pair<std::string, std::string>> settings,
    const std::vector<std::pair<std::string, std::string>>& others) {
  std::map<std::string, std::string> by_name(settings.begin(), settings.end());
  for (const auto& [name, value] : others) by_name[name] = value;
  return {by_name.begin(), by_name.end()};
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

std::string TestDatabase::DumpBut(const char* tables) {
  std::string dump;
  for (const std::vector<std::string>& table : Query(absl::StrCat(
           "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition "
           "AND relnamespace = 'public'::regnamespace AND relname NOT IN ('",
           tables, "') ORDER BY 1"))) {
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

absl::StatusOr<std::unique_ptr<TestCluster>> TestCluster::Open(Options options) {
  if (options.folder.empty()) options.folder = ScratchFolder::NewFolder("cluster");
  absl::StatusOr<std::unique_ptr<embedded::DataDir>> folder =
      embedded::DataDir::Open(options.folder);
  if (!folder.ok()) return folder.status();
  return std::unique_ptr<TestCluster>(new TestCluster(*std::move(folder), std::move(options)));
}

absl::StatusOr<std::unique_ptr<TestCluster>> TestCluster::Start(Options options) {
  absl::StatusOr<std::unique_ptr<TestCluster>> cluster = Open(std::move(options));
  if (!cluster.ok()) return cluster;
  const absl::Status made = MakeUnsyncedCluster((*cluster)->folder_->path(), "");
  if (!made.ok()) return made;
  if (absl::Status started = (*cluster)->StartAgain(); !started.ok()) return started;
  return cluster;
}

absl::StatusOr<std::unique_ptr<TestCluster>> TestCluster::StartStandby() {
  absl::StatusOr<std::unique_ptr<TestCluster>> standby = Open({"", options_.settings});
  if (!standby.ok()) return standby;
  const absl::Status made = MakeUnsyncedCluster((*standby)->folder_->path(), cluster_->conninfo());
  if (!made.ok()) return made;
  if (absl::Status started = (*standby)->StartAgain(); !started.ok()) return started;
  return standby;
}

TestCluster::TestCluster(std::unique_ptr<embedded::DataDir> folder, Options options)
    : folder_(std::move(folder)), options_(std::move(options)) {}

TestCluster::~TestCluster() {
  if (cluster_ != nullptr) cluster_->Stop(kStopTimeout).IgnoreError();
}

absl::Status TestCluster::StartAgain() {
  embedded::PrivateCluster::Options options;
  options.data_dir = folder_->path();
  options.extra_settings = With({{"fsync", "off"},
                                 {"full_page_writes", "off"},
                                 {"shared_buffers", "64MB"},
                                 {"shared_preload_libraries", "pg_stat_statements"},
                                 {"max_connections", "200"}},
                                options_.settings);
  cluster_.reset();
  absl::StatusOr<std::unique_ptr<embedded::PrivateCluster>> started =
      embedded::PrivateCluster::Start(std::move(options));
  if (!started.ok()) return started.status();
  cluster_ = *std::move(started);
  return absl::OkStatus();
}

std::unique_ptr<TestDatabase> TestCluster::Make(absl::string_view how) {
  const std::string name = absl::StrCat("test", names_.size() + 1);
  Database("postgres")->Query(absl::StrCat("CREATE DATABASE ", name, how));
  std::unique_ptr<TestDatabase> database = Database(name);
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

std::unique_ptr<TestDatabase> TestCluster::Database(const std::string& name) const {
  return std::make_unique<TestDatabase>(
      absl::StrReplaceAll(cluster_->conninfo(), {{"dbname=postrider", "dbname=" + name}}));
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

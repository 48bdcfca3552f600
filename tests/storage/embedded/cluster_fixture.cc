#include "tests/storage/embedded/cluster_fixture.h"

#include <libpq-fe.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "storage/postgres/embedded/postmaster_file.h"
#include "storage/postgres/embedded/process_handle.h"

namespace postrider::embedded {
namespace {

// Lives as long as the program, so that initdb runs once.
const std::string& TemplateFolder() {
  static const TempFolder* const folder = [] {
    static TempFolder made;
    ::chmod(made.path().c_str(), 0711);
    auto data_dir = DataDir::Open(made.path() + "/data");
    if (!data_dir.ok()) return &made;
    PrivateCluster::Options options;
    options.data_dir = (*data_dir)->path();
    auto cluster = PrivateCluster::Start(options);
    EXPECT_TRUE(cluster.ok()) << cluster.status();
    return &made;
  }();
  return folder->path();
}

}  // namespace

ClusterTest::ClusterTest() {
  // The user of the database has to pass through it.
  ::chmod(temp_.path().c_str(), 0711);
}

ClusterTest::~ClusterTest() {
  if (data_dir_ == nullptr) return;
  const std::string data = ClusterFolder() + "/data";
  // Not by SIGKILL at first: nobody would remove its shared memory.
  if (auto file = ReadPostmasterFile(data); file.ok()) {
    auto process = ProcessHandle::Open(file->pid);
    if (process.ok() && process->IsPostgresOf(data)) {
      process->Signal(SIGQUIT);
      process->WaitForExit(absl::Seconds(10));
    }
  }
  EndPostgresProcesses(data, absl::Seconds(1), absl::Seconds(10));
}

void ClusterTest::OpenDataDir(const std::string& name) {
  auto opened = DataDir::Open(temp_.path() + "/" + name);
  ASSERT_TRUE(opened.ok()) << opened.status();
  data_dir_ = *std::move(opened);
}

void ClusterTest::OpenDataDirWithCluster() {
  const std::string copy =
      absl::StrCat("cp -a ", TemplateFolder(), "/data ", temp_.path(), "/data");
  ASSERT_EQ(::system(copy.c_str()), 0);
  OpenDataDir();
}

PrivateCluster::Options ClusterTest::MakeOptions() {
  PrivateCluster::Options options;
  options.data_dir = data_dir_->path();
  options.extra_settings = {{"shared_buffers", "16MB"}};
  options.log = [this](absl::string_view line) { lines_.emplace_back(line); };
  return options;
}

std::unique_ptr<PrivateCluster> ClusterTest::StartCluster(PrivateCluster::Options options) {
  auto cluster = PrivateCluster::Start(std::move(options));
  EXPECT_TRUE(cluster.ok()) << cluster.status();
  return cluster.ok() ? *std::move(cluster) : nullptr;
}

std::string Query(const PrivateCluster& cluster, const std::string& sql) {
  PGconn* connection = PQconnectdb((cluster.conninfo() + " connect_timeout=10").c_str());
  PQsetNoticeProcessor(
      connection, [](void*, const char*) {}, nullptr);
  std::string answer;
  if (PQstatus(connection) != CONNECTION_OK) {
    answer = absl::StrCat("no connection: ", PQerrorMessage(connection));
  } else {
    PGresult* result = PQexec(connection, sql.c_str());
    if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) > 0) {
      answer = PQgetvalue(result, 0, 0);
    } else if (PQresultStatus(result) != PGRES_COMMAND_OK) {
      const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
      answer = absl::StrCat("error ", state == nullptr ? "unknown" : state);
    }
    PQclear(result);
  }
  PQfinish(connection);
  return answer;
}

uid_t UserOf(pid_t pid) {
  struct stat info;
  return ::stat(absl::StrCat("/proc/", pid).c_str(), &info) == 0 ? info.st_uid
                                                                 : static_cast<uid_t>(-1);
}

void KillChild(pid_t pid) {
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

}  // namespace postrider::embedded

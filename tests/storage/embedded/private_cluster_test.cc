#include "storage/postgres/embedded/private_cluster.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/storage/embedded/cluster_fixture.h"

namespace postrider::embedded {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

using PrivateClusterTest = ClusterTest;

// Inodes of the TCP sockets that listen in this network namespace.
std::set<std::string> ListeningTcpInodes() {
  std::set<std::string> inodes;
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream file(table);
    for (std::string line; std::getline(file, line);) {
      const std::vector<std::string> fields = absl::StrSplit(line, ' ', absl::SkipEmpty());
      if (fields.size() > 9 && fields[3] == "0A") inodes.insert(fields[9]);
    }
  }
  return inodes;
}

std::string Contents(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST_F(PrivateClusterTest, FirstStartMakesADatabaseThatAnswers) {
  OpenDataDir();
  auto cluster = StartCluster();
  ASSERT_NE(cluster, nullptr);
  EXPECT_TRUE(cluster->Alive());
  EXPECT_EQ(Query(*cluster, "SELECT current_database() || ' ' || current_user"),
            "postrider postrider");
  EXPECT_EQ(Query(*cluster, "SHOW server_encoding"), "UTF8");
  EXPECT_EQ(Query(*cluster, "SHOW lc_collate"), "C");
  EXPECT_EQ(Query(*cluster, "SHOW data_checksums"), "on");
  EXPECT_EQ(ModeOf(ClusterFolder() + "/data"), 0700u);
  EXPECT_EQ(ModeOf(ClusterFolder() + "/run"), 0700u);
  EXPECT_EQ(ModeOf(ClusterFolder() + "/postgres.log"), 0600u);
  EXPECT_THAT(lines_, Contains(StartsWith("made a PostgreSQL ")));
}

TEST_F(PrivateClusterTest, DataIsThereAfterAStopAndStart) {
  OpenDataDirWithCluster();
  auto cluster = StartCluster();
  ASSERT_NE(cluster, nullptr);
  EXPECT_EQ(Query(*cluster, "CREATE TABLE t AS SELECT 'kept' AS v"), "");
  const std::string conninfo = cluster->conninfo();
  EXPECT_TRUE(cluster->Stop(absl::Seconds(10)).ok());
  EXPECT_FALSE(cluster->Alive());
  EXPECT_THAT(Query(*cluster, "SELECT 1"), StartsWith("no connection"));
  EXPECT_TRUE(cluster->Stop(absl::Seconds(10)).ok()) << "a second stop does nothing";
  EXPECT_EQ(cluster->EnsureRunning().code(), absl::StatusCode::kFailedPrecondition);

  cluster = StartCluster();
  ASSERT_NE(cluster, nullptr);
  EXPECT_EQ(cluster->conninfo(), conninfo);
  EXPECT_EQ(Query(*cluster, "SELECT v FROM t"), "kept");
  EXPECT_THAT(lines_, Not(Contains(StartsWith("made a PostgreSQL "))));
}

TEST_F(PrivateClusterTest, StopsWithItsOwner) {
  OpenDataDirWithCluster();
  auto cluster = StartCluster();
  ASSERT_NE(cluster, nullptr);
  const pid_t pid = cluster->pid();
  cluster.reset();
  EXPECT_EQ(UserOf(pid), static_cast<uid_t>(-1)) << "the process is gone, and was reaped";
  EXPECT_FALSE(std::filesystem::exists(ClusterFolder() + "/data/postmaster.pid"));
}

TEST_F(PrivateClusterTest, RunsAsAnUnprivilegedUserUnderRoot) {
  OpenDataDirWithCluster();
  auto cluster = StartCluster();
  ASSERT_NE(cluster, nullptr);
  EXPECT_NE(UserOf(cluster->pid()), 0u);
  if (::geteuid() != 0) {
    EXPECT_EQ(UserOf(cluster->pid()), ::geteuid());
  }
}

TEST_F(PrivateClusterTest, RunsInASessionOfItsOwn) {
  OpenDataDirWithCluster();
  auto cluster = StartCluster();
  ASSERT_NE(cluster, nullptr);
  EXPECT_EQ(::getsid(cluster->pid()), cluster->pid());
}

TEST_F(PrivateClusterTest, ListensOnNoTcpSocket) {
  OpenDataDirWithCluster();
  auto cluster = StartCluster();
  ASSERT_NE(cluster, nullptr);
  EXPECT_EQ(Query(*cluster, "SHOW listen_addresses"), "");
  const std::set<std::string> listening = ListeningTcpInodes();
  int descriptors = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(absl::StrCat("/proc/", cluster->pid(), "/fd"))) {
    ++descriptors;
    const std::string target = std::filesystem::read_symlink(entry.path()).string();
    if (!absl::StartsWith(target, "socket:[")) continue;
    EXPECT_EQ(listening.count(target.substr(8, target.size() - 9)), 0u) << target;
  }
  EXPECT_GT(descriptors, 2);
}

TEST_F(PrivateClusterTest, HoldsNoDescriptorOfTheServer) {
  OpenDataDirWithCluster();
  std::ofstream inherited(temp_.path() + "/inherited");
  const int leaky = ::dup(0);  // Without close-on-exec.
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  auto cluster = StartCluster();
  ASSERT_NE(cluster, nullptr);
  const auto ours = std::filesystem::read_symlink(absl::StrCat("/proc/self/fd/", ends[1]));
  for (const auto& entry :
       std::filesystem::directory_iterator(absl::StrCat("/proc/", cluster->pid(), "/fd"))) {
    const auto target = std::filesystem::read_symlink(entry.path());
    EXPECT_NE(target, ours);
    EXPECT_NE(target.string(), temp_.path() + "/inherited");
    EXPECT_NE(target.string(), data_dir_->path() + "/lock");
  }
  for (int fd : {leaky, ends[0], ends[1]}) ::close(fd);
}

TEST_F(PrivateClusterTest, RunsWithItsSettingsAndTheCallersOverThem) {
  OpenDataDirWithCluster();
  auto options = MakeOptions();
  options.extra_settings = {{"shared_buffers", "24MB"}, {"Work_Mem", "5MB"}};
  auto cluster = StartCluster(options);
  ASSERT_NE(cluster, nullptr);
  EXPECT_EQ(Query(*cluster, "SHOW shared_buffers"), "24MB");
  EXPECT_EQ(Query(*cluster, "SHOW work_mem"), "5MB");
  EXPECT_EQ(Query(*cluster, "SHOW jit"), "off");
  EXPECT_EQ(Query(*cluster, "SHOW fsync"), "on");
  EXPECT_EQ(Query(*cluster, "SHOW synchronous_commit"), "on");
  EXPECT_EQ(Query(*cluster, "SHOW full_page_writes"), "on");
  EXPECT_EQ(Query(*cluster, "SHOW max_wal_size"), "4GB");
  EXPECT_EQ(Query(*cluster, "SHOW autovacuum_naptime"), "10s");
  EXPECT_EQ(Query(*cluster, "SHOW timezone"), "UTC");
  EXPECT_NE(Query(*cluster, "SHOW wal_compression"), "off");
}

TEST_F(PrivateClusterTest, SettingsThatWouldOpenItAreRefused) {
  OpenDataDir();
  for (const char* name : {"listen_addresses", "LISTEN_ADDRESSES", "port", "hba_file", "a=b", ""}) {
    auto options = MakeOptions();
    options.extra_settings = {{name, "*"}};
    EXPECT_EQ(PrivateCluster::Start(options).status().code(), absl::StatusCode::kInvalidArgument)
        << name;
  }
}

TEST_F(PrivateClusterTest, EarlyEndIsReportedInPostgresWords) {
  OpenDataDirWithCluster();
  auto options = MakeOptions();
  options.extra_settings = {{"max_connections", "many"}};
  const absl::Status failed = PrivateCluster::Start(options).status();
  EXPECT_EQ(failed.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(failed.message()),
              HasSubstr("FATAL: invalid value for parameter \"max_connections\": \"many\""));
}

TEST_F(PrivateClusterTest, LogHoldsNoStatementsValuesOrPayloads) {
  OpenDataDirWithCluster();
  auto cluster = StartCluster();
  ASSERT_NE(cluster, nullptr);
  EXPECT_EQ(Query(*cluster, "CREATE TABLE t (v text UNIQUE)"), "");
  EXPECT_EQ(Query(*cluster, "INSERT INTO t VALUES ('zebra')"), "");
  EXPECT_EQ(Query(*cluster, "INSERT INTO t VALUES ('zebra')"), "error 23505");
  EXPECT_EQ(Query(*cluster, "SELECT 'zebra'::int"), "error 22P02");
  EXPECT_EQ(Query(*cluster, "SELECT zebra"), "error 42703");
  EXPECT_EQ(Query(*cluster, "DO $$ BEGIN RAISE WARNING 'zebra'; END $$"), "");
  EXPECT_THAT(Query(*cluster, "SELECT 'zebra', pg_terminate_backend(pg_backend_pid())"),
              StartsWith("error"));
  EXPECT_TRUE(cluster->Stop(absl::Seconds(10)).ok());
  const std::string log = Contents(ClusterFolder() + "/postgres.log");
  EXPECT_THAT(log, HasSubstr("ready to accept connections"));
  EXPECT_THAT(log, Not(HasSubstr("zebra")));
}

TEST_F(PrivateClusterTest, LongPathsGetAShortSocketFolder) {
  const std::string name = std::string(60, 'l') + "/" + std::string(60, 'm');
  std::string socket_folder;
  OpenDataDir(name);
  {
    auto cluster = StartCluster();
    ASSERT_NE(cluster, nullptr);
    EXPECT_EQ(Query(*cluster, "SELECT 1"), "1");
    socket_folder = Query(*cluster, "SHOW unix_socket_directories");
    EXPECT_LT(socket_folder.size(), 40u);
    EXPECT_EQ(ModeOf(socket_folder), 0700u);
  }
  EXPECT_FALSE(std::filesystem::exists(socket_folder)) << socket_folder;
}

TEST_F(PrivateClusterTest, OddCharactersInThePathDoNoHarm) {
  OpenDataDir("it's, a \"day\" \\ dir");
  auto cluster = StartCluster();
  ASSERT_NE(cluster, nullptr);
  EXPECT_EQ(Query(*cluster, "SELECT 1"), "1");
}

TEST_F(PrivateClusterTest, FolderThatTheDatabaseUserCannotReachIsNamed) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root runs PostgreSQL as somebody else";
  OpenDataDir("closed/data");
  ::chmod((temp_.path() + "/closed").c_str(), 0700);
  const absl::Status failed = PrivateCluster::Start(MakeOptions()).status();
  EXPECT_EQ(failed.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(failed.message()), HasSubstr("cannot reach"));
}

TEST_F(PrivateClusterTest, FolderThatIsNoClusterIsLeftAlone) {
  OpenDataDir();
  std::filesystem::create_directories(ClusterFolder() + "/data");
  if (::geteuid() == 0) {
    ASSERT_EQ(::chown((ClusterFolder() + "/data").c_str(), 65534, 65534), 0);
  }
  std::ofstream(ClusterFolder() + "/data/precious") << "x";
  const absl::Status failed = PrivateCluster::Start(MakeOptions()).status();
  EXPECT_EQ(failed.code(), absl::StatusCode::kFailedPrecondition) << failed;
  EXPECT_TRUE(std::filesystem::exists(ClusterFolder() + "/data/precious"));
}

TEST_F(PrivateClusterTest, VersionThatIsNotInstalledIsNamed) {
  OpenDataDirWithCluster();
  std::ofstream(ClusterFolder() + "/data/PG_VERSION") << "99\n";
  const absl::Status failed = PrivateCluster::Start(MakeOptions()).status();
  EXPECT_EQ(failed.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(failed.message()), HasSubstr("postgresql-99"));
}

}  // namespace
}  // namespace postrider::embedded

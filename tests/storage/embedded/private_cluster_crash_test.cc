// What happens when the server, PostgreSQL or the making of the cluster is cut off in the middle.

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/postgres/embedded/cluster_log.h"
#include "storage/postgres/embedded/postmaster_file.h"
#include "storage/postgres/embedded/private_cluster.h"
#include "storage/postgres/embedded/process_handle.h"
#include "tests/storage/embedded/cluster_fixture.h"

namespace postrider::embedded {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class PrivateClusterCrashTest : public ClusterTest {
 protected:
  // Another process opens the data folder, starts the cluster and is killed with SIGKILL once it is
  // up. Returns the pid of the PostgreSQL that it left.
  pid_t StartAndLoseTheOwner() {
    const PrivateCluster::Options options = MakeOptions();
    data_dir_.reset();
    int ready[2];
    if (::pipe2(ready, O_CLOEXEC) != 0) return -1;
    const pid_t owner = ::fork();
    if (owner == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      auto data_dir = DataDir::Open(options.data_dir);
      auto cluster = PrivateCluster::Start(options);
      const pid_t pid = data_dir.ok() && cluster.ok() ? (*cluster)->pid() : -1;
      [[maybe_unused]] auto ignored = ::write(ready[1], &pid, sizeof(pid));
      ::pause();
      ::_exit(1);
    }
    ::close(ready[1]);
    pid_t pid = -1;
    [[maybe_unused]] auto ignored = ::read(ready[0], &pid, sizeof(pid));
    ::close(ready[0]);
    KillChild(owner);
    OpenDataDir();
    return pid;
  }
};

TEST_F(PrivateClusterCrashTest, SurvivesItsOwnersKillAndIsTakenOver) {
  OpenDataDirWithCluster();
  const pid_t left = StartAndLoseTheOwner();
  ASSERT_GT(left, 0);
  ASSERT_NE(data_dir_, nullptr) << "the lock went with its holder";
  auto process = ProcessHandle::Open(left);
  ASSERT_TRUE(process.ok()) << process.status();
  EXPECT_FALSE(process->Exited());

  auto cluster = StartCluster();
  ASSERT_NE(cluster, nullptr);
  EXPECT_EQ(cluster->pid(), left);
  EXPECT_TRUE(cluster->Alive());
  EXPECT_THAT(lines_, Contains(StartsWith("took over the PostgreSQL")));
  EXPECT_EQ(Query(*cluster, "SELECT 1"), "1");
  EXPECT_TRUE(cluster->Stop(absl::Seconds(10)).ok());
  EXPECT_TRUE(process->Exited()) << "stopped like one of our own";
}

TEST_F(PrivateClusterCrashTest, LeftOneWithOtherSettingsIsStartedAnew) {
  OpenDataDirWithCluster();
  const pid_t left = StartAndLoseTheOwner();
  ASSERT_GT(left, 0);
  auto options = MakeOptions();
  options.extra_settings = {{"shared_buffers", "24MB"}};
  auto cluster = StartCluster(options);
  ASSERT_NE(cluster, nullptr);
  EXPECT_NE(cluster->pid(), left);
  EXPECT_EQ(Query(*cluster, "SHOW shared_buffers"), "24MB");
}

TEST_F(PrivateClusterCrashTest, TakenOverOneIsRestartedAfterItsDeath) {
  OpenDataDirWithCluster();
  const pid_t left = StartAndLoseTheOwner();
  ASSERT_GT(left, 0);
  auto cluster = StartCluster();
  ASSERT_NE(cluster, nullptr);
  ASSERT_EQ(::kill(left, SIGKILL), 0);
  auto process = ProcessHandle::Open(left);
  if (process.ok()) process->WaitForExit(absl::Seconds(10));
  EXPECT_FALSE(cluster->Alive());
  const absl::Status restarted = cluster->EnsureRunning();
  ASSERT_TRUE(restarted.ok()) << restarted;
  EXPECT_EQ(Query(*cluster, "SELECT 1"), "1");
}

TEST_F(PrivateClusterCrashTest, EnsureRunningRestartsItAfterAKill) {
  OpenDataDirWithCluster();
  auto cluster = StartCluster();
  ASSERT_NE(cluster, nullptr);
  EXPECT_EQ(Query(*cluster, "CREATE TABLE t AS SELECT 'committed' AS v"), "");
  const pid_t first = cluster->pid();
  EXPECT_TRUE(cluster->EnsureRunning().ok());
  EXPECT_EQ(cluster->pid(), first) << "nothing to do while it runs";

  auto process = ProcessHandle::Open(first);
  ASSERT_TRUE(process.ok()) << process.status();
  process->Signal(SIGKILL);
  ASSERT_TRUE(process->WaitForExit(absl::Seconds(10)));
  EXPECT_FALSE(cluster->Alive());
  const absl::Status restarted = cluster->EnsureRunning();
  ASSERT_TRUE(restarted.ok()) << restarted;
  EXPECT_TRUE(cluster->Alive());
  EXPECT_NE(cluster->pid(), first);
  EXPECT_EQ(Query(*cluster, "SELECT v FROM t"), "committed");
}

TEST_F(PrivateClusterCrashTest, KilledBackendRevealsNoStatementInTheLog) {
  OpenDataDirWithCluster();
  auto cluster = StartCluster();
  ASSERT_NE(cluster, nullptr);
  EXPECT_EQ(Query(*cluster,
                  "CREATE FUNCTION die() RETURNS void LANGUAGE plpgsql AS $$ BEGIN "
                  "EXECUTE format('COPY (SELECT 1) TO PROGRAM %L', "
                  "'kill -9 ' || pg_backend_pid()); PERFORM pg_sleep(20); END $$"),
            "");
  EXPECT_EQ(Query(*cluster, "SELECT die(), 'zebra'"), "error unknown");
  EXPECT_TRUE(cluster->Alive()) << "it recovers by itself";
  EXPECT_TRUE(cluster->Stop(absl::Seconds(10)).ok());
  std::ifstream file(ClusterFolder() + "/postgres.log");
  const std::string log(std::istreambuf_iterator<char>(file), {});
  EXPECT_THAT(log, HasSubstr("terminated by signal 9"));
  EXPECT_THAT(log, Not(HasSubstr("zebra")));
}

TEST_F(PrivateClusterCrashTest, HalfMadeClusterIsRemovedAndMadeAgain) {
  OpenDataDir();
  std::filesystem::create_directories(ClusterFolder() + "/data.new/base/1");
  std::ofstream(ClusterFolder() + "/data.new/PG_VERSION") << "15\n";
  auto cluster = StartCluster();
  ASSERT_NE(cluster, nullptr);
  EXPECT_EQ(Query(*cluster, "SELECT 1"), "1");
  EXPECT_FALSE(std::filesystem::exists(ClusterFolder() + "/data.new"));
}

TEST_F(PrivateClusterCrashTest, KillAtAnyMomentOfTheFirstStartDoesNoHarm) {
  const unsigned seed = ::testing::UnitTest::GetInstance()->random_seed() != 0
                            ? ::testing::UnitTest::GetInstance()->random_seed()
                            : std::random_device()();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  for (int round = 0; round < 5; ++round) {
    // From before initdb to after the first answer, which takes about a second.
    const absl::Duration moment =
        absl::Milliseconds(round * 250 + std::uniform_int_distribution<int>(0, 250)(random));
    SCOPED_TRACE(absl::StrCat("killed after ", absl::FormatDuration(moment)));
    OpenDataDir(absl::StrCat("data", round));
    const PrivateCluster::Options options = MakeOptions();
    const pid_t owner = ::fork();
    if (owner == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      auto cluster = PrivateCluster::Start(options);
      ::pause();
      ::_exit(1);
    }
    auto process = ProcessHandle::Open(owner);
    ASSERT_TRUE(process.ok()) << process.status();
    EXPECT_FALSE(process->WaitForExit(moment));
    KillChild(owner);
    auto cluster = StartCluster();
    ASSERT_NE(cluster, nullptr);
    EXPECT_EQ(Query(*cluster, "SELECT current_database()"), "postrider");
    EXPECT_FALSE(std::filesystem::exists(ClusterFolder() + "/data.new"));
  }
}

TEST_F(PrivateClusterCrashTest, PidFileNamingAnUnrelatedProcessDoesNotPreventTheStart) {
  OpenDataDirWithCluster();
  uid_t user = 0;
  {
    auto cluster = StartCluster();
    ASSERT_NE(cluster, nullptr);
    user = UserOf(cluster->pid());
  }
  const pid_t unrelated = ::fork();
  if (unrelated == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::setuid(user) != 0) ::_exit(1);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // The change of user has undone it.
    ::pause();
    ::_exit(0);
  }
  const std::string pid_file = ClusterFolder() + "/data/postmaster.pid";
  std::ofstream(pid_file) << unrelated << "\n" << ClusterFolder() << "/data\n1\n5432\n\n\n\n";
  [[maybe_unused]] const int ignored = ::chown(pid_file.c_str(), user, static_cast<gid_t>(-1));
  auto cluster = StartCluster();
  ASSERT_NE(cluster, nullptr);
  EXPECT_EQ(Query(*cluster, "SELECT 1"), "1");
  EXPECT_EQ(::kill(unrelated, 0), 0) << "and the unrelated process is left in peace";
  KillChild(unrelated);
}

TEST_F(PrivateClusterCrashTest, StartThatRunsOutOfTimeIsContinuedByTheNext) {
  OpenDataDirWithCluster();
  auto options = MakeOptions();
  options.start_timeout = absl::ZeroDuration();
  EXPECT_EQ(PrivateCluster::Start(options).status().code(), absl::StatusCode::kDeadlineExceeded);
  auto cluster = StartCluster();
  ASSERT_NE(cluster, nullptr);
  EXPECT_EQ(Query(*cluster, "SELECT 1"), "1");
}

TEST_F(PrivateClusterCrashTest, StopEndsEvenAFrozenOne) {
  OpenDataDirWithCluster();
  auto cluster = StartCluster();
  ASSERT_NE(cluster, nullptr);
  auto process = ProcessHandle::Open(cluster->pid());
  ASSERT_TRUE(process.ok()) << process.status();
  process->Signal(SIGSTOP);
  EXPECT_EQ(cluster->Stop(absl::Milliseconds(10)).code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(process->Exited());
  EXPECT_EQ(EndPostgresProcesses(ClusterFolder() + "/data", absl::ZeroDuration(), absl::Seconds(5)),
            0);

  cluster = StartCluster();
  ASSERT_NE(cluster, nullptr);
  EXPECT_EQ(Query(*cluster, "SELECT 1"), "1");
}

TEST_F(PrivateClusterCrashTest, LogIsKeptSmall) {
  OpenDataDirWithCluster();
  auto cluster = StartCluster();
  ASSERT_NE(cluster, nullptr);
  const std::string log = ClusterFolder() + "/postgres.log";
  {
    std::ofstream file(log, std::ios::app);
    file << std::string(kMaxLogBytes, '.') << "\nlast line\n";
  }
  EXPECT_TRUE(cluster->EnsureRunning().ok());
  EXPECT_EQ(ClusterLogSize(log), 0);
  EXPECT_EQ(ClusterLogSize(log + ".1"), kMaxLogBytes);
  EXPECT_EQ(LastReason(log + ".1", 0), "last line");
  EXPECT_TRUE(cluster->Stop(absl::Seconds(10)).ok());
  EXPECT_GT(ClusterLogSize(log), 0) << "PostgreSQL goes on writing to the same file";
}

}  // namespace
}  // namespace postrider::embedded

// A server that crashes leaves no core file, in which its secrets would lie open.

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/support/engine_test.h"
#include "tests/support/scratch_folder.h"

namespace postrider::testing {
namespace {

// Core files of any size from here on, for what this program starts.
void AllowCoreFiles() {
  rlimit limit{};
  getrlimit(RLIMIT_CORE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_CORE, &limit);
}

// Whether a process of ours that is ended by SIGABRT leaves a core file on this machine.
bool CoreFilesAreMade() {
  const std::string folder = ScratchFolder::NewFolder("core");
  const pid_t child = fork();
  if (child == 0) {
    if (chdir(folder.c_str()) == 0) abort();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) && WCOREDUMP(status);
}

class CoreFileTest : public OwnServersTest {};

TEST_F(CoreFileTest, ACrashLeavesNone) {
  AllowCoreFiles();
  if (!CoreFilesAreMade()) GTEST_SKIP() << "this machine makes no core files for anybody";
  ServerProcess* const server = StartServer();
  ASSERT_NE(server, nullptr);
  std::ifstream limits(absl::StrCat("/proc/", server->program().pid(), "/limits"));
  std::string line;
  while (std::getline(limits, line) && !absl::StartsWith(line, "Max core file size")) {
  }
  EXPECT_TRUE(absl::StrContains(line, " 0 ")) << line;
  kill(server->program().pid(), SIGABRT);
  siginfo_t info{};
  // Left to be reaped by whoever started it.
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(server->program().pid()), &info, WEXITED | WNOWAIT), 0);
  EXPECT_EQ(info.si_code, CLD_KILLED) << "CLD_DUMPED is " << CLD_DUMPED;
  EXPECT_EQ(info.si_status, SIGABRT);
}

}  // namespace
}  // namespace postrider::testing

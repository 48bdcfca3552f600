#include "tests/support/scratch_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace postrider::testing {
namespace {

struct Found {
  pid_t pid;
  bool postgres;
};

// Empty where a process ends while it is read, of which a stream would make an exception.
std::string ReadAll(const std::string& path) {
  std::string all;
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return all;
  char buffer[4096];
  for (ssize_t got; (got = ::read(file, buffer, sizeof(buffer))) > 0;) {
    all.append(buffer, static_cast<size_t>(got));
  }
  ::close(file);
  return all;
}

// The processes that have to do with the folder. PostgreSQL's work in their data folder; a server
// was given a folder as an argument.
std::vector<Found> ProcessesOf(const std::string& folder) {
  std::vector<Found> found;
  DIR* proc = ::opendir("/proc");
  if (proc == nullptr) return found;
  while (const dirent* entry = ::readdir(proc)) {
    int pid = 0;
    if (!absl::SimpleAtoi(entry->d_name, &pid) || pid == ::getpid()) continue;
    const std::string base = absl::StrCat("/proc/", pid);
    std::error_code error;
    const std::string cwd = std::filesystem::read_symlink(base + "/cwd", error).string();
    const bool works_there = cwd.compare(0, folder.size() + 1, folder + "/") == 0;
    if (works_there || ReadAll(base + "/cmdline").find(folder + "/") != std::string::npos) {
      found.push_back({pid, works_there && ReadAll(base + "/comm") == "postgres\n"});
    }
  }
  ::closedir(proc);
  return found;
}

// Servers first, as they would start their PostgreSQL again; PostgreSQL by SIGQUIT, as it then
// gives back its shared memory; by force what has not ended after two seconds.
void EndProcessesOf(const std::string& folder) {
  constexpr absl::Duration kPause = absl::Milliseconds(10);
  constexpr int kPatientRounds = 200;
  constexpr int kRounds = 400;
  for (int round = 0; round < kRounds; ++round) {
    const std::vector<Found> found = ProcessesOf(folder);
    if (found.empty()) return;
    for (const Found& process : found) {
      const bool force = !process.postgres || round >= kPatientRounds;
      if (force || round == 0) ::kill(process.pid, force ? SIGKILL : SIGQUIT);
    }
    absl::SleepFor(kPause);
  }
}

// Runs in a process of its own and never returns: an exception would make it a second run of the
// test.
[[noreturn]] void CleanUpAfterEndOf(int program_pipe, const std::string& folder) noexcept {
  ::setsid();  // Ctrl-C is for the program.
  ::prctl(PR_SET_NAME, "test-cleanup");
  ::signal(SIGINT, SIG_IGN);
  ::signal(SIGTERM, SIG_IGN);
  // ctest waits until nobody holds the program's output.
  const int null = ::open("/dev/null", O_RDWR);
  for (int fd = 0; fd <= 2; ++fd) ::dup2(null, fd);
  char byte;
  while (::read(program_pipe, &byte, 1) > 0) {
  }
  EndProcessesOf(folder);
  std::error_code error;
  std::filesystem::remove_all(folder, error);
  ::_exit(0);
}

[[noreturn]] void Die(const char* what) {
  ::perror(what);
  ::abort();
}

std::string MakeFolder() {
  const char* parent = ::getenv("TMPDIR");
  std::string path = absl::StrCat(parent != nullptr && *parent != '\0' ? parent : "/tmp",
                                  "/postrider-test-XXXXXX");
  if (::mkdtemp(path.data()) == nullptr) Die("cannot make a scratch folder");
  if (::chmod(path.c_str(), 0711) != 0) Die("cannot set the mode of the scratch folder");
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) Die("cannot make a pipe");
  const pid_t child = ::fork();
  if (child < 0) Die("cannot start the cleanup process");
  if (child == 0) {
    ::close(ends[1]);
    CleanUpAfterEndOf(ends[0], path);
  }
  ::close(ends[0]);  // The other end stays open for as long as the program lives.
  return path;
}

std::string NewPath(absl::string_view name) {
  static std::atomic<int> count{0};
  return absl::StrCat(ScratchFolder::Path(), "/", name, "-", ++count);
}

}  // namespace

const std::string& ScratchFolder::Path() {
  static const std::string* const path = new std::string(MakeFolder());
  return *path;
}

std::string ScratchFolder::NewFolder(absl::string_view name) {
  const std::string path = NewPath(name);
  if (::mkdir(path.c_str(), 0711) != 0) Die("cannot make a folder");
  if (::chmod(path.c_str(), 0711) != 0) Die("cannot set the mode of a folder");
  return path;
}

std::string ScratchFolder::NewFile(absl::string_view name) { return NewPath(name); }

}  // namespace postrider::testing

#include "storage/postgres/embedded/process_handle.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "storage/postgres/embedded/deadline.h"

namespace postrider::embedded {
namespace {

constexpr size_t kMaxCommandLineBytes = 128 * 1024;

// glibc 2.36 declares its function without C linkage in C++.
int PidfdOpen(pid_t pid) { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0u)); }

bool IsPostgresProgram(pid_t pid) {
  char target[4096];
  const ssize_t length =
      ::readlink(absl::StrCat("/proc/", pid, "/exe").c_str(), target, sizeof(target));
  if (length <= 0) return false;
  absl::string_view program(target, static_cast<size_t>(length));
  // The kernel's mark on a program whose file an upgrade has replaced.
  if (absl::EndsWith(program, " (deleted)")) program.remove_suffix(10);
  return absl::EndsWith(program, "/postgres");
}

bool WorksIn(pid_t pid, const struct stat& folder) {
  struct stat working;
  if (::stat(absl::StrCat("/proc/", pid, "/cwd").c_str(), &working) != 0) return false;
  return working.st_dev == folder.st_dev && working.st_ino == folder.st_ino;
}

}  // namespace

ProcessHandle::ProcessHandle(pid_t pid, FileDescriptor pidfd)
    : pid_(pid), pidfd_(std::move(pidfd)) {}

absl::StatusOr<ProcessHandle> ProcessHandle::Open(pid_t pid) {
  FileDescriptor pidfd(PidfdOpen(pid));  // Close-on-exec by itself.
  if (pidfd.valid()) return ProcessHandle(pid, std::move(pidfd));
  // EINVAL: a pid below 1, or the id of a thread.
  if (errno == ESRCH || errno == EINVAL) {
    return absl::NotFoundError(absl::StrCat("there is no process ", pid));
  }
  return SystemError(absl::StrCat("cannot watch process ", pid));
}

bool ProcessHandle::WaitForExit(absl::Duration timeout) const {
  const Deadline deadline(timeout);
  struct pollfd watched = {.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
  int ready;
  do {
    ready = ::poll(&watched, 1, deadline.PollTimeoutMs());
  } while (ready < 0 && errno == EINTR);
  if (ready <= 0) return false;
  siginfo_t ignored;  // Reaps our own child; ECHILD for any other process.
  ::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &ignored, WEXITED | WNOHANG);
  return true;
}

void ProcessHandle::Signal(int signal) const {
  ::syscall(SYS_pidfd_send_signal, pidfd_.get(), signal, nullptr, 0u);
}

absl::StatusOr<std::vector<std::string>> ProcessHandle::CommandLine() const {
  absl::StatusOr<std::string> joined =
      ReadSmallFile(absl::StrCat("/proc/", pid_, "/cmdline"), kMaxCommandLineBytes);
  if (!joined.ok()) return joined.status();
  if (joined->empty() || Exited()) {
    return absl::NotFoundError(absl::StrCat("process ", pid_, " has ended"));
  }
  joined->pop_back();  // Every argument ends in a NUL, the last one too.
  return std::vector<std::string>(absl::StrSplit(*joined, '\0'));
}

bool ProcessHandle::IsPostgresOf(const std::string& data) const {
  struct stat folder;
  if (::stat(data.c_str(), &folder) != 0) return false;
  // Exited() last: as long as the process lives, /proc/PID was its own.
  return IsPostgresProgram(pid_) && WorksIn(pid_, folder) && !Exited();
}

int EndPostgresProcesses(const std::string& data, absl::Duration grace, absl::Duration timeout) {
  std::vector<ProcessHandle> found;
  std::error_code error;
  for (std::filesystem::directory_iterator entry("/proc", error), end; !error && entry != end;
       entry.increment(error)) {
    pid_t pid = 0;
    if (!absl::SimpleAtoi(entry->path().filename().string(), &pid)) continue;
    if (!IsPostgresProgram(pid)) continue;
    absl::StatusOr<ProcessHandle> process = ProcessHandle::Open(pid);
    if (process.ok() && process->IsPostgresOf(data)) found.push_back(*std::move(process));
  }
  const Deadline patience(grace);
  for (const ProcessHandle& process : found) process.WaitForExit(patience.Left());
  for (const ProcessHandle& process : found) process.Signal(SIGKILL);
  const Deadline deadline(timeout);
  for (const ProcessHandle& process : found) process.WaitForExit(deadline.Left());
  return static_cast<int>(found.size());
}

}  // namespace postrider::embedded

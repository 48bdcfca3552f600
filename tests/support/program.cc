#include "tests/support/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "tests/support/wait.h"

namespace postrider::testing {
namespace {

absl::Status SystemError(const char* what) {
  return absl::InternalError(absl::StrCat(what, ": ", std::strerror(errno)));
}

bool PollIn(int fd, const Deadline& deadline) {
  pollfd poll_fd{fd, POLLIN, 0};
  while (true) {
    const int ready = ::poll(&poll_fd, 1, deadline.PollTimeoutMs());
    if (ready >= 0 || errno != EINTR) return ready > 0;
  }
}

// Only async-signal-safe calls: the parent has threads.
[[noreturn]] void Become(char* const* arguments, char* const* environment, int output, int error) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (output >= 0) ::dup2(output, STDOUT_FILENO);
  if (error >= 0) ::dup2(error, STDERR_FILENO);
  ::execve(arguments[0], arguments, environment);
  ::_exit(127);
}

// Ours, with `added` in place of variables of the same name.
std::vector<std::string> Environment(
    const std::vector<std::pair<std::string, std::string>>& added) {
  std::vector<std::string> result;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string text = *variable;
    const std::string name = text.substr(0, text.find('='));
    bool replaced = false;
    for (const auto& [other, value] : added) replaced |= other == name;
    if (!replaced) result.push_back(text);
  }
  for (const auto& [name, value] : added) result.push_back(absl::StrCat(name, "=", value));
  return result;
}

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Program>> Program::Start(const Options& options) {
  const std::vector<std::string> variables = Environment(options.environment);
  const std::vector<char*> arguments = Pointers(options.arguments);
  const std::vector<char*> environment = Pointers(variables);
  int output[2] = {-1, -1};
  if (options.read_output && ::pipe2(output, O_CLOEXEC) != 0) return SystemError("pipe");
  int error = -1;
  if (!options.error_file.empty()) {
    error = ::open(options.error_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (error < 0) return SystemError("cannot open the file for standard error");
  }
  const pid_t pid = ::fork();
  if (pid < 0) return SystemError("fork");
  if (pid == 0) Become(arguments.data(), environment.data(), output[1], error);
  if (output[1] >= 0) ::close(output[1]);
  if (error >= 0) ::close(error);
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (pidfd < 0) return SystemError("pidfd_open");
  return std::unique_ptr<Program>(new Program(pid, pidfd, output[0]));
}

Program::~Program() {
  Signal(SIGKILL);
  WaitForExit(absl::Seconds(10));
  ::close(pidfd_);
  if (output_ >= 0) ::close(output_);
}

absl::StatusOr<std::string> Program::ReadLine(absl::Duration timeout) {
  const Deadline deadline(timeout);
  while (true) {
    if (const size_t end = unread_.find('\n'); end != std::string::npos) {
      std::string line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      return line;
    }
    if (!PollIn(output_, deadline)) return absl::DeadlineExceededError("no line in time");
    char buffer[4096];
    const ssize_t got = ::read(output_, buffer, sizeof(buffer));
    if (got == 0) return absl::OutOfRangeError("standard output was closed");
    if (got < 0 && errno != EINTR) return SystemError("read");
    if (got > 0) unread_.append(buffer, static_cast<size_t>(got));
  }
}

int64_t Program::ResidentBytes() const {
  std::ifstream file(absl::StrCat("/proc/", pid_, "/statm"));
  int64_t total_pages = 0;
  int64_t resident_pages = 0;
  file >> total_pages >> resident_pages;
  return resident_pages * ::sysconf(_SC_PAGESIZE);
}

void Program::Signal(int signal) {
  // Until it is waited for, its pid stays its own.
  if (!exit_code_.has_value()) ::kill(pid_, signal);
}

void Program::Stop() {
  if (exit_code_.has_value()) return;
  ::kill(pid_, SIGSTOP);
  siginfo_t seen;  // left for WaitForExit when it is an end
  while (::waitid(P_PID, static_cast<id_t>(pid_), &seen, WSTOPPED | WEXITED | WNOWAIT) < 0 &&
         errno == EINTR) {
  }
}

std::optional<int> Program::WaitForExit(absl::Duration timeout) {
  if (exit_code_.has_value()) return exit_code_;
  if (!PollIn(pidfd_, Deadline(timeout))) return std::nullopt;
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return exit_code_;
}

}  // namespace postrider::testing

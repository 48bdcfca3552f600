#include "storage/postgres/embedded/child_process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/postgres/embedded/deadline.h"
#include "storage/postgres/embedded/system_files.h"

namespace postrider::embedded {
namespace {

constexpr size_t kMaxInputBytes = 4096;  // Fits into a pipe, so writing it never blocks.
constexpr size_t kMaxOutputBytes = 64 * 1024;

// What the child could not do, sent to the parent over a pipe that a successful exec closes.
enum class Step : int { kSession, kUser, kFiles, kExec };
struct Failure {
  Step step;
  int error;
};

// Everything the child needs, made before fork(): between fork() and exec the child of a process
// with threads may only make system calls.
struct Plan {
  const char* program;
  char** arguments;
  char** environment;
  const SystemUser* run_as;
  int input_fd;
  int output_fd;
  int failure_fd;
  pid_t die_with;  // The parent whose end kills the child; 0: none.
};

[[noreturn]] void Fail(const Plan& plan, Step step) {
  const Failure failure = {step, errno};
  [[maybe_unused]] const ssize_t ignored = ::write(plan.failure_fd, &failure, sizeof(failure));
  ::_exit(127);
}

[[noreturn]] void RunChild(Plan plan) {
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  ::umask(0077);
  if (::setsid() < 0 || ::chdir("/") != 0) Fail(plan, Step::kSession);

  // Above the standard descriptors first, so that dup2 cannot overwrite one that is still needed.
  const int input = ::fcntl(plan.input_fd, F_DUPFD, 10);
  const int output = ::fcntl(plan.output_fd, F_DUPFD, 10);
  const int failure = ::fcntl(plan.failure_fd, F_DUPFD, 10);
  if (input < 0 || output < 0 || failure < 0) Fail(plan, Step::kFiles);
  plan.failure_fd = failure;
  if (::dup2(input, 0) < 0 || ::dup2(output, 1) < 0 || ::dup2(output, 2) < 0 ||
      ::dup2(failure, 3) < 0 || ::fcntl(3, F_SETFD, FD_CLOEXEC) != 0) {
    Fail(plan, Step::kFiles);
  }
  plan.failure_fd = 3;
  ::syscall(SYS_close_range, 4u, ~0u, 0u);

  if (plan.run_as != nullptr) {
    // Bare system calls: glibc's functions want to change all threads, of which the child has one.
    const gid_t gid = plan.run_as->gid;
    const uid_t uid = plan.run_as->uid;
    if (::syscall(SYS_setgroups, 1, &gid) != 0 || ::syscall(SYS_setresgid, gid, gid, gid) != 0 ||
        ::syscall(SYS_setresuid, uid, uid, uid) != 0) {
      Fail(plan, Step::kUser);
    }
  }
  if (plan.die_with != 0) {
    // After the change of user, which would undo it; and the parent may be gone already.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != plan.die_with) ::_exit(127);
  }
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execve(plan.program, plan.arguments, plan.environment);
  Fail(plan, Step::kExec);
}

absl::Status DescribeFailure(const ProgramCall& call, const Failure& failure) {
  const std::string& program = call.arguments.front();
  switch (failure.step) {
    case Step::kSession:
      return absl::ErrnoToStatus(failure.error, absl::StrCat("cannot detach ", program));
    case Step::kUser:
      return absl::ErrnoToStatus(
          failure.error, absl::StrCat("cannot run ", program, " as the user ", call.run_as->name));
    case Step::kFiles:
      return absl::ErrnoToStatus(failure.error, absl::StrCat("cannot connect ", program));
    case Step::kExec:
      return absl::ErrnoToStatus(failure.error, absl::StrCat("cannot run ", program));
  }
  return absl::InternalError(absl::StrCat("cannot run ", program));
}

std::vector<std::string> ChildEnvironment() {
  std::vector<std::string> environment = {"LC_ALL=C"};
  for (const char* name : {"PATH", "LD_LIBRARY_PATH"}) {
    if (const char* value = ::getenv(name)) {
      environment.push_back(absl::StrCat(name, "=", value));
    }
  }
  return environment;
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (std::string& text : strings) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

struct Pipe {
  FileDescriptor read;
  FileDescriptor write;
};

absl::StatusOr<Pipe> MakePipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return SystemError("cannot make a pipe");
  return Pipe{FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

enum class Lifetime { kDiesWithUs, kOutlivesUs };

absl::StatusOr<ProcessHandle> ForkAndExec(const ProgramCall& call, int input_fd, int output_fd,
                                          Lifetime lifetime) {
  absl::StatusOr<Pipe> failures = MakePipe();
  if (!failures.ok()) return failures.status();
  std::vector<std::string> arguments = call.arguments;
  std::vector<std::string> environment = ChildEnvironment();
  std::vector<char*> argument_pointers = Pointers(arguments);
  std::vector<char*> environment_pointers = Pointers(environment);
  const Plan plan = {
      .program = argument_pointers[0],
      .arguments = argument_pointers.data(),
      .environment = environment_pointers.data(),
      .run_as = call.run_as.has_value() ? &*call.run_as : nullptr,
      .input_fd = input_fd,
      .output_fd = output_fd,
      .failure_fd = failures->write.get(),
      .die_with = lifetime == Lifetime::kDiesWithUs ? ::getpid() : 0,
  };

  // Blocked across the fork: no handler of ours may run in the child.
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t pid = ::fork();
  if (pid == 0) RunChild(plan);
  const int fork_error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) {
    return absl::ErrnoToStatus(fork_error, absl::StrCat("cannot start ", call.arguments.front()));
  }
  absl::StatusOr<ProcessHandle> child = ProcessHandle::Open(pid);
  failures->write.Close();
  Failure failure;
  ssize_t got;
  do {
    got = ::read(failures->read.get(), &failure, sizeof(failure));
  } while (got < 0 && errno == EINTR);
  if (got == 0 && child.ok()) return child;
  if (!child.ok()) ::kill(pid, SIGKILL);  // Not reaped yet, so the pid is still the child's.
  ::waitpid(pid, nullptr, 0);
  if (got == sizeof(failure)) return DescribeFailure(call, failure);
  return child.status();
}

int ExitCode(const siginfo_t& end) {
  return end.si_code == CLD_EXITED ? end.si_status : 128 + end.si_status;
}

}  // namespace

absl::StatusOr<ProgramResult> RunToEnd(const ProgramCall& call, absl::string_view input,
                                       absl::Duration timeout) {
  if (input.size() > kMaxInputBytes) return absl::InvalidArgumentError("the input is too long");
  const Deadline deadline(timeout);
  absl::StatusOr<Pipe> in = MakePipe();
  if (!in.ok()) return in.status();
  absl::StatusOr<Pipe> out = MakePipe();
  if (!out.ok()) return out.status();
  if (absl::Status wrote = WriteAll(in->write.get(), input); !wrote.ok()) return wrote;
  in->write.Close();
  absl::StatusOr<ProcessHandle> child =
      ForkAndExec(call, in->read.get(), out->write.get(), Lifetime::kDiesWithUs);
  if (!child.ok()) return child.status();
  out->write.Close();
  in->read.Close();

  // Ends when every holder of the pipe has closed it, the program's own children included.
  ProgramResult result;
  char buffer[4096];
  while (true) {
    struct pollfd readable = {.fd = out->read.get(), .events = POLLIN, .revents = 0};
    const int ready = ::poll(&readable, 1, deadline.PollTimeoutMs());
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) break;
    const ssize_t got = ::read(out->read.get(), buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    result.output.append(buffer, static_cast<size_t>(got));
    if (result.output.size() > kMaxOutputBytes) {
      result.output.erase(0, result.output.size() - kMaxOutputBytes);
    }
  }
  struct pollfd ended = {.fd = child->pidfd(), .events = POLLIN, .revents = 0};
  int ready;
  do {
    ready = ::poll(&ended, 1, deadline.PollTimeoutMs());
  } while (ready < 0 && errno == EINTR);
  if (ready <= 0) ::kill(-child->pid(), SIGKILL);
  siginfo_t end = {};
  while (::waitid(P_PIDFD, static_cast<id_t>(child->pidfd()), &end, WEXITED) != 0) {
    if (errno != EINTR) return SystemError(absl::StrCat("lost ", call.arguments.front()));
  }
  if (ready <= 0) {
    return absl::DeadlineExceededError(absl::StrCat(call.arguments.front(), " did not end within ",
                                                    absl::FormatDuration(timeout)));
  }
  result.exit_code = ExitCode(end);
  return result;
}

absl::StatusOr<ProcessHandle> StartDetached(const ProgramCall& call, int output_fd) {
  FileDescriptor nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!nothing.valid()) return SystemError("cannot open /dev/null");
  return ForkAndExec(call, nothing.get(), output_fd, Lifetime::kOutlivesUs);
}

}  // namespace postrider::embedded

#ifndef POSTRIDER_STORAGE_POSTGRES_EMBEDDED_PROCESS_HANDLE_H_
#define POSTRIDER_STORAGE_POSTGRES_EMBEDDED_PROCESS_HANDLE_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/postgres/embedded/system_files.h"

namespace postrider::embedded {

// One process, child or not, held by a pidfd (Linux 5.3): a pid that is used again cannot be
// mistaken for it. A child that has ended is reaped by whichever call notices. Dropping a handle
// leaves the process alone. Thread-safe.
class ProcessHandle {
 public:
  // NOT_FOUND: there is no process `pid`. UNIMPLEMENTED: the kernel has no pidfd.
  static absl::StatusOr<ProcessHandle> Open(pid_t pid);

  pid_t pid() const { return pid_; }

  // Becomes readable when the process has ended; owned by the handle.
  int pidfd() const { return pidfd_.get(); }

  // True once the process has ended, a zombie included.
  bool Exited() const { return WaitForExit(absl::ZeroDuration()); }

  // Sleeps until the process ends, at most `timeout`; whether it has ended.
  bool WaitForExit(absl::Duration timeout) const;

  // Sends `signal`; a process that has ended is left in peace. The result does not say whether the
  // signal did anything: wait for the exit.
  void Signal(int signal) const;

  // The arguments that it was started with. NOT_FOUND when it has ended.
  absl::StatusOr<std::vector<std::string>> CommandLine() const;

  // Whether it is a running `postgres` program (of any version) that works in the folder `data`.
  // PostgreSQL changes into its data folder, and all of its processes stay there.
  bool IsPostgresOf(const std::string& data) const;

 private:
  ProcessHandle(pid_t pid, FileDescriptor pidfd);

  pid_t pid_;
  FileDescriptor pidfd_;
};

// Waits until no `postgres` works in the folder `data` any more: for `grace` until those there are
// have ended by themselves, then kills the rest (SIGKILL) and waits up to `timeout` for them to be
// gone. Returns how many there were. For what a dead postmaster or initdb leaves behind: these
// processes are useless, but keep the next start blocked by their shared memory. They end by
// themselves when they notice, and then remove what they have in /dev/shm.
int EndPostgresProcesses(const std::string& data, absl::Duration grace, absl::Duration timeout);

}  // namespace postrider::embedded

#endif  // POSTRIDER_STORAGE_POSTGRES_EMBEDDED_PROCESS_HANDLE_H_

#ifndef POSTRIDER_STORAGE_POSTGRES_EMBEDDED_CHILD_PROCESS_H_
#define POSTRIDER_STORAGE_POSTGRES_EMBEDDED_CHILD_PROCESS_H_

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "storage/postgres/embedded/process_handle.h"

namespace postrider::embedded {

// A user to become in a child process, by user and group id alone: no supplementary groups.
struct SystemUser {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
};

// A program to run. Its environment holds PATH, LD_LIBRARY_PATH and LC_ALL=C and nothing else: the
// server's may carry secrets, and PG* variables would change what PostgreSQL does. It runs in a
// session of its own (a terminal's Ctrl-C is not for it), in the folder /, with umask 077, default
// signal handling and no file of ours open.
struct ProgramCall {
  std::vector<std::string> arguments;  // The first one is the program's absolute path.
  std::optional<SystemUser> run_as;    // Needs root. None: the user of this process.
};

struct ProgramResult {
  int exit_code = 0;   // 128 + signal when a signal ended it.
  std::string output;  // Standard output and error together, the last 64 KiB.
};

// Runs a program to its end with `input` (at most 4 KiB) on its standard input. It dies with the
// calling thread. DEADLINE_EXCEEDED: it took longer than `timeout` and was killed with its whole
// session. Other codes: it could not be started; the message says at which step. Safe to call
// while other threads run.
absl::StatusOr<ProgramResult> RunToEnd(const ProgramCall& call, absl::string_view input,
                                       absl::Duration timeout);

// Starts a program that may outlive this process: standard input is /dev/null, standard output and
// error go to `output_fd`. It is a child as long as this process lives; its handle reaps it. Errors
// as above. Safe to call while other threads run.
absl::StatusOr<ProcessHandle> StartDetached(const ProgramCall& call, int output_fd);

}  // namespace postrider::embedded

#endif  // POSTRIDER_STORAGE_POSTGRES_EMBEDDED_CHILD_PROCESS_H_

#ifndef POSTRIDER_STORAGE_POSTGRES_EMBEDDED_PRIVATE_CLUSTER_H_
#define POSTRIDER_STORAGE_POSTGRES_EMBEDDED_PRIVATE_CLUSTER_H_

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "storage/postgres/embedded/cluster_layout.h"
#include "storage/postgres/embedded/deadline.h"
#include "storage/postgres/embedded/process_handle.h"

namespace postrider::embedded {

// A PostgreSQL that belongs to this server alone: made in the data folder on the first start,
// started and stopped with the server, reachable over a Unix socket only. The folders are described
// in cluster_layout.h, the settings in cluster_settings.cc.
//
// PostgreSQL refuses to run as root. When the server is root, its PostgreSQL runs as the owner of
// the existing cluster, else as the user `postrider`, else as `postgres`. The socket lies in a
// folder with mode 0700, so only that user and root can connect; whoever can is trusted.
//
// PostgreSQL runs in a session of its own and does not notice Ctrl-C on the server's terminal or a
// kill -9 of the server. The next Start takes over one that was left running, and Stop stops it as
// if it had been started here.
//
// Its log never holds a statement, a parameter or a payload, and is kept under 20 MiB as long as
// EnsureRunning is called now and then.
//
// Thread-safe. Start, EnsureRunning and Stop block; never call them from a loop that must not.
class PrivateCluster {
 public:
  struct Options {
    // Absolute, existing and locked by this process (data_dir.h).
    std::string data_dir;

    // PostgreSQL settings by name, over the cluster's own. A PostgreSQL left running with other
    // settings than these is restarted by Start.
    std::vector<std::pair<std::string, std::string>> extra_settings;

    // How long a start may take from the launch to the first answer. Making the cluster, which only
    // the first start does and which takes about a second, is not counted.
    absl::Duration start_timeout = absl::Seconds(60);

    // Called with one line, in plain words and without an end of line, for what a person running
    // the server wants to know. From the threads that call Start and EnsureRunning, while a lock is
    // held: it must not call back into the cluster. None: nothing is told.
    std::function<void(absl::string_view)> log;
  };

  // Returns once the cluster answers on its socket.
  //
  // INVALID_ARGUMENT: extra_settings names a fixed setting, see cluster_settings.h.
  // NOT_FOUND: no PostgreSQL programs (of the data folder's version) are installed; the message
  //   names the package.
  // FAILED_PRECONDITION: no user to run it as, or folders that are not ours; see cluster_layout.h.
  // UNAVAILABLE: PostgreSQL ended at once; the message has the last reason from its log.
  // DEADLINE_EXCEEDED: it does not answer yet. It is left running, because after a crash it may be
  //   replaying its log, which starts from the beginning when interrupted; the next Start takes it
  //   over.
  // Other codes: the system refused something.
  // Except for DEADLINE_EXCEEDED nothing is left running; a complete cluster stays on disk.
  static absl::StatusOr<std::unique_ptr<PrivateCluster>> Start(Options options);

  // Stops PostgreSQL as Stop(10 s) does, unless Stop was called.
  ~PrivateCluster();

  PrivateCluster(const PrivateCluster&) = delete;
  PrivateCluster& operator=(const PrivateCluster&) = delete;

  // For libpq: host, port, database and role. Valid, and the same, over every restart.
  std::string conninfo() const;

  // Whether the postmaster runs. It may still refuse connections for a moment, as after the crash
  // of one of its processes. Never waits.
  bool Alive() const ABSL_LOCKS_EXCLUDED(mu_);

  // The postmaster's process id, that of the last one if it has died.
  int pid() const ABSL_LOCKS_EXCLUDED(mu_);

  // Bounds the log file, and when PostgreSQL has died, starts it again and waits as Start does,
  // with Start's errors. OK means that it runs. FAILED_PRECONDITION: Stop was called. To be called
  // every few seconds while the server runs, and again after an error.
  absl::Status EnsureRunning() ABSL_LOCKS_EXCLUDED(operation_mu_, mu_);

  // Shuts PostgreSQL down: open transactions are rolled back, connections are closed. When that
  // takes longer than `timeout`, it is ended without a checkpoint, as by a crash, which loses
  // nothing committed but makes the next start slower; the result is then DEADLINE_EXCEEDED. In
  // every case nothing runs any more afterwards. A second call does nothing and is OK.
  absl::Status Stop(absl::Duration timeout) ABSL_LOCKS_EXCLUDED(operation_mu_, mu_);

 private:
  PrivateCluster(Options options, ClusterLayout layout, std::vector<std::string> arguments);

  absl::Status StartOrTakeOver() ABSL_EXCLUSIVE_LOCKS_REQUIRED(operation_mu_);
  absl::Status Launch() ABSL_EXCLUSIVE_LOCKS_REQUIRED(operation_mu_);
  absl::StatusOr<std::optional<ProcessHandle>> FindRunning() const;
  absl::Status WaitUntilReady(const ProcessHandle& process, const Deadline& deadline) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(operation_mu_);
  absl::Status End(const ProcessHandle& process, absl::Duration timeout) const;
  void SetProcess(ProcessHandle process) ABSL_LOCKS_EXCLUDED(mu_);
  void Log(absl::string_view line) const;

  const Options options_;
  const ClusterLayout layout_;
  const std::vector<std::string> arguments_;  // Of `postgres`.

  // Held throughout Start, EnsureRunning and Stop; mu_ only for a moment, so Alive never waits.
  absl::Mutex operation_mu_ ABSL_ACQUIRED_BEFORE(mu_);
  bool stopped_ ABSL_GUARDED_BY(operation_mu_) = false;
  off_t log_start_ ABSL_GUARDED_BY(operation_mu_) = 0;  // Where the log of this run begins, bytes.

  mutable absl::Mutex mu_;
  std::shared_ptr<const ProcessHandle> process_ ABSL_GUARDED_BY(mu_);  // Null until ready once.
};

}  // namespace postrider::embedded

#endif  // POSTRIDER_STORAGE_POSTGRES_EMBEDDED_PRIVATE_CLUSTER_H_

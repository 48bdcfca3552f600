#include "storage/postgres/embedded/private_cluster.h"

#include <libpq-fe.h>
#include <signal.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "storage/postgres/embedded/child_process.h"
#include "storage/postgres/embedded/cluster_log.h"
#include "storage/postgres/embedded/cluster_settings.h"
#include "storage/postgres/embedded/new_cluster.h"
#include "storage/postgres/embedded/postgres_programs.h"
#include "storage/postgres/embedded/postmaster_file.h"

namespace postrider::embedded {
namespace {

// Between two looks at postmaster.pid while PostgreSQL starts, for which there is no event; its
// death ends the wait at once.
constexpr absl::Duration kReadyPoll = absl::Milliseconds(5);
// For a PostgreSQL in the way (it was left running with other settings, or is shutting down), and
// for the destructor.
constexpr absl::Duration kUsualStop = absl::Seconds(10);
// After the fast shutdown was not fast enough: for the immediate one, then for a kill.
constexpr absl::Duration kImmediateStop = absl::Seconds(5);
// For the processes of a postmaster that has died, which notice it within milliseconds.
constexpr absl::Duration kOrphanGrace = absl::Milliseconds(500);
constexpr absl::Duration kProbeTimeout = absl::Seconds(10);

std::string ConnInfo(const ClusterLayout& layout) {
  // SocketFolderFor lets no character through that would need quoting.
  return absl::StrCat("host=", layout.socket_folder, " port=5432 dbname=", kDatabase,
                      " user=", kRole);
}

// lz4 where PostgreSQL was built with it, as Debian's is; it costs a fraction of the CPU of the
// built-in method.
std::string WalCompression(const ClusterLayout& layout, const PostgresPrograms& programs) {
  absl::StatusOr<ProgramResult> probe =
      RunToEnd(ProgramCall{{programs.Postgres(), "-D", layout.data, "-c", "wal_compression=lz4",
                            "-C", "wal_compression"},
                           layout.run_as},
               "", kProbeTimeout);
  return probe.ok() && probe->exit_code == 0 ? "lz4" : "on";
}

bool AcceptsConnections(const ClusterLayout& layout) {
  // Two seconds is the shortest timeout that libpq knows; a live PostgreSQL answers in one
  // millisecond.
  return PQping(absl::StrCat(ConnInfo(layout), " connect_timeout=2").c_str()) == PQPING_OK;
}

}  // namespace

absl::StatusOr<std::unique_ptr<PrivateCluster>> PrivateCluster::Start(Options options) {
  absl::StatusOr<Settings> settings = ClusterSettings(options.extra_settings);
  if (!settings.ok()) return settings.status();
  absl::StatusOr<std::string> data_dir = AbsolutePath(options.data_dir);
  if (!data_dir.ok()) return data_dir.status();
  absl::StatusOr<ClusterLayout> layout = PrepareLayout(*data_dir);
  if (!layout.ok()) return layout.status();
  absl::StatusOr<PostgresPrograms> programs = FindPostgresPrograms(layout->major);
  if (!programs.ok()) return programs.status();
  if (!layout->major.has_value()) {
    if (absl::Status made = MakeNewCluster(*layout, *programs); !made.ok()) return made;
    layout->major = programs->major;
    if (options.log) {
      options.log(
          absl::StrCat("made a PostgreSQL ", programs->major, " cluster in ", layout->data));
    }
  }
  if (settings->count("wal_compression") == 0) {
    (*settings)["wal_compression"] = WalCompression(*layout, *programs);
  }
  std::vector<std::string> arguments =
      PostgresArguments(programs->Postgres(), layout->data, layout->socket_folder, *settings);
  std::unique_ptr<PrivateCluster> cluster(
      new PrivateCluster(std::move(options), *std::move(layout), std::move(arguments)));
  absl::MutexLock operation(&cluster->operation_mu_);
  absl::Status started = cluster->StartOrTakeOver();
  if (!started.ok()) {
    cluster->stopped_ = true;  // Its destructor leaves alone what the start left running.
    if (!absl::IsDeadlineExceeded(started)) RemoveSocketFolder(cluster->layout_);
    return started;
  }
  return cluster;
}

PrivateCluster::PrivateCluster(Options options, ClusterLayout layout,
                               std::vector<std::string> arguments)
    : options_(std::move(options)), layout_(std::move(layout)), arguments_(std::move(arguments)) {}

PrivateCluster::~PrivateCluster() { Stop(kUsualStop).IgnoreError(); }

std::string PrivateCluster::conninfo() const { return ConnInfo(layout_); }

bool PrivateCluster::Alive() const {
  absl::MutexLock lock(&mu_);
  return process_ != nullptr && !process_->Exited();
}

int PrivateCluster::pid() const {
  absl::MutexLock lock(&mu_);
  return process_ == nullptr ? 0 : process_->pid();
}

absl::Status PrivateCluster::EnsureRunning() {
  absl::MutexLock operation(&operation_mu_);
  if (stopped_) return absl::FailedPreconditionError("the private PostgreSQL was stopped");
  BoundClusterLog(layout_.log_file);
  if (Alive()) return absl::OkStatus();
  Log(absl::StrCat("PostgreSQL (pid ", pid(),
                   ") has died; its last words: ", LastReason(layout_.log_file, log_start_)));
  return StartOrTakeOver();
}

absl::Status PrivateCluster::Stop(absl::Duration timeout) {
  absl::MutexLock operation(&operation_mu_);
  if (stopped_) return absl::OkStatus();
  stopped_ = true;
  // Not always process_: an EnsureRunning that ran out of time has left another one running.
  absl::StatusOr<std::optional<ProcessHandle>> running = FindRunning();
  absl::Status ended = absl::OkStatus();
  if (running.ok() && running->has_value()) ended = End(**running, timeout);
  EndPostgresProcesses(layout_.data, kOrphanGrace, kImmediateStop);
  RemoveSocketFolder(layout_);
  Alive();  // Reaps it, if it was our child.
  return ended;
}

// Ends with a running PostgreSQL in process_, started with arguments_.
absl::Status PrivateCluster::StartOrTakeOver() {
  absl::StatusOr<std::optional<ProcessHandle>> running = FindRunning();
  if (!running.ok()) return running.status();
  log_start_ = ClusterLogSize(layout_.log_file);
  if (running->has_value()) {
    const ProcessHandle& found = **running;
    absl::StatusOr<std::vector<std::string>> arguments = found.CommandLine();
    absl::StatusOr<PostmasterFile> file = ReadPostmasterFile(layout_.data);
    if (arguments.ok() && *arguments == arguments_ && file.ok() && !file->stopping) {
      absl::Status ready = WaitUntilReady(found, Deadline(options_.start_timeout));
      if (ready.ok()) {
        Log(absl::StrCat("took over the PostgreSQL (pid ", found.pid(), ") that was left running"));
        SetProcess(**std::move(running));
      }
      return ready;
    }
    Log(absl::StrCat("PostgreSQL (pid ", found.pid(), ") was left running with other settings, ",
                     "or is shutting down; starting it anew"));
    End(found, kUsualStop).IgnoreError();
  }
  return Launch();
}

absl::Status PrivateCluster::Launch() {
  EndPostgresProcesses(layout_.data, kOrphanGrace, kImmediateStop);
  if (absl::Status released = ReleasePostmasterFile(layout_.data); !released.ok()) return released;
  if (absl::Status made = PrepareSocketFolder(layout_); !made.ok()) return made;
  BoundClusterLog(layout_.log_file);
  absl::StatusOr<FileDescriptor> log = OpenClusterLog(layout_.log_file);
  if (!log.ok()) return log.status();
  log_start_ = ClusterLogSize(layout_.log_file);

  const Deadline deadline(options_.start_timeout);
  absl::StatusOr<ProcessHandle> process =
      StartDetached(ProgramCall{arguments_, layout_.run_as}, log->get());
  if (!process.ok()) return process.status();
  if (absl::Status ready = WaitUntilReady(*process, deadline); !ready.ok()) return ready;
  const absl::Duration took = options_.start_timeout - deadline.Left();
  Log(absl::StrCat("PostgreSQL ", *layout_.major, " is ready (pid ", process->pid(), ") after ",
                   absl::FormatDuration(absl::Trunc(took, absl::Milliseconds(1)))));
  SetProcess(*std::move(process));
  return absl::OkStatus();
}

// The living postmaster of our data folder, whoever started it.
absl::StatusOr<std::optional<ProcessHandle>> PrivateCluster::FindRunning() const {
  absl::StatusOr<PostmasterFile> file = ReadPostmasterFile(layout_.data);
  if (absl::IsNotFound(file.status()) || absl::IsDataLoss(file.status())) return std::nullopt;
  if (!file.ok()) return file.status();
  absl::StatusOr<ProcessHandle> process = ProcessHandle::Open(file->pid);
  if (absl::IsNotFound(process.status())) return std::nullopt;
  if (!process.ok()) return process.status();
  if (!process->IsPostgresOf(layout_.data)) return std::nullopt;
  return *std::move(process);
}

absl::Status PrivateCluster::WaitUntilReady(const ProcessHandle& process,
                                            const Deadline& deadline) const {
  while (true) {
    // The file first: connections during a start are refused, and each leaves a line in the log.
    absl::StatusOr<PostmasterFile> file = ReadPostmasterFile(layout_.data);
    if (file.ok() && file->ready && file->pid == process.pid() && AcceptsConnections(layout_)) {
      return absl::OkStatus();
    }
    if (deadline.Passed()) {
      return absl::DeadlineExceededError(absl::StrCat(
          "PostgreSQL (pid ", process.pid(), ") does not answer yet after ",
          absl::FormatDuration(options_.start_timeout),
          "; it goes on, probably recovering from a crash, and the next start takes it over: ",
          LastReason(layout_.log_file, log_start_)));
    }
    if (process.WaitForExit(std::min(kReadyPoll, deadline.Left()))) {
      return absl::UnavailableError(absl::StrCat(
          "PostgreSQL ended while it started: ", LastReason(layout_.log_file, log_start_), " (see ",
          layout_.log_file, ")"));
    }
  }
}

absl::Status PrivateCluster::End(const ProcessHandle& process, absl::Duration timeout) const {
  process.Signal(SIGINT);  // Fast shutdown.
  if (process.WaitForExit(timeout)) return absl::OkStatus();
  process.Signal(SIGQUIT);  // Immediate shutdown.
  if (!process.WaitForExit(kImmediateStop)) {
    process.Signal(SIGKILL);
    process.WaitForExit(kImmediateStop);
  }
  return absl::DeadlineExceededError(
      absl::StrCat("PostgreSQL (pid ", process.pid(), ") did not shut down within ",
                   absl::FormatDuration(timeout), " and was ended as by a crash"));
}

void PrivateCluster::SetProcess(ProcessHandle process) {
  auto shared = std::make_shared<const ProcessHandle>(std::move(process));
  absl::MutexLock lock(&mu_);
  process_ = std::move(shared);
}

void PrivateCluster::Log(absl::string_view line) const {
  if (options_.log) options_.log(line);
}

}  // namespace postrider::embedded

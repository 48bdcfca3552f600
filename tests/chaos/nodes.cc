#include "tests/chaos/nodes.h"

#include <signal.h>

#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/chaos/run_settings.h"
#include "tests/support/scratch_folder.h"

namespace postrider::testing {
namespace {

std::string NodeId(size_t node) { return absl::StrCat("chaos-", node); }

}  // namespace

Nodes::Nodes(size_t count, std::string conninfo, TestDatabase& database)
    : conninfo_(std::move(conninfo)), database_(database), nodes_(count), apis_(count) {
  for (Node& node : nodes_) node.data_dir = ScratchFolder::NewFolder("node");
}

absl::Status Nodes::Start(size_t index) {
  Node& node = nodes_[index];
  ServerProcess::Options options;
  options.database = conninfo_;
  options.data_dir = node.data_dir;
  options.flags = {"--node-id", NodeId(index), "--drain-timeout",
                   absl::FormatDuration(kDrainTimeout)};
  options.flags.insert(options.flags.end(), kServerFlags.begin(), kServerFlags.end());
  absl::StatusOr<std::unique_ptr<ServerProcess>> started = ServerProcess::Start(options);
  if (!started.ok()) return absl::UnavailableError(started.status().message());
  node.process = *std::move(started);
  const int before = node.node_no;
  if (!absl::SimpleAtoi(
          database_.Value(
              absl::StrCat("SELECT max(node_no) FROM nodes WHERE node_id = '", NodeId(index), "'")),
          &node.node_no)) {
    return absl::InternalError("a node that is ready has no row");
  }
  NoteReturn(before);
  absl::MutexLock lock(&mu_);
  apis_[index] = std::make_shared<Api>(node.process->grpc_address());
  return absl::OkStatus();
}

void Nodes::Kill(size_t index) {
  NoteCrash(index);
  nodes_[index].process->Kill();
  NoteDeath(index, End::kKilled);
  nodes_[index].process.reset();
  nodes_[index].paused = false;
}

void Nodes::Pause(size_t index) {
  NoteDeath(index, End::kPaused);
  nodes_[index].process->program().Stop();
  nodes_[index].paused = true;
}

void Nodes::Continue(size_t index) {
  nodes_[index].process->program().Signal(SIGCONT);
  nodes_[index].paused = false;
  NoteReturn(nodes_[index].node_no);
}

absl::Status Nodes::Terminate(size_t index) {
  NoteCrash(index);
  Node& node = nodes_[index];
  const std::optional<int> code = node.process->Terminate(kDrainTimeout + absl::Seconds(5));
  absl::Status ended = absl::OkStatus();
  if (code != 0) {
    ended = absl::InternalError(absl::StrCat("node ", index, " drained and ended with ",
                                             code.value_or(-1), ":\n", node.process->LogTail()));
    node.process->Kill();
    NoteDeath(index, End::kKilled);
  }
  node.process.reset();
  return ended;
}

std::shared_ptr<Api> Nodes::api(size_t node) const {
  absl::MutexLock lock(&mu_);
  return apis_[node];
}

void Nodes::NoteCrash(size_t index) {
  const std::optional<int> code =
      nodes_[index].process->program().WaitForExit(absl::ZeroDuration());
  if (!code.has_value()) return;
  crashes_.push_back(absl::StrCat("node ", index, " ended by itself with ", *code, ":\n",
                                  nodes_[index].process->LogTail()));
}

void Nodes::NoteDeath(size_t index, End end) {
  deaths_.push_back({nodes_[index].node_no, end, absl::Now(), absl::InfiniteFuture()});
}

void Nodes::NoteReturn(int node_no) {
  for (Death& death : deaths_) {
    if (death.node_no == node_no && death.back == absl::InfiniteFuture()) death.back = absl::Now();
  }
}

}  // namespace postrider::testing

#include "server/dispatch/heartbeat.h"

#include <algorithm>
#include <utility>

#include "server/observe/log.h"

namespace postrider::dispatch {
namespace {

// After a beat that failed: sooner than a whole interval, there is not much time.
constexpr absl::Duration kBeatAgain = absl::Milliseconds(250);
// The first beat sets the clock: its error, half of this, is what a signature's time may be off by.
constexpr absl::Duration kLongestFirstBeat = absl::Seconds(2);
// Between two beats, whoever may be dead.
constexpr absl::Duration kShortestInterval = absl::Milliseconds(100);
// Transactions that run side by side may have begun in either order.
constexpr absl::Duration kClockMargin = absl::Seconds(1);

}  // namespace

absl::Duration InUseFor(const std::vector<NodeRow>& nodes) {
  std::vector<NodeRow> latest_first = nodes;
  std::sort(latest_first.begin(), latest_first.end(),
            [](const NodeRow& a, const NodeRow& b) { return a.silence < b.silence; });
  absl::Duration in_use;
  for (const NodeRow& node : latest_first) {
    // From the future: the database's clock was set back, and nobody knows when that was.
    if (node.silence < -kClockMargin) continue;
    if (node.silence - in_use > kLongestGap) break;
    in_use = std::max(in_use, node.silence + node.steady_for);
  }
  return in_use;
}

Membership MembershipOf(int32_t self, const std::vector<int32_t>& previous,
                        const std::vector<NodeRow>& nodes) {
  Membership membership;
  membership.cluster.self = self;
  const absl::Duration in_use = InUseFor(nodes);
  const bool settled = in_use >= kDeadAfter;
  for (const NodeRow& node : nodes) {
    const bool mine_before =
        std::find(previous.begin(), previous.end(), node.node_no) != previous.end();
    const bool silent = node.silence >= kDeadAfter;
    if (node.node_no == self) {
      membership.cluster.nodes.push_back(node.node_no);
      membership.liveness.live.push_back(node.node_no);
    } else if (mine_before || node.stopped || (silent && settled)) {
      membership.liveness.gone.push_back(node.node_no);
      membership.forgettable.push_back(node.node_no);
    } else {
      if (!silent) {
        membership.cluster.nodes.push_back(node.node_no);
        membership.liveness.live.push_back(node.node_no);
      }
      const absl::Duration certain_in = kDeadAfter - std::min(node.silence, in_use);
      membership.look_again =
          std::min(membership.look_again, std::max(certain_in, kShortestInterval));
    }
  }
  // Leases that ran out mean as little as silence until then.
  if (!settled) membership.liveness.live.clear();
  std::sort(membership.cluster.nodes.begin(), membership.cluster.nodes.end());
  return membership;
}

Heartbeat::Heartbeat(std::unique_ptr<NodeStore> store, NodeRegistration self, Outputs outputs,
                     DatabaseClock& clock)
    : store_(std::move(store)),
      self_(std::move(self)),
      outputs_(std::move(outputs)),
      clock_(clock) {}

Instant Heartbeat::Step(std::vector<Input>) {
  const absl::Status status = Beat();
  outputs_.database_reachable(status.ok());
  if (status.ok()) return last_renewal_ + look_again_;
  POSTRIDER_LOG_RARELY(observe::Severity::kError, "the node's heartbeat failed",
                       {{"error", std::string(status.message())}});
  return clock_.Monotonic() + kBeatAgain;
}

void Heartbeat::SayGoodbye() { (void)store_->MarkStopped(self_.node_no); }

absl::Status Heartbeat::Beat() {
  const Instant sent = clock_.Monotonic();
  absl::StatusOr<HeartbeatAnswer> answer = store_->Heartbeat(self_.node_no);
  if (!answer.ok()) return answer.status();
  const Instant received = clock_.Monotonic();
  if (last_renewal_ == -absl::InfiniteDuration() && received - sent > kLongestFirstBeat) {
    return absl::DeadlineExceededError(
        "PostgreSQL answers too slowly to tell the time by it: try again when it is faster");
  }
  clock_.Synchronize(answer->database_time, sent, received);
  // Until this answer the others may have seen none of its renewals for so long.
  const bool was_away = received - last_renewal_ > kDeadAfter - kSelfMargin;
  last_renewal_ = sent;
  const Membership membership = MembershipOf(self_.node_no, self_.previous, answer->nodes);
  look_again_ = membership.look_again;
  if (was_away) {
    standing_.leases_from = received;
    if (membership.cluster.nodes.size() > 1) standing_.joined_at = received + kJoinWait;
  }
  standing_.alive_until = sent + kDeadAfter - kSelfMargin;
  outputs_.renewed(membership, standing_);
  if (!membership.forgettable.empty()) (void)store_->Forget(membership.forgettable);
  return absl::OkStatus();
}

}  // namespace postrider::dispatch

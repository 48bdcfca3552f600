#include "tests/chaos/faults.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace postrider::testing {
namespace {

constexpr absl::Duration kShortestGap = absl::Milliseconds(500);
// Others take a node for dead after 8 s.
constexpr absl::Duration kShortestAbsence = absl::Seconds(10);
constexpr absl::Duration kLongestAbsence = absl::Seconds(14);
constexpr absl::Duration kTryAgain = absl::Seconds(1);

}  // namespace

Faults::Faults(Nodes& nodes, TestCluster& cluster, DatabaseProxy& proxy, const FaultCounts& counts,
               absl::Duration longest_gap, std::mt19937_64& random)
    : nodes_(nodes), cluster_(cluster), proxy_(proxy), longest_gap_(longest_gap), random_(random) {
  const auto add = [this](Kind kind, int count) {
    left_.insert(left_.end(), static_cast<size_t>(count), kind);
  };
  add(Kind::kKill, counts.kills);
  add(Kind::kPause, counts.pauses);
  add(Kind::kCommitCut, counts.commit_cuts);
  add(Kind::kConnectionCut, counts.connection_cuts);
  add(Kind::kPostgresRestart, counts.postgres_restarts);
  add(Kind::kPostgresKill, counts.postgres_kills);
  add(Kind::kRollingRestart, counts.rolling_restarts);
  std::shuffle(left_.begin(), left_.end(), random_);
}

void Faults::Step() {
  // A commit is cut when there is one: no need to wait for it.
  const bool at_once = !left_.empty() && left_.back() == Kind::kCommitCut && !AnyPaused();
  absl::SleepFor(at_once ? absl::ZeroDuration() : Between(kShortestGap, longest_gap_));
  ReturnDue();
  if (left_.empty()) return;
  const Kind kind = left_.back();
  if ((kind == Kind::kKill || kind == Kind::kPause) && PickNode() < 0) return;  // Later.
  // Publishers wait for the one that is stopped, and nobody would continue it while we wait for
  // them.
  if (kind == Kind::kCommitCut && AnyPaused()) return;
  left_.pop_back();
  Do(kind);
}

void Faults::Do(Kind kind) {
  switch (kind) {
    case Kind::kKill: {
      const size_t node = static_cast<size_t>(PickNode());
      nodes_.Kill(node);
      // Most come back at once, some only after others have taken over what they had.
      const bool stays_away = random_() % 4 == 0;
      if (stays_away) {
        returns_.push_back({node, absl::Now() + Between(kShortestAbsence, kLongestAbsence)});
      } else {
        StartOrLater(node, kTryAgain);
      }
      return;
    }
    case Kind::kPause: {
      const size_t node = static_cast<size_t>(PickNode());
      nodes_.Pause(node);
      returns_.push_back({node, absl::Now() + Between(kShortestAbsence, kLongestAbsence)});
      return;
    }
    case Kind::kCommitCut:
      CutACommit();
      return;
    case Kind::kConnectionCut:
      proxy_.CutAll();
      return;
    case Kind::kPostgresRestart:
    case Kind::kPostgresKill: {
      if (kind == Kind::kPostgresKill) {
        cluster_.Kill();
      } else {
        cluster_.Stop();
      }
      if (absl::Status started = cluster_.StartAgain(); !started.ok()) {
        surprises_.push_back(absl::StrCat("PostgreSQL does not start: ", started.ToString()));
      }
      return;
    }
    case Kind::kRollingRestart:
      RestartAll();
      return;
  }
}

void Faults::ReturnDue() {
  std::vector<Return> due;
  std::vector<Return> later;
  for (const Return& back : returns_) {
    (back.due <= absl::Now() ? due : later).push_back(back);
  }
  returns_ = std::move(later);
  for (const Return& back : due) BringBack(back.node);
}

void Faults::BringBack(size_t node) {
  if (nodes_.Running(node)) {
    nodes_.Continue(node);
  } else {
    StartOrLater(node, kTryAgain);
  }
}

void Faults::StartOrLater(size_t node, absl::Duration later) {
  const absl::Status started = nodes_.Start(node);
  if (started.ok()) return;
  surprises_.push_back(absl::StrCat("node ", node, " does not start: ", started.ToString()));
  returns_.push_back({node, absl::Now() + later});
}

void Faults::EndAll() {
  for (const Return& back : std::exchange(returns_, {})) BringBack(back.node);
}

void Faults::CutACommit() {
  using Moment = DatabaseProxy::Moment;
  constexpr Moment kMoments[] = {Moment::kBeforeStatement, Moment::kWithStatement,
                                 Moment::kBeforeAnswer};
  const int before = proxy_.cuts();
  const char* const statement = random_() % 2 == 0 ? "accept_store" : "record";
  proxy_.CutAt(statement, kMoments[random_() % 3], 1);
  if (!proxy_.WaitForCuts(before + 1)) {
    surprises_.push_back(
        absl::StrCat("nobody ran ", statement, " for ", absl::FormatDuration(kPatience)));
  }
}

void Faults::RestartAll() {
  for (size_t node = 0; node < nodes_.size(); ++node) {
    if (!nodes_.Running(node) || nodes_.Paused(node)) continue;  // It will be back anyway.
    if (absl::Status ended = nodes_.Terminate(node); !ended.ok()) {
      surprises_.push_back(ended.ToString());
    }
    StartOrLater(node, kTryAgain);
  }
}

bool Faults::AnyPaused() const {
  for (size_t node = 0; node < nodes_.size(); ++node) {
    if (nodes_.Paused(node)) return true;
  }
  return false;
}

int Faults::PickNode() {
  std::vector<int> up;
  for (size_t node = 0; node < nodes_.size(); ++node) {
    if (nodes_.Running(node) && !nodes_.Paused(node)) up.push_back(static_cast<int>(node));
  }
  return up.size() < 2 ? -1 : up[random_() % up.size()];
}

absl::Duration Faults::Between(absl::Duration low, absl::Duration high) {
  return low + (std::max(high, low) - low) * std::uniform_real_distribution<double>(0, 1)(random_);
}

}  // namespace postrider::testing

// Counters of endpoints, and that changes hold.

#include <algorithm>
#include <map>

#include "tests/simulation/checker_expect.h"

namespace postrider::simulation {

using memory::ChangeKind;

// Whether an attempt met an outage of our own.
bool Checker::Unplugged(const memory::StoredAttempt& row) const {
  const auto& wire = courses_.at(row.attempt.delivery_id).wire;
  return std::any_of(wire.begin(), wire.end(), [&](const WireAttempt* sent) {
    return sent->number == row.attempt.number && sent->unplugged;
  });
}

// One failure after the other, in the order in which they were recorded.
void Checker::CheckCounter(EndpointId id, const memory::StoredEndpoint& endpoint) {
  const std::string name = id.ToText();
  const int threshold = endpoint.endpoint.config.disable_threshold.value_or(50);
  std::map<int64_t, std::vector<const Attempt*>> outcomes;
  for (const memory::StoredAttempt* row : log_of_[id]) {
    if (!row->abandoned_time && !Unplugged(*row)) outcomes[row->commit_no].push_back(&row->attempt);
  }
  std::map<int64_t, std::vector<const memory::StoredChange*>> changes;
  for (const memory::StoredChange* change : changes_[id]) {
    changes[change->commit_no].push_back(change);
    outcomes[change->commit_no];
  }
  int counter = 0;
  bool enabled = false;
  for (const auto& [commit_no, batch] : outcomes) {
    bool reached = false;
    bool gone = false;
    for (const Attempt* attempt : batch) {
      if (!enabled || reached) continue;
      gone |= attempt->http_status == 410;
      if (attempt->outcome == AttemptOutcome::kSucceeded) {
        counter = 0;
      } else {
        reached = ++counter >= threshold && threshold > 0;
      }
    }
    const bool should_disable = enabled && (reached || gone);
    bool disabled = false;
    for (const memory::StoredChange* change : changes[commit_no]) {
      switch (change->kind) {
        case ChangeKind::kCreated:
          enabled = true;
          break;
        case ChangeKind::kEnabled:
          Expect(!enabled, name, " was enabled twice");
          enabled = true;
          counter = 0;
          break;
        case ChangeKind::kDisabled:
          Expect(enabled, name, " was disabled twice");
          enabled = false;
          disabled = change->reason != DisabledReason::kManual;
          break;
        case ChangeKind::kDeleted:
          enabled = false;
          break;
        case ChangeKind::kUpdated:
        case ChangeKind::kCanceled:
          break;
      }
    }
    Expect(disabled == should_disable, name,
           disabled ? " was disabled by the count of " : " was not disabled by the count of ",
           counter);
  }
  Expect(counter == endpoint.endpoint.consecutive_failures, name, " counts ",
         endpoint.endpoint.consecutive_failures, " failures in a row; there were ", counter);
}

void Checker::CheckChangesHold(EndpointId id) {
  const auto& changes = changes_[id];
  for (const WireAttempt* sent : wire_of_[id]) {
    // The last change of state that must be known.
    const memory::StoredChange* state = nullptr;
    bool enabled_since = false;
    for (const memory::StoredChange* change : changes) {
      if (change->time > sent->handed_out) break;
      if (change->kind == ChangeKind::kUpdated || change->kind == ChangeKind::kCanceled) continue;
      if (change->time + kChangeHolds < sent->handed_out) {
        state = change;
        enabled_since = false;
      } else {
        enabled_since |= change->kind == ChangeKind::kEnabled;
      }
    }
    const bool off = state != nullptr &&
                     (state->kind == ChangeKind::kDisabled || state->kind == ChangeKind::kDeleted);
    Expect(!off || enabled_since, sent->delivery_id.ToText(), " was sent ",
           off ? absl::FormatDuration(sent->handed_out - state->time) : "", " after ", id.ToText(),
           " was disabled or deleted");
    const auto configs = ConfigsAround(id, sent->handed_out);
    Expect(std::any_of(configs.begin(), configs.end(),
                       [&](const EndpointConfig* config) { return config->url == sent->url; }),
           sent->delivery_id.ToText(), " was sent to where ", id.ToText(), " is no more");
  }
}

void Checker::CheckCancels() {
  for (const Operation& operation : journal_.operations) {
    if (operation.kind != Operation::Kind::kCancel) continue;
    const auto it = courses_.find(operation.delivery_id);
    if (it == courses_.end()) continue;
    for (const WireAttempt* sent : it->second.wire) {
      Expect(sent->handed_out <= operation.time + kChangeHolds, operation.delivery_id.ToText(),
             " was sent ", absl::FormatDuration(sent->handed_out - operation.time),
             " after it was canceled");
    }
  }
}

void Checker::CheckSignatureTimes() {
  for (const WireAttempt& sent : journal_.wire) {
    const absl::Duration off = sent.handed_out - sent.signed_time;
    // Whole seconds: up to one is cut.
    Expect(off > -absl::Seconds(1) && off < absl::Seconds(2), sent.delivery_id.ToText(),
           " was signed for a time that is off by ", absl::FormatDuration(off));
  }
}

}  // namespace postrider::simulation

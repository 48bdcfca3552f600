#include "server/dispatch/endpoint_watch.h"

#include <algorithm>
#include <utility>

#include "server/observe/log.h"

namespace postrider::dispatch {
namespace {

constexpr absl::Duration kPoll = absl::Milliseconds(250);
constexpr size_t kLoadAtOnce = 500;
// Endpoints followed. Beyond it all are forgotten and read again when they have work.
constexpr size_t kMaxKnown = 1 << 20;

}  // namespace

EndpointWatch::EndpointWatch(std::unique_ptr<EndpointReader> reader, const security::KeyRing& keys,
                             http::DestinationPolicy policy, DeliveryDefaults defaults,
                             OnTargets on_targets)
    : reader_(std::move(reader)),
      keys_(keys),
      policy_(std::move(policy)),
      defaults_(std::move(defaults)),
      on_targets_(std::move(on_targets)) {}

void EndpointWatch::Start() {
  thread_ = NamedThread("endpoints", [this] { Run(); });
}

void EndpointWatch::Stop() {
  inbox_.Close();
  thread_.Join();
}

void EndpointWatch::Run() {
  std::vector<EndpointId> asked;
  absl::flat_hash_set<EndpointId> wanted;
  Instant next_poll = MonotonicNow();
  while (inbox_.Take(std::max(absl::ZeroDuration(), next_poll - MonotonicNow()), asked)) {
    wanted.insert(asked.begin(), asked.end());
    const bool due = MonotonicNow() >= next_poll;
    const Instant started = MonotonicNow();
    Poll(wanted, due);
    if (due) next_poll = started + kPoll;
  }
}

// Reads what is wanted and, when `check_changes`, what changed. What could not be read stays
// wanted.
bool EndpointWatch::Poll(absl::flat_hash_set<EndpointId>& wanted, bool check_changes) {
  const Instant started = MonotonicNow();
  if (check_changes) {
    absl::StatusOr<EndpointChanges> changes = reader_->ChangesSince(position_);
    if (!changes.ok()) {
      POSTRIDER_LOG_RARELY(observe::Severity::kWarning, "cannot follow changes of endpoints",
                           {{"error", std::string(changes.status().message())}});
      return false;
    }
    for (EndpointId id : changes->changed) {
      if (known_.contains(id)) wanted.insert(id);
    }
    // A position is noted only now that its changes are among the wanted.
    position_ = changes->position;
  }
  std::vector<std::shared_ptr<const Target>> targets;
  while (!wanted.empty()) {
    std::vector<EndpointId> ids;
    for (auto it = wanted.begin(); it != wanted.end() && ids.size() < kLoadAtOnce; ++it) {
      ids.push_back(*it);
    }
    absl::StatusOr<std::vector<EndpointForDispatch>> loaded = reader_->Load(ids);
    if (!loaded.ok()) {
      POSTRIDER_LOG_RARELY(observe::Severity::kWarning, "cannot read endpoints",
                           {{"error", std::string(loaded.status().message())}});
      return false;
    }
    for (EndpointId id : ids) wanted.erase(id);
    for (const EndpointForDispatch& stored : *loaded) {
      absl::StatusOr<std::shared_ptr<const Target>> target =
          MakeTarget(stored, keys_, policy_, defaults_);
      if (!target.ok()) {
        POSTRIDER_LOG_RARELY(observe::Severity::kError, "cannot open the secrets of an endpoint",
                             {{"endpoint_id", stored.endpoint.id.ToText()},
                              {"error", std::string(target.status().message())}});
        continue;
      }
      if (known_.size() >= kMaxKnown) known_.clear();
      known_.insert(stored.endpoint.id);
      targets.push_back(*std::move(target));
    }
  }
  if (check_changes) validated_at_ = started;
  on_targets_(std::move(targets), validated_at_);
  return true;
}

}  // namespace postrider::dispatch

#include "server/dispatch/endpoint_watch.h"

#include <algorithm>
#include <utility>

#include "server/observe/log.h"

namespace postrider::dispatch {
namespace {

constexpr absl::Duration kPoll = absl::Milliseconds(250);
constexpr size_t kLoadAtOnce = 500;

}  // namespace

EndpointWatch::EndpointWatch(std::unique_ptr<EndpointReader> reader, const security::KeyRing& keys,
                             http::DestinationPolicy policy, DeliveryDefaults defaults,
                             OnNews on_news, const DatabaseClock& clock)
    : reader_(std::move(reader)),
      keys_(keys),
      policy_(std::move(policy)),
      defaults_(std::move(defaults)),
      on_news_(std::move(on_news)),
      clock_(clock) {}

Instant EndpointWatch::Step(std::vector<Wish> wishes) {
  for (const Wish& wish : wishes) {
    for (EndpointId id : wish.forget) known_.erase(id);
    wanted_.insert(wish.load.begin(), wish.load.end());
  }
  const Instant started = clock_.Monotonic();
  // Nothing is read before there is a position: a change in between would never be seen.
  const bool due = started >= next_poll_ || position_ == 0;
  Poll(due, started);
  if (due) next_poll_ = started + kPoll;
  return next_poll_;
}

void EndpointWatch::Poll(bool check_changes, Instant started) {
  if (check_changes) {
    absl::StatusOr<EndpointChanges> changes = reader_->ChangesSince(position_);
    if (!changes.ok()) {
      POSTRIDER_LOG_RARELY(observe::Severity::kWarning, "cannot follow changes of endpoints",
                           {{"error", std::string(changes.status().message())}});
      return;
    }
    canceled_by_ = clock_.Monotonic();
    absl::flat_hash_set<int64_t> given;
    for (const EndpointChange& change : changes->changes) {
      given.insert(change.change_no);
      if (seen_.contains(change.change_no)) continue;
      if (change.cancels) {
        // Also when it is not read yet: its deliveries may wait for that.
        canceled_.insert(change.endpoint_id);
      } else if (known_.contains(change.endpoint_id)) {
        wanted_.insert(change.endpoint_id);
      }
    }
    seen_ = std::move(given);
    // A position is noted only now that its changes are among the wanted.
    position_ = changes->position;
    validated_at_ = started;  // told when all that changed was read, by whichever call
  }
  // What was read is told when all of it was: kept until then.
  while (!wanted_.empty()) {
    std::vector<EndpointId> ids;
    for (auto it = wanted_.begin(); it != wanted_.end() && ids.size() < kLoadAtOnce; ++it) {
      ids.push_back(*it);
    }
    absl::StatusOr<std::vector<EndpointForDispatch>> loaded = reader_->Load(ids);
    if (!loaded.ok()) {
      POSTRIDER_LOG_RARELY(observe::Severity::kWarning, "cannot read endpoints",
                           {{"error", std::string(loaded.status().message())}});
      return;
    }
    for (EndpointId id : ids) wanted_.erase(id);
    for (const EndpointForDispatch& stored : *loaded) {
      known_.insert(stored.endpoint.id);
      absl::StatusOr<std::shared_ptr<const Target>> target =
          MakeTarget(stored, keys_, policy_, defaults_);
      if (!target.ok()) {
        POSTRIDER_LOG_RARELY(observe::Severity::kError, "cannot open the secrets of an endpoint",
                             {{"endpoint_id", stored.endpoint.id.ToText()},
                              {"error", std::string(target.status().message())}});
        target = TargetWithoutSecrets(stored.endpoint, defaults_);
      }
      news_.targets.push_back(*std::move(target));
    }
  }
  news_.canceled.assign(canceled_.begin(), canceled_.end());
  canceled_.clear();
  news_.canceled_by = canceled_by_;
  news_.validated_at = validated_at_;
  on_news_(std::exchange(news_, {}));
}

}  // namespace postrider::dispatch

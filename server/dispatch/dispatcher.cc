#include "server/dispatch/dispatcher.h"

#include <algorithm>
#include <utility>

#include "server/dispatch/attempt.h"

namespace postrider::dispatch {
namespace {

constexpr absl::Duration kSweepInterval = absl::Seconds(1);
// Deliveries waiting here for an endpoint: so many times what it may have in flight.
constexpr int kLookaheadFactor = 8;

// The same on every node and in every build, which absl::Hash is not.
uint64_t StableHash(const EndpointId& id, int32_t node) {
  uint64_t hash = 0x9e3779b97f4a7c15u ^ static_cast<uint32_t>(node);
  const auto mix = [&hash](uint64_t value) {
    hash = (hash ^ value) * 0xbf58476d1ce4e5b9u;
    hash ^= hash >> 31;
  };
  for (uint8_t byte : id.ulid.bytes) mix(byte);
  return hash;
}

int64_t SizeOf(const WorkItem& item) {
  return item.body == nullptr ? 0 : static_cast<int64_t>(item.body->size());
}

}  // namespace

Dispatcher::Dispatcher(const DispatchLimits& limits, std::function<double()> random,
                       std::function<AttemptId(absl::Time)> new_attempt_id)
    : limits_(limits), random_(std::move(random)), new_attempt_id_(std::move(new_attempt_id)) {}

Dispatcher::Lane& Dispatcher::LaneOf(EndpointId id) {
  auto [it, is_new] = lanes_.try_emplace(id);
  Lane& lane = it->second;
  if (is_new || (lane.target == nullptr && !lane.load_requested)) {
    lane.load_requested = true;
    pending_.loads.push_back(id);
  }
  return lane;
}

policy::AdmissionRules Dispatcher::RulesOf(EndpointId id, Lane& lane) const {
  if (lane.cluster_version != cluster_version_) {
    // Rendezvous hashing: every node comes to the same ranks without asking another.
    const uint64_t mine = StableHash(id, cluster_.self);
    lane.rank = static_cast<int>(std::count_if(
        cluster_.nodes.begin(), cluster_.nodes.end(),
        [&](int32_t node) { return node != cluster_.self && StableHash(id, node) < mine; }));
    lane.cluster_version = cluster_version_;
  }
  policy::AdmissionRules rules;
  rules.max_in_flight = lane.target->max_in_flight;
  rules.rate_per_second = lane.target->rate_per_second;
  rules.disable_threshold = lane.target->disable_threshold;
  rules.nodes = std::max<int>(1, static_cast<int>(cluster_.nodes.size()));
  rules.rank = lane.rank;
  return rules;
}

int Dispatcher::LookaheadOf(EndpointId id, Lane& lane) const {
  if (draining_ || !joined_ || lane.target == nullptr) return 0;
  if (lane.target->state != EndpointState::kEnabled) return 0;
  if (queued_ >= limits_.max_queued || queued_bytes_ >= limits_.max_queued_bytes) return 0;
  const int limit = lane.admission.Limit(RulesOf(id, lane));
  return limit <= 1 ? 2 * limit : std::min(limits_.max_lookahead, kLookaheadFactor * limit);
}

void Dispatcher::MakeReady(EndpointId id, Lane& lane) {
  if (lane.ready || lane.queue.empty()) return;
  lane.ready = true;
  ready_.push_back(id);
}

void Dispatcher::MaybeOrder(EndpointId id, Lane& lane) {
  if (!lane.backlogged || lane.ordered) return;
  const int lookahead = LookaheadOf(id, lane);
  const int room = lookahead - static_cast<int>(lane.queue.size());
  // Asked for when half of it is used up: few statements, and the lane never runs dry.
  if (room <= 0 || room < lookahead / 2) return;
  lane.ordered = true;
  pending_.orders.push_back({id, room});
}

void Dispatcher::UpdateCongestion(EndpointId id, Lane& lane) {
  // What is accepted for an endpoint that has older work in the database waits behind it.
  const bool full = lane.target != nullptr &&
                    static_cast<int>(lane.queue.size()) >= std::max(1, LookaheadOf(id, lane));
  const bool congested = lane.target != nullptr && (lane.backlogged || full);
  if (congested == lane.congested) return;
  lane.congested = congested;
  if (congested) {
    congested_.emplace(id, true);
  } else {
    congested_.erase(id);
  }
}

void Dispatcher::AddWork(std::vector<WorkItem> items) {
  for (WorkItem& item : items) {
    const EndpointId id = item.endpoint_id;
    Lane& lane = LaneOf(id);
    ++queued_;
    queued_bytes_ += SizeOf(item);
    lane.queue.push_back(std::move(item));
    MakeReady(id, lane);
    UpdateCongestion(id, lane);
  }
}

void Dispatcher::AddBacklog(const std::vector<EndpointId>& endpoints) {
  for (EndpointId id : endpoints) {
    Lane& lane = LaneOf(id);
    lane.backlogged = true;
    MaybeOrder(id, lane);
    UpdateCongestion(id, lane);
  }
}

void Dispatcher::AddClaimed(const std::vector<ClaimOrder>& orders, std::vector<WorkItem> items) {
  absl::flat_hash_map<EndpointId, int> counts;
  for (const WorkItem& item : items) ++counts[item.endpoint_id];
  AddWork(std::move(items));
  for (const ClaimOrder& order : orders) {
    Lane& lane = LaneOf(order.endpoint_id);
    lane.ordered = false;
    const auto it = counts.find(order.endpoint_id);
    lane.backlogged = it != counts.end() && it->second >= order.count;
    MaybeOrder(order.endpoint_id, lane);
    UpdateCongestion(order.endpoint_id, lane);
  }
}

void Dispatcher::AddClaimFailed(const std::vector<ClaimOrder>& orders) {
  // Found again by the next search for due work.
  for (const ClaimOrder& order : orders) {
    Lane& lane = LaneOf(order.endpoint_id);
    lane.ordered = false;
    lane.backlogged = false;
    UpdateCongestion(order.endpoint_id, lane);
  }
}

void Dispatcher::AddTargets(std::vector<std::shared_ptr<const Target>> targets,
                            Instant validated_at) {
  for (std::shared_ptr<const Target>& target : targets) {
    const EndpointId id = target->id;
    const auto it = lanes_.find(id);
    if (it == lanes_.end()) continue;
    Lane& lane = it->second;
    const bool was_enabled =
        lane.target != nullptr && lane.target->state == EndpointState::kEnabled;
    if (!was_enabled) lane.admission.SetConsecutiveFailures(target->consecutive_failures);
    lane.target = std::move(target);
    lane.signer.reset();
    lane.load_requested = false;
    MakeReady(id, lane);
    MaybeOrder(id, lane);
    UpdateCongestion(id, lane);
  }
  validated_at_ = validated_at;
}

void Dispatcher::AddResults(std::vector<http::Result> results, Instant now,
                            absl::Time database_now) {
  for (http::Result& result : results) {
    const auto it = flights_.find(result.id);
    if (it == flights_.end()) continue;
    Flight flight = std::move(it->second);
    flights_.erase(it);
    const EndpointId id = flight.item.endpoint_id;
    Lane& lane = LaneOf(id);
    // The endpoint as it stands now says what a failure means: its schedule counts when it fails.
    const Target& target = lane.target != nullptr ? *lane.target : *flight.target;
    const absl::Time end_time = std::max(database_now, flight.start_time);
    FinishedAttempt finished =
        FinishAttempt(flight.item, target, flight.start_time, end_time, std::move(result),
                      new_attempt_id_(database_now), random_());
    lane.last_used = now;
    if (lane.target != nullptr) {
      const policy::AdmissionRules rules = RulesOf(id, lane);
      if (finished.record.attempt.outcome == AttemptOutcome::kSucceeded) {
        lane.admission.OnSuccess(rules);
      } else {
        lane.admission.OnFailure(rules, now);
      }
    } else {
      lane.admission.OnNeutral();
    }
    ++unrecorded_;
    pending_.finished.push_back(std::move(finished));
    MakeReady(id, lane);
    MaybeOrder(id, lane);
    UpdateCongestion(id, lane);
  }
}

void Dispatcher::AddRecorded(int count, const std::vector<DisabledEndpoint>& disabled) {
  unrecorded_ -= count;
  for (const DisabledEndpoint& endpoint : disabled) {
    const auto it = lanes_.find(endpoint.endpoint_id);
    if (it == lanes_.end() || it->second.target == nullptr) continue;
    auto target = std::make_shared<Target>(*it->second.target);
    target->state = EndpointState::kDisabled;
    it->second.target = std::move(target);
    MakeReady(endpoint.endpoint_id, it->second);
  }
}

void Dispatcher::SetCluster(Cluster cluster) {
  if (cluster.self == cluster_.self && cluster.nodes == cluster_.nodes) return;
  cluster_ = std::move(cluster);
  ++cluster_version_;
}

void Dispatcher::Drain() {
  draining_ = true;
  for (auto& [id, lane] : lanes_) MakeReady(id, lane);
}

void Dispatcher::DropQueued(const WorkItem& item) {
  --queued_;
  queued_bytes_ -= SizeOf(item);
}

void Dispatcher::ReleaseFront(Lane& lane, Turn& turn) {
  const WorkItem& item = lane.queue.front();
  turn.releases.push_back({item.id, item.lease_token});
  DropQueued(item);
  lane.queue.pop_front();
}

void Dispatcher::ReleaseQueue(EndpointId id, Lane& lane, Turn& turn) {
  while (!lane.queue.empty()) ReleaseFront(lane, turn);
  UpdateCongestion(id, lane);
}

bool Dispatcher::PrepareSigner(Lane& lane, absl::Time database_now) {
  if (lane.signer != nullptr && database_now < lane.signer_until) return true;
  std::vector<signing::SigningKey> keys;
  lane.signer_until = absl::InfiniteFuture();
  for (const TargetSecret& secret : lane.target->secrets) {
    if (secret.expire_time <= database_now || keys.size() == signing::kMaxSigningKeys) continue;
    lane.signer_until = std::min(lane.signer_until, secret.expire_time);
    keys.push_back(secret.key);
  }
  absl::StatusOr<signing::Signer> signer = signing::Signer::Create(keys);
  if (!signer.ok()) {
    lane.signer.reset();
    return false;
  }
  lane.signer = std::make_unique<signing::Signer>(*std::move(signer));
  return true;
}

// Starts the first delivery of the lane. False: it could not be prepared and was put aside.
bool Dispatcher::Start(EndpointId id, Lane& lane, Instant now, absl::Time database_now,
                       Turn& turn) {
  WorkItem item = std::move(lane.queue.front());
  lane.queue.pop_front();
  DropQueued(item);
  const Target& target = *lane.target;
  std::string signature;
  if (PrepareSigner(lane, database_now)) {
    signature =
        lane.signer->Header(item.event_id.ToText(), absl::ToUnixSeconds(database_now), *item.body);
  }
  if (signature.empty()) {
    // Without a signature nothing is sent: the delivery waits until the secret can be used again.
    turn.releases.push_back({item.id, item.lease_token});
    return false;
  }
  const uint64_t flight = next_flight_++;
  lane.admission.OnStart(RulesOf(id, lane), now);
  lane.last_used = now;
  if (target.url.empty()) {
    // The rules for addresses changed since the endpoint was stored.
    http::Result blocked;
    blocked.id = flight;
    blocked.error = http::TransferError::kBlocked;
    blocked.error_text = target.url_error;
    item.body.reset();
    flights_.emplace(flight, Flight{std::move(item), lane.target, database_now});
    std::vector<http::Result> results;
    results.push_back(std::move(blocked));
    AddResults(std::move(results), now, database_now);
    return true;
  }
  turn.requests.push_back(MakeRequest(flight, item, target, database_now, std::move(signature)));
  item.body.reset();
  flights_.emplace(flight, Flight{std::move(item), lane.target, database_now});
  return true;
}

void Dispatcher::ServeLane(EndpointId id, Lane& lane, Instant now, absl::Time database_now,
                           Turn& turn) {
  if (lane.queue.empty()) return;
  if (draining_) {
    ReleaseQueue(id, lane, turn);
    return;
  }
  if (lane.target == nullptr) return;
  if (lane.target->state != EndpointState::kEnabled) {
    ReleaseQueue(id, lane, turn);
    return;
  }
  while (!lane.queue.empty() && lane.queue.front().hold_until <= now) ReleaseFront(lane, turn);
  if (lane.queue.empty()) return;
  const policy::AdmissionRules rules = RulesOf(id, lane);
  if (lane.admission.Limit(rules) == 0) {
    ReleaseQueue(id, lane, turn);
    return;
  }
  Instant retry_at;
  if (!lane.admission.MayStart(rules, now, &retry_at)) {
    if (retry_at < absl::InfiniteDuration()) timers_.push({retry_at, id});
    return;
  }
  Start(id, lane, now, database_now, turn);
  MakeReady(id, lane);
  MaybeOrder(id, lane);
  UpdateCongestion(id, lane);
}

void Dispatcher::Sweep(Instant now, Turn& turn) {
  std::vector<EndpointId> idle;
  for (auto& [id, lane] : lanes_) {
    while (!lane.queue.empty() && lane.queue.front().hold_until <= now) ReleaseFront(lane, turn);
    UpdateCongestion(id, lane);
    MaybeOrder(id, lane);
    if (lane.queue.empty() && lane.admission.in_flight() == 0 && !lane.ordered && !lane.ready &&
        !lane.backlogged && now - lane.last_used > limits_.idle_lane_life) {
      idle.push_back(id);
    }
  }
  for (EndpointId id : idle) {
    congested_.erase(id);
    lanes_.erase(id);
  }
  next_sweep_ = now + kSweepInterval;
}

Turn Dispatcher::Run(Instant now, absl::Time database_now) {
  Turn turn;
  if (joined_ != (now >= joined_at_)) {
    joined_ = !joined_;
    next_sweep_ = now;
  }
  if (now >= next_sweep_) Sweep(now, turn);
  while (!timers_.empty() && timers_.top().at <= now) {
    const EndpointId id = timers_.top().endpoint_id;
    timers_.pop();
    if (const auto it = lanes_.find(id); it != lanes_.end()) MakeReady(id, it->second);
  }
  const bool fresh = joined_ && now - validated_at_ <= limits_.max_target_age && now < alive_until_;
  if (fresh || draining_) {
    while (!ready_.empty() && (draining_ || (in_flight() < limits_.max_in_flight &&
                                             unrecorded_ < limits_.max_unrecorded))) {
      const EndpointId id = ready_.front();
      ready_.pop_front();
      const auto it = lanes_.find(id);
      if (it == lanes_.end()) continue;
      it->second.ready = false;
      ServeLane(id, it->second, now, database_now, turn);
    }
  }
  turn.wake_at = next_sweep_;
  if (!joined_) turn.wake_at = std::min(turn.wake_at, joined_at_);
  if (!timers_.empty()) turn.wake_at = std::min(turn.wake_at, timers_.top().at);

  turn.loads = std::exchange(pending_.loads, {});
  turn.finished = std::exchange(pending_.finished, {});
  turn.orders = std::exchange(pending_.orders, {});
  return turn;
}

std::vector<EndpointId> Dispatcher::Congested() const {
  std::vector<EndpointId> ids;
  ids.reserve(congested_.size());
  for (const auto& entry : congested_) ids.push_back(entry.first);
  return ids;
}

}  // namespace postrider::dispatch

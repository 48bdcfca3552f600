#include "server/dispatch/dispatcher.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "server/dispatch/attempt.h"

namespace postrider::dispatch {
namespace {

// Attempts started in a turn: what came in meanwhile is not kept waiting by a burst of them.
constexpr size_t kStartsAtOnce = 256;
constexpr absl::Duration kSweepInterval = absl::Seconds(1);
// A change holds for every attempt that starts longer after its answer (SEMANTICS, "Delivery").
constexpr absl::Duration kStartWithin = absl::Seconds(1);

int64_t SizeOf(const WorkItem& item) {
  return item.body == nullptr ? 0 : static_cast<int64_t>(item.body->size());
}

}  // namespace

Dispatcher::Dispatcher(const DispatchLimits& limits, std::function<double()> random,
                       std::function<AttemptId(absl::Time)> new_attempt_id)
    : limits_(limits),
      random_(std::move(random)),
      new_attempt_id_(std::move(new_attempt_id)),
      slots_(limits.max_in_flight),
      verdicts_(limits.max_target_age) {}

Dispatcher::Lane& Dispatcher::LaneOf(EndpointId id) {
  auto [it, is_new] = lanes_.try_emplace(id);
  Lane& lane = it->second;
  if (is_new || (lane.target == nullptr && !lane.load_requested)) {
    lane.load_requested = true;
    turn_.loads.push_back(id);
  }
  return lane;
}

policy::AdmissionRules Dispatcher::RulesOf(EndpointId id, Lane& lane) const {
  if (lane.cluster_version != cluster_version_) {
    lane.rank = RankOf(id, cluster_);
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

Dispatcher::Capacity Dispatcher::CapacityOf(EndpointId id, Lane& lane) const {
  if (draining_ || !joined_ || lane.target == nullptr) return {};
  if (lane.target->state != EndpointState::kEnabled) return {};
  if (queued_ >= limits_.max_queued || queued_bytes_ >= limits_.max_queued_bytes) return {};
  const int limit = lane.admission.Limit(RulesOf(id, lane));
  if (in_outage()) return {0, std::min(limit, 1)};  // for a probe
  if (lane.target->ordered) return {limit, 0};
  return {limit, policy::Lookahead(limit, lane.completions.PerSecond(now_))};
}

void Dispatcher::MakeReady(EndpointId id, Lane& lane) {
  if (lane.ready || lane.queue.empty()) return;
  lane.ready = true;
  ready_.push_back(id);
}

void Dispatcher::MaybeOrder(EndpointId id, Lane& lane) {
  if (!lane.backlogged || lane.claiming) return;
  const Capacity capacity = CapacityOf(id, lane);
  const int waiting = static_cast<int>(lane.queue.size());
  int room = capacity.in_flight + capacity.waiting - lane.admission.in_flight() - waiting;
  // The next one's turn comes when the outcome before it is stored: until then a claim gives
  // nothing.
  if (lane.target != nullptr && lane.target->ordered) room -= lane.unrecorded;
  // Asked for when half of what waits is used up: few statements, and the lane never runs dry.
  if (room <= 0 || waiting > capacity.waiting / 2) return;
  lane.claiming = true;
  lane.renewed = false;
  ++orders_;
  turn_.orders.push_back({id, room, lane.target->ordered});
}

void Dispatcher::OrderDone(EndpointId id, bool more) {
  Lane& lane = LaneOf(id);
  if (lane.claiming) --orders_;
  lane.claiming = false;
  // What was accepted while the claim ran may not be in it, and must not wait for the next search.
  lane.backlogged = more || (lane.renewed && lane.target != nullptr && lane.target->ordered);
  MaybeOrder(id, lane);
  UpdateCounts(id, lane);
}

void Dispatcher::UpdateCounts(EndpointId id, Lane& lane) {
  const int taken = static_cast<int>(lane.queue.size()) + lane.admission.in_flight();
  if (lane.active != (taken > 0)) {
    lane.active = !lane.active;
    active_lanes_ += lane.active ? 1 : -1;
  }
  // What is accepted for an endpoint that has older work in the database waits behind it.
  const Capacity capacity = CapacityOf(id, lane);
  const bool full =
      lane.target != nullptr && taken >= std::max(1, capacity.in_flight + capacity.waiting);
  const bool congested =
      lane.target != nullptr && !lane.target->ordered && (lane.backlogged || full);
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
    UpdateCounts(id, lane);
  }
}

void Dispatcher::AddBacklog(const std::vector<EndpointId>& endpoints) {
  for (EndpointId id : endpoints) {
    Lane& lane = LaneOf(id);
    lane.backlogged = lane.renewed = true;
    MaybeOrder(id, lane);
    UpdateCounts(id, lane);
  }
}

void Dispatcher::AddClaimed(const std::vector<ClaimOrder>& orders, std::vector<WorkItem> items) {
  absl::flat_hash_map<EndpointId, int> counts;
  for (const WorkItem& item : items) ++counts[item.endpoint_id];
  AddWork(std::move(items));
  for (const ClaimOrder& order : orders) {
    const auto it = counts.find(order.endpoint_id);
    OrderDone(order.endpoint_id, it != counts.end() && it->second >= order.count);
  }
}

void Dispatcher::AddClaimFailed(const std::vector<ClaimOrder>& orders) {
  // Found again by the next search for due work.
  for (const ClaimOrder& order : orders) OrderDone(order.endpoint_id, false);
}

void Dispatcher::AddNews(EndpointNews news) {
  for (std::shared_ptr<const Target>& target : news.targets) {
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
    UpdateCounts(id, lane);
  }
  for (EndpointId id : news.canceled) {
    const auto it = lanes_.find(id);
    if (it == lanes_.end()) continue;
    Lane& lane = it->second;
    // What is leased from then on was not canceled before; the rest is claimed again.
    lane.leases_from = std::max(lane.leases_from, news.canceled_by);
    const size_t waiting = lane.queue.size();
    ReleaseLost(lane, now_);
    lane.backlogged |= lane.queue.size() < waiting;
    MaybeOrder(id, lane);
    UpdateCounts(id, lane);
  }
  validated_at_ = news.validated_at;
  verdicts_.LookAt(now_);  // failures may have waited for this
}

void Dispatcher::AddResults(std::vector<http::Result> results, Instant now,
                            absl::Time database_now) {
  now_ = now;
  for (http::Result& result : results) {
    const auto it = flights_.find(result.id);
    if (it == flights_.end()) continue;
    Flight flight = std::move(it->second);
    flights_.erase(it);
    slots_.OnEnd(flight.failing);
    const absl::Time end_time = std::max(database_now, flight.start_time);
    End({std::move(flight), std::move(result), now, end_time});
    ServeStarved();
  }
}

void Dispatcher::End(Ended ended) {
  const std::optional<AttemptOutcome> outcome = OutcomeOf(ended.result);
  if (!outcome) {
    // It never had its turn: as if it had waited in the lane.
    const EndpointId id = ended.flight.item.endpoint_id;
    Lane& lane = LaneOf(id);
    turn_.releases.push_back({ended.flight.item.id, ended.flight.item.lease_token});
    lane.admission.OnNotStarted();
    lane.backlogged = true;
    MakeReady(id, lane);
    UpdateCounts(id, lane);
    return;
  }
  std::optional<Ended> known = verdicts_.Add(std::move(ended), *outcome, validated_at_);
  if (known) Settle(*std::move(known), Blame::kEndpoint);
}

void Dispatcher::Settle(Ended ended, Blame blame) {
  const EndpointId id = ended.flight.item.endpoint_id;
  Lane& lane = LaneOf(id);
  // The endpoint as it stands now says what a failure means: its schedule counts when it fails.
  const Target& target = lane.target != nullptr ? *lane.target : *ended.flight.target;
  FinishedAttempt finished =
      FinishAttempt(ended.flight.item, target, {ended.flight.start_time, ended.end_time},
                    std::move(ended.result), blame, new_attempt_id_(ended.end_time), random_());
  lane.last_used = now_;
  lane.completions.Add(now_);
  if (lane.target == nullptr || blame == Blame::kUs) {
    lane.admission.OnNeutral();
  } else if (finished.record.attempt.outcome == AttemptOutcome::kSucceeded) {
    lane.admission.OnSuccess(RulesOf(id, lane));
  } else {
    lane.admission.OnFailure(RulesOf(id, lane), now_);
  }
  unrecorded_.push_back(now_);
  if (finished.in_order) ++lane.unrecorded;
  turn_.finished.push_back(std::move(finished));
  MakeReady(id, lane);
  MaybeOrder(id, lane);
  UpdateCounts(id, lane);
}

void Dispatcher::SettleJudged(Instant now) {
  const bool was_in_outage = in_outage();
  for (Verdicts::Judged& judged : verdicts_.Judge(now, validated_at_, draining_)) {
    Settle(std::move(judged.ended), judged.blame);
  }
  if (was_in_outage && !in_outage()) next_sweep_ = now;  // claims go on
}

void Dispatcher::AddRecorded(const Recorded& recorded) {
  for (int i = 0; i < recorded.count && !unrecorded_.empty(); ++i) unrecorded_.pop_front();
  for (const EndpointCount& endpoint : recorded.counts) {
    const auto it = lanes_.find(endpoint.endpoint_id);
    if (it == lanes_.end() || it->second.target == nullptr) continue;
    Lane& lane = it->second;
    // Failures that other nodes saw slow this one down as well.
    lane.admission.SetConsecutiveFailures(
        std::max(lane.admission.consecutive_failures(), endpoint.consecutive_failures));
    if (endpoint.disabled_reason == DisabledReason::kNone) continue;
    auto target = std::make_shared<Target>(*lane.target);
    target->state = EndpointState::kDisabled;
    lane.target = std::move(target);
    MakeReady(endpoint.endpoint_id, lane);
  }
  // What came after them may be claimed.
  for (EndpointId id : recorded.in_order) {
    if (const auto it = lanes_.find(id); it != lanes_.end()) --it->second.unrecorded;
  }
  AddBacklog(recorded.in_order);
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

void Dispatcher::ReleaseFront(Lane& lane) {
  const WorkItem& item = lane.queue.front();
  turn_.releases.push_back({item.id, item.lease_token});
  DropQueued(item);
  lane.queue.pop_front();
}

void Dispatcher::ReleaseLost(Lane& lane, Instant now) {
  const Instant leases_from = std::max(lane.leases_from, standing_.leases_from);
  while (!lane.queue.empty() &&
         (lane.queue.front().hold_until <= now || lane.queue.front().leased_at < leases_from)) {
    ReleaseFront(lane);
  }
}

void Dispatcher::ReleaseQueue(EndpointId id, Lane& lane) {
  while (!lane.queue.empty()) ReleaseFront(lane);
  UpdateCounts(id, lane);
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

// Starts the first delivery of the lane, or gives it back when it cannot be signed.
void Dispatcher::Start(EndpointId id, Lane& lane, Instant now, absl::Time database_now) {
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
    turn_.releases.push_back({item.id, item.lease_token});
    return;
  }
  const uint64_t number = next_flight_++;
  lane.admission.OnStart(RulesOf(id, lane), now);
  lane.last_used = now;
  if (target.url.empty()) {
    // The rules for addresses changed since the endpoint was stored.
    http::Result blocked;
    blocked.id = number;
    blocked.error = http::TransferError::kBlocked;
    blocked.error_text = target.url_error;
    item.body.reset();
    End({{std::move(item), lane.target, database_now}, std::move(blocked), now, database_now});
    return;
  }
  verdicts_.Expect(target, now);
  turn_.requests.push_back(MakeRequest(number, item, target, database_now, std::move(signature)));
  // Inside the HTTP loop it may still wait for a turn, but not until changes of the endpoint or its
  // signature's time are too old.
  turn_.requests.back().start_by = std::min(item.hold_until, validated_at_ + kStartWithin);
  item.body.reset();
  const bool failing = lane.admission.consecutive_failures() > 0;
  slots_.OnStart(failing);
  flights_.emplace(number, Flight{std::move(item), lane.target, database_now, failing});
}

void Dispatcher::ServeLane(EndpointId id, Lane& lane, Instant now, absl::Time database_now) {
  if (lane.queue.empty()) return;
  if (draining_) {
    ReleaseQueue(id, lane);
    return;
  }
  if (lane.target == nullptr) return;
  if (lane.target->state != EndpointState::kEnabled) {
    ReleaseQueue(id, lane);
    return;
  }
  ReleaseLost(lane, now);
  if (lane.queue.empty()) {
    UpdateCounts(id, lane);
    return;
  }
  const policy::AdmissionRules rules = RulesOf(id, lane);
  if (lane.admission.Limit(rules) == 0) {
    ReleaseQueue(id, lane);
    return;
  }
  Instant retry_at;
  if (!lane.admission.MayStart(rules, now, &retry_at)) {
    if (retry_at < absl::InfiniteDuration()) timers_.push({retry_at, id});
    return;
  }
  if (!slots_.MayStart(lane.admission.in_flight(), lane.admission.consecutive_failures() > 0,
                       active_lanes_)) {
    if (!std::exchange(lane.starved, true)) starved_.push_back(id);
    return;
  }
  Start(id, lane, now, database_now);
  MakeReady(id, lane);
  MaybeOrder(id, lane);
  UpdateCounts(id, lane);
}

// A slot came free: the endpoint that waits longest may ask again.
void Dispatcher::ServeStarved() {
  for (bool asked = false; !asked && !starved_.empty();) {
    const EndpointId id = starved_.front();
    starved_.pop_front();
    const auto it = lanes_.find(id);
    if (it == lanes_.end()) continue;
    it->second.starved = false;
    MakeReady(id, it->second);
    asked = it->second.ready;
  }
}

void Dispatcher::ServeReady(Instant now, absl::Time database_now) {
  // While we are cut off, one endpoint after the other is tried.
  int probes = now >= next_probe_ ? 1 : 0;
  while (!ready_.empty()) {
    if (!draining_) {
      if (slots_.full() || unrecorded() >= limits_.max_unrecorded) return;
      if (turn_.requests.size() >= kStartsAtOnce) return;
      if (in_outage() && probes == 0) return;
    }
    const EndpointId id = ready_.front();
    ready_.pop_front();
    const auto it = lanes_.find(id);
    if (it == lanes_.end()) continue;
    it->second.ready = false;
    const size_t before = turn_.requests.size();
    ServeLane(id, it->second, now, database_now);
    if (in_outage() && turn_.requests.size() > before) {
      --probes;
      next_probe_ = now + policy::kProbeInterval;
    }
  }
}

void Dispatcher::Sweep(Instant now) {
  std::vector<EndpointId> idle;
  for (auto& [id, lane] : lanes_) {
    ReleaseLost(lane, now);
    // What a disabled endpoint has in the database is found again when it is enabled.
    if (lane.target != nullptr && lane.target->state != EndpointState::kEnabled) {
      lane.backlogged = false;
    }
    UpdateCounts(id, lane);
    MaybeOrder(id, lane);
    if (!lane.active && !lane.claiming && !lane.ready && !lane.backlogged && lane.unrecorded == 0 &&
        now - lane.last_used > limits_.idle_lane_life) {
      idle.push_back(id);
    }
  }
  for (EndpointId id : idle) {
    congested_.erase(id);
    lanes_.erase(id);
    turn_.forget.push_back(id);
  }
  next_sweep_ = now + kSweepInterval;
}

Turn Dispatcher::Run(Instant now, absl::Time database_now) {
  now_ = now;
  if (joined_ != (now >= standing_.joined_at)) {
    joined_ = !joined_;
    next_sweep_ = now;
  }
  SettleJudged(now);
  if (now >= next_sweep_) Sweep(now);
  while (!timers_.empty() && timers_.top().at <= now) {
    const EndpointId id = timers_.top().endpoint_id;
    timers_.pop();
    if (const auto it = lanes_.find(id); it != lanes_.end()) MakeReady(id, it->second);
  }
  const bool fresh =
      joined_ && now - validated_at_ <= limits_.max_target_age && now < standing_.alive_until;
  const bool behind =
      !unrecorded_.empty() && now - unrecorded_.front() > limits_.max_unrecorded_age;
  if ((fresh && !behind) || draining_) ServeReady(now, database_now);

  Turn turn = std::exchange(turn_, {});
  turn.wake_at = next_sweep_;
  if (!joined_) turn.wake_at = std::min(turn.wake_at, standing_.joined_at);
  if (!timers_.empty()) turn.wake_at = std::min(turn.wake_at, timers_.top().at);
  turn.wake_at = std::min(turn.wake_at, verdicts_.next_look());
  if (turn.requests.size() >= kStartsAtOnce) turn.wake_at = now;
  if (in_outage() && !ready_.empty() && fresh) {
    turn.wake_at = std::min(turn.wake_at, std::max(next_probe_, now + kVerdictInterval));
  }
  return turn;
}

std::vector<EndpointId> Dispatcher::Congested() const {
  std::vector<EndpointId> ids;
  ids.reserve(congested_.size());
  for (const auto& entry : congested_) ids.push_back(entry.first);
  return ids;
}

}  // namespace postrider::dispatch

#include "tests/memory/database.h"

#include <algorithm>
#include <utility>

namespace postrider::memory {

Database::Database(std::function<absl::Time()> now, std::function<uint64_t()> random,
                   absl::Duration idempotency_window)
    : now_(std::move(now)), random_(random), window_(idempotency_window), ulids_(random) {}

// ---------------------------------------------------------------- nodes

NodeRegistration Database::Register(const std::string& node_id) {
  NodeRegistration made;
  made.node_no = next_node_no_++;
  const StoredNode* last = nullptr;
  for (const auto& [node_no, node] : nodes_) {
    if (node.node_id != node_id) continue;
    made.previous.push_back(node_no);
    if (last == nullptr || node.epoch > last->epoch) last = &node;
  }
  made.epoch = last == nullptr ? 1 : last->epoch + 1;
  if (last != nullptr && !last->stopped) made.unclean_deaths = last->unclean_deaths + 1;
  nodes_[made.node_no] = {node_id, made.epoch, made.unclean_deaths, now_(), false, {}};
  return made;
}

absl::StatusOr<HeartbeatAnswer> Database::Heartbeat(int32_t node_no, const std::string& node_id,
                                                    int32_t epoch) {
  auto it = nodes_.find(node_no);
  if (it == nodes_.end()) {
    // Forgotten after a long silence: the same incarnation again.
    const bool followed = std::any_of(nodes_.begin(), nodes_.end(), [&](const auto& other) {
      return other.second.node_id == node_id && other.first > node_no;
    });
    if (followed) return absl::NotFoundError("a later incarnation took its place");
    it = nodes_.emplace(node_no, StoredNode{node_id, epoch, 0, now_(), false, {}}).first;
  }
  StoredNode& self = it->second;
  // A gap, or a clock that was set back.
  const absl::Duration gap = now_() - self.heartbeat_time;
  if (!self.steady_since || gap < absl::ZeroDuration() || gap > kLongestGap) {
    self.steady_since = now_();
  }
  self.heartbeat_time = now_();
  HeartbeatAnswer answer;
  answer.database_time = now_();
  for (const auto& [no, node] : nodes_) {
    answer.nodes.push_back({no, node.node_id, now_() - node.heartbeat_time, node.stopped,
                            node.heartbeat_time - node.steady_since.value_or(node.heartbeat_time)});
  }
  return answer;
}

void Database::MarkStopped(int32_t node_no) {
  const auto it = nodes_.find(node_no);
  if (it != nodes_.end()) it->second.stopped = true;
}

void Database::Forget(const std::vector<int32_t>& node_nos) {
  for (int32_t node_no : node_nos) {
    const auto it = nodes_.find(node_no);
    if (it == nodes_.end() || !leased_[node_no].empty()) continue;
    const absl::Duration silence = now_() - it->second.heartbeat_time;
    const bool followed = std::any_of(nodes_.begin(), nodes_.end(), [&](const auto& other) {
      return other.second.node_id == it->second.node_id && other.second.epoch > it->second.epoch;
    });
    if (silence > absl::Hours(24) || (silence > absl::Hours(1) && followed)) nodes_.erase(it);
  }
}

bool Database::CameBack(int32_t node_no) const {
  const auto it = nodes_.find(node_no);
  if (it == nodes_.end() || it->second.stopped) return false;
  const bool followed = std::any_of(nodes_.begin(), nodes_.end(), [&](const auto& other) {
    return other.second.node_id == it->second.node_id && other.second.epoch > it->second.epoch;
  });
  return !followed && now_() - it->second.heartbeat_time < absl::Seconds(8);
}

// ---------------------------------------------------------------- endpoints

std::vector<EndpointForDispatch> Database::Load(const std::vector<EndpointId>& ids) const {
  std::vector<EndpointForDispatch> loaded;
  for (EndpointId id : ids) {
    const auto it = endpoints_.find(id);
    if (it != endpoints_.end()) loaded.push_back({it->second.endpoint, it->second.secrets});
  }
  return loaded;
}

EndpointChanges Database::ChangesSince(int64_t position) const {
  // Positions count from 1: 0 asks for nothing but one. The last change comes once more, as if its
  // transaction had run beside this reading.
  EndpointChanges since;
  const auto size = static_cast<int64_t>(changes_.size());
  since.position = std::max<int64_t>(size, 1);
  for (int64_t i = position - 1; position > 0 && i < size; ++i) {
    const StoredChange& change = changes_[static_cast<size_t>(i)];
    since.changes.push_back({i + 1, change.endpoint_id, change.kind == ChangeKind::kCanceled});
  }
  return since;
}

absl::StatusOr<StoredEndpoint*> Database::Find(EndpointId id) {
  const auto it = endpoints_.find(id);
  if (it == endpoints_.end() || it->second.endpoint.state == EndpointState::kDeleted) {
    return absl::NotFoundError("no such endpoint");
  }
  return &it->second;
}

void Database::Note(EndpointId id, ChangeKind kind, DisabledReason reason) {
  Endpoint& endpoint = endpoints_.at(id).endpoint;
  ++endpoint.revision;
  endpoint.update_time = now_();
  changes_.push_back({id, kind, reason, endpoint.config, now_(), commit_no_});
}

void Database::NoteCanceled(EndpointId id) {
  changes_.push_back({id, ChangeKind::kCanceled, DisabledReason::kNone,
                      endpoints_.at(id).endpoint.config, now_(), commit_no_});
}

void Database::CreateEndpoint(Endpoint endpoint, EndpointSecret secret) {
  ++commit_no_;
  const EndpointId id = endpoint.id;
  endpoints_of_[endpoint.tenant].push_back(id);
  endpoint.create_time = now_();
  endpoints_[id] = {std::move(endpoint), {std::move(secret)}};
  Note(id, ChangeKind::kCreated);
}

absl::Status Database::UpdateEndpoint(EndpointId id,
                                      const std::function<void(EndpointConfig&)>& change) {
  absl::StatusOr<StoredEndpoint*> found = Find(id);
  if (!found.ok()) return found.status();
  ++commit_no_;
  change((*found)->endpoint.config);
  Note(id, ChangeKind::kUpdated);
  return absl::OkStatus();
}

absl::Status Database::EnableEndpoint(EndpointId id, bool discard_pending) {
  absl::StatusOr<StoredEndpoint*> found = Find(id);
  if (!found.ok()) return found.status();
  Endpoint& endpoint = (*found)->endpoint;
  if (endpoint.state == EndpointState::kEnabled) return absl::OkStatus();
  ++commit_no_;
  if (discard_pending) CancelOpen(id, StateReason::kCanceledByCaller);
  endpoint.state = EndpointState::kEnabled;
  endpoint.disabled_reason = DisabledReason::kNone;
  endpoint.disable_time.reset();
  endpoint.consecutive_failures = 0;
  Note(id, ChangeKind::kEnabled);
  return absl::OkStatus();
}

absl::Status Database::DisableEndpoint(EndpointId id) {
  absl::StatusOr<StoredEndpoint*> found = Find(id);
  if (!found.ok()) return found.status();
  Endpoint& endpoint = (*found)->endpoint;
  if (endpoint.state == EndpointState::kDisabled) return absl::OkStatus();
  ++commit_no_;
  endpoint.state = EndpointState::kDisabled;
  endpoint.disabled_reason = DisabledReason::kManual;
  endpoint.disable_time = now_();
  Note(id, ChangeKind::kDisabled, DisabledReason::kManual);
  return absl::OkStatus();
}

absl::Status Database::DeleteEndpoint(EndpointId id) {
  absl::StatusOr<StoredEndpoint*> found = Find(id);
  if (!found.ok()) return found.status();
  ++commit_no_;
  (*found)->endpoint.state = EndpointState::kDeleted;
  (*found)->secrets.clear();
  Note(id, ChangeKind::kDeleted);
  CancelOpen(id, StateReason::kEndpointDeleted);
  return absl::OkStatus();
}

// ---------------------------------------------------------------- what callers do to deliveries

void Database::CancelOpen(EndpointId id, StateReason reason) {
  const auto it = open_of_.find(id);
  if (it == open_of_.end()) return;
  const std::set<DeliveryId> open = it->second;
  if (std::any_of(open.begin(), open.end(),
                  [&](DeliveryId delivery) { return open_.at(delivery).lease_node != 0; })) {
    NoteCanceled(id);
  }
  for (DeliveryId delivery : open) {
    Close(delivery, DeliveryState::kCanceled, reason, now_(), true);
  }
}

absl::Status Database::Cancel(DeliveryId id) {
  if (const auto it = open_.find(id); it != open_.end()) {
    ++commit_no_;
    if (it->second.lease_node != 0) NoteCanceled(it->second.endpoint_id);
    Close(id, DeliveryState::kCanceled, StateReason::kCanceledByCaller, now_(), true);
    return absl::OkStatus();
  }
  const auto it = closed_.find(id);
  if (it == closed_.end()) return absl::NotFoundError("no such delivery");
  if (it->second.state == DeliveryState::kCanceled) return absl::OkStatus();
  return absl::FailedPreconditionError("this delivery has ended already");
}

absl::Status Database::Redeliver(DeliveryId id, DeliveryId new_id) {
  EventId event_id;
  EndpointId endpoint_id;
  if (const auto it = open_.find(id); it != open_.end()) {
    event_id = it->second.event_id;
    endpoint_id = it->second.endpoint_id;
  } else if (const auto closed = closed_.find(id); closed != closed_.end()) {
    event_id = closed->second.event_id;
    endpoint_id = closed->second.endpoint_id;
  } else {
    return absl::NotFoundError("no such delivery");
  }
  if (BodyOf(event_id) == nullptr || !Find(endpoint_id).ok()) {
    return absl::FailedPreconditionError("nothing can be sent again");
  }
  ++commit_no_;
  OpenDelivery& row = open_[new_id];
  row.event_id = event_id;
  row.endpoint_id = endpoint_id;
  row.origin = DeliveryOrigin::kRedelivery;
  row.create_time = now_();
  row.next_attempt_time = now_();
  open_of_[endpoint_id].insert(new_id);
  if (endpoints_.at(endpoint_id).endpoint.config.ordered) row.sequence = next_token_++ << 16;
  Index(new_id, row);
  return absl::OkStatus();
}

std::shared_ptr<const std::string> Database::BodyOf(EventId id) const {
  const auto it = events_.find(id);
  return it == events_.end() ? nullptr : it->second.body;
}

// ---------------------------------------------------------------- retention

void Database::DropExpired(const RetentionOptions& options, std::optional<DeliveryId> busy) {
  ++commit_no_;
  // Whole days go.
  const absl::Time oldest = now_() - options.retention;
  const absl::TimeZone utc = absl::UTCTimeZone();
  const absl::Time before = absl::FromCivil(absl::ToCivilDay(oldest, utc), utc);
  const auto expired = [&](const auto& id) { return id.ulid.time() < before; };
  std::set<DeliveryId> ending;
  std::set<EndpointId> leased_of;
  for (const auto& [id, row] : open_) {
    if (!expired(id) || id == busy) continue;
    ending.insert(id);
    if (row.lease_node != 0) leased_of.insert(row.endpoint_id);
  }
  for (EndpointId id : leased_of) NoteCanceled(id);
  for (DeliveryId id : ending) {
    Close(id, DeliveryState::kCanceled, StateReason::kExpired, now_(), true);
  }
  if (busy) return;
  absl::erase_if(events_, [&](const auto& event) { return expired(event.first); });
  absl::erase_if(closed_, [&](const auto& closed) { return expired(closed.first); });
  std::erase_if(attempts_, [&](const auto& row) { return expired(row.attempt.id); });
  attempts_of_.clear();
  for (size_t i = 0; i < attempts_.size(); ++i) {
    attempts_of_[attempts_[i].attempt.delivery_id].push_back(i);
  }
  if (options.payload_retention >= options.retention) return;
  for (auto& [id, event] : events_) {
    if (id.ulid.time() < now_() - options.payload_retention) event.body = nullptr;
  }
}

// ---------------------------------------------------------------- what is stored

std::vector<const StoredAttempt*> Database::AttemptsOf(DeliveryId id) const {
  std::vector<const StoredAttempt*> rows;
  const auto it = attempts_of_.find(id);
  if (it == attempts_of_.end()) return rows;
  for (size_t index : it->second) rows.push_back(&attempts_[index]);
  std::sort(rows.begin(), rows.end(), [](const StoredAttempt* a, const StoredAttempt* b) {
    return a->attempt.number < b->attempt.number;
  });
  return rows;
}

std::optional<absl::Time> Database::NextAttemptOf(DeliveryId id) const {
  const auto it = open_.find(id);
  if (it == open_.end() || it->second.lease_node != 0) return std::nullopt;
  const OpenDelivery& row = it->second;
  if (row.sequence && *HeadOf(row.endpoint_id) != id) return std::nullopt;
  return row.next_attempt_time;
}

}  // namespace postrider::memory

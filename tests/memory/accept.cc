// What accept_look.sql and accept_store.sql do.

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "storage/model/subscription.h"
#include "tests/memory/database.h"

namespace postrider::memory {

int64_t Database::Window() const {
  return static_cast<int64_t>(std::floor(absl::FDivDuration(now_() - absl::UnixEpoch(), window_)));
}

bool Database::YoungWindow() const {
  const absl::Duration since = now_() - absl::UnixEpoch() - window_ * Window();
  return since < std::min(absl::Minutes(1), window_ / 24);
}

const Database::KeyRow* Database::FindKey(const NewEvent& event) const {
  const int64_t window = Window();
  auto it = keys_.find({window, event.tenant, event.idempotency_key});
  if (it != keys_.end()) return &it->second;
  it = keys_.find({window - 1, event.tenant, event.idempotency_key});
  if (it == keys_.end()) return nullptr;
  return it->second.create_time > now_() - window_ || YoungWindow() ? &it->second : nullptr;
}

void Database::PutKey(const NewEvent& event, int32_t delivery_count) {
  const KeyRow row{event.id, event.create_time, delivery_count, event.content_digest,
                   event.given_event_time};
  keys_.emplace(Key{Window(), event.tenant, event.idempotency_key}, row);
  if (YoungWindow()) keys_.emplace(Key{Window() - 1, event.tenant, event.idempotency_key}, row);
}

std::vector<EndpointId> Database::Match(const NewEvent& event) const {
  std::vector<EndpointId> matching;
  const auto it = endpoints_of_.find(event.tenant);
  if (it == endpoints_of_.end()) return matching;
  for (EndpointId id : it->second) {
    const Endpoint& endpoint = endpoints_.at(id).endpoint;
    if (endpoint.state == EndpointState::kEnabled &&
        SubscriptionMatches(endpoint.config.events, event.type)) {
      matching.push_back(id);
    }
  }
  return matching;
}

absl::StatusOr<std::vector<AcceptResult>> Database::Accept(const std::vector<NewEvent>& events,
                                                           const std::vector<int32_t>& batches,
                                                           const FanOutLease& lease) {
  using Status = AcceptResult::Status;
  std::vector<AcceptResult> results(events.size());
  absl::flat_hash_set<int32_t> refused;
  for (size_t i = 0; i < events.size(); ++i) {
    const NewEvent& event = events[i];
    AcceptResult& result = results[i];
    result.event_id = event.id;
    result.create_time = event.create_time;
    const KeyRow* known = event.idempotency_key.empty() ? nullptr : FindKey(event);
    if (known == nullptr) continue;
    const bool same = known->content_digest == event.content_digest &&
                      (!known->given_event_time || !event.given_event_time ||
                       *known->given_event_time == *event.given_event_time);
    result.status = same ? Status::kDuplicate : Status::kConflict;
    result.event_id = known->event_id;
    result.create_time = known->create_time;
    result.delivery_count = known->delivery_count;
    if (!same) refused.insert(batches[i]);
  }
  int64_t fan_out = 0;
  for (size_t i = 0; i < events.size(); ++i) {
    if (results[i].status == Status::kAccepted && !refused.contains(batches[i])) {
      fan_out += static_cast<int64_t>(Match(events[i]).size());
    }
  }
  if (fan_out > kMaxFanOut) return absl::OutOfRangeError("too many deliveries");
  ++commit_no_;
  const int64_t token = -next_token_++;
  const std::set<EndpointId> congested(lease.congested.begin(), lease.congested.end());
  for (size_t i = 0; i < events.size(); ++i) {
    const NewEvent& event = events[i];
    AcceptResult& result = results[i];
    if (result.status != Status::kAccepted) continue;
    if (refused.contains(batches[i])) {
      result.status = Status::kRefused;
      continue;
    }
    const std::vector<EndpointId> endpoints = Match(event);
    result.delivery_count = static_cast<int32_t>(endpoints.size());
    if (!event.idempotency_key.empty()) PutKey(event, result.delivery_count);
    events_[event.id] = {event.tenant,      event.type, event.idempotency_key,
                         event.create_time, commit_no_, result.delivery_count,
                         event.body};
    for (EndpointId endpoint_id : endpoints) {
      const DeliveryId id{Ulid::RandomAt(event.id.ulid.time(), random_)};
      OpenDelivery& row = open_[id];
      row.event_id = event.id;
      row.endpoint_id = endpoint_id;
      row.create_time = event.create_time;
      row.lease_token = token;
      row.next_attempt_time = std::min(event.create_time, now_());
      open_of_[endpoint_id].insert(id);
      const bool ordered = endpoints_.at(endpoint_id).endpoint.config.ordered;
      if (ordered) row.sequence = -token << 16 | static_cast<int64_t>(i);
      const bool leased =
          lease.node_no != FanOutLease::kNobody && !ordered && !congested.contains(endpoint_id);
      if (leased) {
        row.lease_node = lease.node_no;
        row.lease_expire_time = now_() + lease.duration;
      }
      Index(id, row);
      result.deliveries.push_back({id, endpoint_id, token, leased});
    }
  }
  return results;
}

}  // namespace postrider::memory

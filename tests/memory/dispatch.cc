// What claim.sql, record.sql, record_late.sql, poison.sql, release.sql and take_over.sql do.

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "server/policy/endpoint_health.h"
#include "tests/memory/database.h"

namespace postrider::memory {
namespace {

// So many nodes in a row died while they had a delivery: it is claimed alone from then on, and
// given up after so many more.
constexpr int32_t kSuspectAfter = 2;
constexpr int32_t kPoisonedAfter = 3;

}  // namespace

void Database::Index(DeliveryId id, const OpenDelivery& row) {
  const bool waits = row.lease_node == 0;
  if (!waits) leased_[row.lease_node].insert(id);
  if (row.sequence) {
    ordered_[row.endpoint_id].insert({waits, *row.sequence, id});
  } else if (waits) {
    due_[row.endpoint_id].insert({row.next_attempt_time, id});
  }
}

void Database::Unindex(DeliveryId id, const OpenDelivery& row) {
  const bool waits = row.lease_node == 0;
  if (!waits) leased_[row.lease_node].erase(id);
  if (row.sequence) {
    ordered_[row.endpoint_id].erase({waits, *row.sequence, id});
  } else if (waits) {
    due_[row.endpoint_id].erase({row.next_attempt_time, id});
  }
}

const DeliveryId* Database::HeadOf(EndpointId id) const {
  const auto it = ordered_.find(id);
  return it == ordered_.end() || it->second.empty() ? nullptr : &std::get<2>(*it->second.begin());
}

void Database::Free(DeliveryId id, OpenDelivery& row, absl::Time next_attempt_time) {
  Unindex(id, row);
  row.lease_node = 0;
  row.next_attempt_time = next_attempt_time;
  Index(id, row);
}

void Database::Lease(DeliveryId id, OpenDelivery& row, int32_t node_no, int64_t token,
                     absl::Time expires) {
  Unindex(id, row);
  row.lease_node = node_no;
  row.lease_token = token;
  row.lease_expire_time = expires;
  Index(id, row);
}

OpenDelivery* Database::FindLeased(const LeaseRef& lease) {
  const auto it = open_.find(lease.id);
  if (it == open_.end() || it->second.lease_node == 0) return nullptr;
  return it->second.lease_token == lease.token ? &it->second : nullptr;
}

int64_t Database::Seize(DeliveryId id, int32_t node_no, absl::Duration lease) {
  const auto it = open_.find(id);
  if (it == open_.end()) return 0;
  OpenDelivery& row = it->second;
  if (row.lease_node == 0) Lease(id, row, node_no, next_token_++, now_() + lease);
  return row.lease_token;
}

ClosedDelivery& Database::Close(DeliveryId id, DeliveryState state, StateReason reason,
                                absl::Time complete_time, bool awaited) {
  const auto it = open_.find(id);
  const OpenDelivery& row = it->second;
  Unindex(id, row);
  open_of_[row.endpoint_id].erase(id);
  ClosedDelivery& closed = closed_[id];
  closed = {row.event_id,
            row.endpoint_id,
            row.origin,
            state,
            reason,
            row.attempt_count,
            row.create_time,
            complete_time,
            awaited && row.lease_node != 0 ? row.lease_token : 0,
            row.failure_count,
            row.sequence,
            now_()};
  open_.erase(it);
  return closed;
}

StoredAttempt& Database::Log(Attempt attempt) {
  attempts_of_[attempt.delivery_id].push_back(attempts_.size());
  attempts_.push_back({std::move(attempt), 0, commit_no_, std::nullopt, 0});
  return attempts_.back();
}

std::vector<DueEndpoint> Database::FindDue(EndpointId after, int32_t limit) const {
  std::map<EndpointId, absl::Time> next;
  for (auto it = due_.upper_bound(after); it != due_.end(); ++it) {
    if (!it->second.empty()) next[it->first] = it->second.begin()->first;
  }
  for (auto it = ordered_.upper_bound(after); it != ordered_.end(); ++it) {
    const DeliveryId* head = HeadOf(it->first);
    if (head == nullptr) continue;
    const OpenDelivery& row = open_.at(*head);
    absl::Time& first = next.try_emplace(it->first, absl::InfiniteFuture()).first->second;
    if (row.lease_node == 0) first = std::min(first, row.next_attempt_time);
  }
  std::vector<DueEndpoint> found;
  for (const auto& [id, time] : next) {
    if (static_cast<int32_t>(found.size()) >= limit) break;
    const bool enabled = endpoints_.at(id).endpoint.state == EndpointState::kEnabled;
    found.push_back({id, time, time <= now_() && enabled});
  }
  return found;
}

bool Database::HasSuspect(int32_t node_no) const {
  const auto it = leased_.find(node_no);
  return it != leased_.end() && std::any_of(it->second.begin(), it->second.end(), [&](auto id) {
           return open_.at(id).lost_claims >= kSuspectAfter;
         });
}

std::vector<ClaimedDelivery> Database::Claim(const std::vector<ClaimOrder>& orders, int32_t node_no,
                                             absl::Duration lease) {
  ++commit_no_;
  const int64_t token = next_token_++;
  std::vector<ClaimedDelivery> claimed;
  std::vector<DeliveryId> picked;
  bool suspects = HasSuspect(node_no);
  for (const ClaimOrder& order : orders) {
    int32_t count = 0;
    for (const auto& [time, id] : due_[order.endpoint_id]) {
      if (time > now_()) break;
      const bool suspect = open_.at(id).lost_claims >= kSuspectAfter;
      if (suspect ? suspects : count >= order.count) continue;
      suspects |= suspect;
      count += suspect ? 0 : 1;
      picked.push_back(id);
    }
    const DeliveryId* head = HeadOf(order.endpoint_id);
    if (head == nullptr || (order.ordered && count > 0)) continue;
    const OpenDelivery& row = open_.at(*head);
    const bool suspect = row.lost_claims >= kSuspectAfter;
    if (row.lease_node != 0 || row.next_attempt_time > now_() || (suspect && suspects)) continue;
    suspects |= suspect;
    picked.push_back(*head);
  }
  for (DeliveryId id : picked) {
    OpenDelivery& row = open_.at(id);
    Lease(id, row, node_no, token, now_() + lease);
    claimed.push_back({id, row.event_id, row.endpoint_id, row.origin, row.attempt_count,
                       row.failure_count, token, BodyOf(row.event_id), row.sequence.has_value()});
  }
  return claimed;
}

void Database::Release(const std::vector<LeaseRef>& leases) {
  ++commit_no_;
  for (const LeaseRef& lease : leases) {
    OpenDelivery* row = FindLeased(lease);
    if (row != nullptr) Free(lease.id, *row, row->next_attempt_time);
  }
}

void Database::ReleaseUntold(const std::vector<EventId>& events, int32_t node_no) {
  ++commit_no_;
  const std::set<EventId> untold(events.begin(), events.end());
  const std::set<DeliveryId> leased = leased_[node_no];
  for (DeliveryId id : leased) {
    OpenDelivery& row = open_.at(id);
    if (row.lease_token < 0 && untold.contains(row.event_id)) Free(id, row, row.next_attempt_time);
  }
}

void Database::Expire(const std::vector<LeaseRef>& leases) {
  ++commit_no_;
  for (const LeaseRef& lease : leases) {
    if (FindLeased(lease) == nullptr) continue;
    Close(lease.id, DeliveryState::kCanceled, StateReason::kExpired, now_(), false);
  }
}

absl::StatusOr<std::vector<EndpointCount>> Database::Record(
    const std::vector<OutcomeRecord>& outcomes, const std::vector<EndpointTally>& tallies) {
  std::set<DeliveryId> recorded;
  for (const OutcomeRecord& outcome : outcomes) {
    const DeliveryId id = outcome.attempt.delivery_id;
    if (FindLeased({id, outcome.lease_token}) == nullptr || !recorded.insert(id).second) {
      return absl::AbortedError("a lease was lost");
    }
  }
  ++commit_no_;
  for (const OutcomeRecord& outcome : outcomes) {
    const DeliveryId id = outcome.attempt.delivery_id;
    OpenDelivery& row = open_.at(id);
    Attempt attempt = outcome.attempt;
    attempt.number = ++row.attempt_count;
    attempt.origin = row.origin;
    if (outcome.state == DeliveryState::kPending) {
      row.failure_count += outcome.uses_retry ? 1 : 0;
      row.lost_claims = row.alone_deaths = 0;
      Free(id, row, outcome.next_attempt_time);
    } else {
      Close(id, outcome.state, outcome.state_reason, outcome.complete_time, false);
    }
    Log(std::move(attempt));
  }
  return Count(tallies);
}

std::vector<EndpointCount> Database::Count(const std::vector<EndpointTally>& tallies) {
  std::vector<EndpointCount> counts;
  for (const EndpointTally& tally : tallies) {
    if (const auto count = Count(tally)) counts.push_back(*count);
  }
  return counts;
}

std::optional<EndpointCount> Database::Count(const EndpointTally& tally) {
  const auto it = endpoints_.find(tally.endpoint_id);
  if (it == endpoints_.end()) return std::nullopt;
  Endpoint& endpoint = it->second.endpoint;
  if (endpoint.state != EndpointState::kEnabled) return std::nullopt;
  if (!tally.gone && tally.leading_failures == 0 && tally.longest_run == 0 &&
      tally.trailing_failures == 0 && endpoint.consecutive_failures == 0) {
    return std::nullopt;
  }
  const policy::Health health = policy::AfterBatch(
      endpoint.consecutive_failures,
      {tally.leading_failures, tally.longest_run, tally.trailing_failures, tally.has_success},
      tally.threshold);
  endpoint.consecutive_failures = health.consecutive_failures;
  if (!health.disable && !tally.gone) {
    return EndpointCount{endpoint.id, endpoint.consecutive_failures, DisabledReason::kNone};
  }
  endpoint.state = EndpointState::kDisabled;
  endpoint.disabled_reason =
      tally.gone ? DisabledReason::kGone : DisabledReason::kConsecutiveFailures;
  endpoint.disable_time = now_();
  Note(endpoint.id, ChangeKind::kDisabled, endpoint.disabled_reason);
  return EndpointCount{endpoint.id, endpoint.consecutive_failures, endpoint.disabled_reason};
}

std::vector<LeaseRef> Database::LeasesHeld(const std::vector<LeaseRef>& leases) const {
  std::vector<LeaseRef> held;
  for (const LeaseRef& lease : leases) {
    const auto it = open_.find(lease.id);
    if (it != open_.end() && it->second.lease_node != 0 && it->second.lease_token == lease.token) {
      held.push_back(lease);
    }
  }
  return held;
}

std::vector<LeaseRef> Database::LeasesAwaited(const std::vector<LeaseRef>& leases) const {
  std::vector<LeaseRef> awaited;
  for (const LeaseRef& lease : leases) {
    const auto closed = closed_.find(lease.id);
    bool found = closed != closed_.end() && closed->second.lease_token != 0 &&
                 closed->second.lease_token == lease.token;
    for (const StoredAttempt* row : AttemptsOf(lease.id)) {
      found |=
          row->lease_token == lease.token && row->attempt.outcome == AttemptOutcome::kAbandoned;
    }
    if (found) awaited.push_back(lease);
  }
  return awaited;
}

std::vector<EndpointCount> Database::RecordLate(const OutcomeRecord& outcome,
                                                const std::vector<EndpointTally>& tallies) {
  ++commit_no_;
  const DeliveryId id = outcome.attempt.delivery_id;
  Attempt told = outcome.attempt;
  if (const auto event = events_.find(told.event_id);
      event != events_.end() && event->second.body == nullptr) {
    // The answer can repeat what was erased.
    told.response_headers.clear();
    told.response_body.clear();
    told.response_body_truncated = true;
  }
  bool completed = false;
  if (const auto it = attempts_of_.find(id); it != attempts_of_.end()) {
    for (size_t index : it->second) {
      StoredAttempt& row = attempts_[index];
      if (row.attempt.outcome != AttemptOutcome::kAbandoned ||
          row.lease_token != outcome.lease_token) {
        continue;
      }
      Attempt attempt = told;
      attempt.id = row.attempt.id;
      attempt.number = row.attempt.number;
      attempt.origin = row.attempt.origin;
      row.attempt = std::move(attempt);
      row.lease_token = 0;
      completed = true;
    }
  }
  bool awaited = false;
  if (const auto it = closed_.find(id); it != closed_.end() && it->second.lease_token != 0 &&
                                        it->second.lease_token == outcome.lease_token) {
    awaited = true;
    it->second.lease_token = 0;
    Attempt attempt = told;
    attempt.number = ++it->second.attempt_count;
    attempt.origin = it->second.origin;
    Log(std::move(attempt));
  }
  if (completed && outcome.attempt.outcome == AttemptOutcome::kSucceeded && open_.contains(id)) {
    const OpenDelivery& row = open_.at(id);
    if (row.lease_node != 0) NoteCanceled(row.endpoint_id);
    Close(id, DeliveryState::kSucceeded, StateReason::kNone, outcome.complete_time, true);
  }
  return awaited ? Count(tallies) : std::vector<EndpointCount>{};
}

void Database::Poison(const OutcomeRecord& outcome) {
  ++commit_no_;
  const DeliveryId id = outcome.attempt.delivery_id;
  OpenDelivery* row = FindLeased({id, outcome.lease_token});
  if (row == nullptr) return;
  // With nothing of what the receiver sent.
  Attempt attempt;
  attempt.id = outcome.attempt.id;
  attempt.delivery_id = id;
  attempt.event_id = row->event_id;
  attempt.endpoint_id = row->endpoint_id;
  attempt.number = ++row->attempt_count;
  attempt.origin = row->origin;
  attempt.start_time = outcome.attempt.start_time;
  attempt.outcome = AttemptOutcome::kAbandoned;
  Close(id, DeliveryState::kFailed, StateReason::kPoisoned, now_(), false);
  Log(std::move(attempt));
}

void Database::AddTotals(const std::vector<EndpointTotal>& totals, int32_t node_no) {
  for (const EndpointTotal& total : totals) {
    totals_[{total.endpoint_id, total.hour, node_no, total.outcome, total.duration_bucket}] +=
        total.count;
  }
}

std::vector<FreedWork> Database::TakeOver(const std::vector<int32_t>& gone,
                                          const std::vector<int32_t>& live, int32_t limit,
                                          absl::Duration lease) {
  ++commit_no_;
  struct Lost {
    DeliveryId id;
    bool unclean = false;
  };
  std::vector<Lost> lost;
  for (int32_t node : gone) {
    if (CameBack(node)) continue;
    const auto row = nodes_.find(node);
    const bool unclean = row == nodes_.end() || !row->second.stopped;
    for (DeliveryId id : leased_[node]) {
      if (static_cast<int32_t>(lost.size()) < limit) lost.push_back({id, unclean});
    }
  }
  int32_t overdue = 0;
  for (int32_t node : live) {
    for (DeliveryId id : leased_[node]) {
      if (overdue < limit && open_.at(id).lease_expire_time < now_()) {
        lost.push_back({id, false});
        ++overdue;
      }
    }
  }
  std::map<EndpointId, FreedWork> freed;
  for (const auto& [id, unclean] : lost) {
    OpenDelivery& row = open_.at(id);
    Attempt attempt;
    attempt.id = AttemptId{ulids_.Next(now_())};
    attempt.delivery_id = id;
    attempt.event_id = row.event_id;
    attempt.endpoint_id = row.endpoint_id;
    attempt.number = ++row.attempt_count;
    attempt.origin = row.origin;
    attempt.start_time = std::min(now_(), row.lease_expire_time - lease);
    attempt.outcome = AttemptOutcome::kAbandoned;
    StoredAttempt& logged = Log(std::move(attempt));
    logged.lease_token = row.lease_token;
    logged.abandoned_time = now_();
    logged.abandoned_node = row.lease_node;
    FreedWork& work = freed[row.endpoint_id];
    work.endpoint_id = row.endpoint_id;
    const bool alone = unclean && row.lost_claims >= kSuspectAfter;
    if (alone && row.alone_deaths + 1 >= kPoisonedAfter) {
      ++work.poisoned;
      Close(id, DeliveryState::kFailed, StateReason::kPoisoned, now_(), false);
      continue;
    }
    row.lost_claims += unclean ? 1 : 0;
    row.alone_deaths += alone ? 1 : 0;
    Free(id, row, now_());
    ++work.count;
  }
  std::vector<FreedWork> work;
  for (const auto& [endpoint_id, freed_work] : freed) work.push_back(freed_work);
  return work;
}

}  // namespace postrider::memory

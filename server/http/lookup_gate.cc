#include "server/http/lookup_gate.h"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <utility>

namespace postrider::http {
namespace {

int Quarter(int max_lookups) { return std::max(1, max_lookups / 4); }

size_t IndexOf(auto standing) { return static_cast<size_t>(standing); }

}  // namespace

LookupGate::LookupGate(int max_lookups)
    : places_{max_lookups, std::max(1, max_lookups - Quarter(max_lookups)), Quarter(max_lookups)} {}

int LookupGate::CountFrom(Standing first, const Counts& counts) {
  return std::accumulate(counts.begin() + static_cast<int>(first), counts.end(), 0);
}

LookupGate::Standing LookupGate::StandingOf(const std::string& name, Instant now) const {
  const auto it = records_.find(name);
  if (it == records_.end() || it->second.until <= now) return Standing::kUnknown;
  return it->second.quick ? Standing::kQuick : Standing::kSlow;
}

bool LookupGate::HasPlace(Standing standing, const Counts& in_flight) const {
  for (const Standing limit : {Standing::kQuick, Standing::kUnknown, Standing::kSlow}) {
    if (limit <= standing && CountFrom(limit, in_flight) >= places_[IndexOf(limit)]) return false;
  }
  return true;
}

bool LookupGate::Begin(const std::string& name, Instant now) {
  const auto known = names_.find(name);
  if (known != names_.end() && known->second.looking_up) return false;
  const Standing standing = StandingOf(name, now);
  if (!HasPlace(standing, in_flight_)) return false;
  Name& state = names_[name];
  state.looking_up = true;
  state.standing = standing;
  state.begun = now;
  ++in_flight_[IndexOf(standing)];
  return true;
}

void LookupGate::Park(const std::string& name, Request request, Instant now) {
  Name& state = names_[name];
  if (!state.looking_up && state.parked.empty()) {
    waiting_for_place_[IndexOf(StandingOf(name, now))].push_back(name);
  }
  state.parked.push_back(std::move(request));
  ++parked_;
}

std::vector<Request> LookupGate::End(const std::string& name, Instant now) {
  const auto it = names_.find(name);
  std::vector<Request> parked = std::move(it->second.parked);
  --in_flight_[IndexOf(it->second.standing)];
  if (records_.size() >= kMaxRecords) records_.clear();
  records_.insert_or_assign(name, Record{now - it->second.begun <= kQuick, now + kRecordLife});
  names_.erase(it);
  return parked;
}

void LookupGate::Succeeded(const std::string& name, Instant now) {
  std::vector<Request> parked = End(name, now);
  runnable_.insert(runnable_.end(), std::make_move_iterator(parked.begin()),
                   std::make_move_iterator(parked.end()));
}

std::vector<Request> LookupGate::Failed(const std::string& name, Instant now) {
  std::vector<Request> parked = End(name, now);
  parked_ -= parked.size();
  return parked;
}

bool LookupGate::HasRunnable() const {
  if (!runnable_.empty()) return true;
  for (const Standing standing : {Standing::kQuick, Standing::kUnknown, Standing::kSlow}) {
    if (!waiting_for_place_[IndexOf(standing)].empty() && HasPlace(standing, in_flight_)) {
      return true;
    }
  }
  return false;
}

std::vector<Request> LookupGate::TakeRunnable() {
  std::vector<Request> runnable = std::exchange(runnable_, {});
  // As many names as there are places free: trying more would only park them again.
  Counts in_flight = in_flight_;
  for (const Standing standing : {Standing::kQuick, Standing::kUnknown, Standing::kSlow}) {
    std::deque<std::string>& waiting = waiting_for_place_[IndexOf(standing)];
    while (!waiting.empty() && HasPlace(standing, in_flight)) {
      const auto it = names_.find(waiting.front());
      waiting.pop_front();
      if (it == names_.end() || it->second.looking_up) continue;
      runnable.insert(runnable.end(), std::make_move_iterator(it->second.parked.begin()),
                      std::make_move_iterator(it->second.parked.end()));
      names_.erase(it);
      ++in_flight[IndexOf(standing)];
    }
  }
  parked_ -= runnable.size();
  return runnable;
}

std::vector<Request> LookupGate::TakeExpired(Instant now) {
  std::vector<Request> expired;
  for (auto& [name, state] : names_) {
    const auto first =
        std::stable_partition(state.parked.begin(), state.parked.end(),
                              [now](const Request& request) { return request.start_by > now; });
    expired.insert(expired.end(), std::make_move_iterator(first),
                   std::make_move_iterator(state.parked.end()));
    state.parked.erase(first, state.parked.end());
  }
  if (expired.empty()) return expired;
  absl::erase_if(names_, [](const auto& entry) {
    return entry.second.parked.empty() && !entry.second.looking_up;
  });
  for (std::deque<std::string>& waiting : waiting_for_place_) {
    waiting.erase(
        std::remove_if(waiting.begin(), waiting.end(),
                       [this](const std::string& name) { return !names_.contains(name); }),
        waiting.end());
  }
  parked_ -= expired.size();
  return expired;
}

std::vector<Request> LookupGate::TakeAll() {
  std::vector<Request> all = std::exchange(runnable_, {});
  for (auto& [name, state] : names_) {
    all.insert(all.end(), std::make_move_iterator(state.parked.begin()),
               std::make_move_iterator(state.parked.end()));
    state.parked.clear();
  }
  for (std::deque<std::string>& waiting : waiting_for_place_) waiting.clear();
  parked_ = 0;
  return all;
}

}  // namespace postrider::http

#include "server/http/lookup_gate.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace postrider::http {

LookupGate::LookupGate(int max_lookups) : max_lookups_(max_lookups) {}

bool LookupGate::Begin(const std::string& name) {
  if (in_flight_ >= max_lookups_) return false;
  Name& state = names_[name];
  if (state.looking_up) return false;
  state.looking_up = true;
  ++in_flight_;
  return true;
}

void LookupGate::Park(const std::string& name, Request request) {
  Name& state = names_[name];
  if (!state.looking_up && state.parked.empty()) waiting_for_slot_.push_back(name);
  state.parked.push_back(std::move(request));
  ++parked_;
}

std::vector<Request> LookupGate::End(const std::string& name) {
  const auto it = names_.find(name);
  std::vector<Request> parked = std::move(it->second.parked);
  names_.erase(it);
  --in_flight_;
  return parked;
}

void LookupGate::Succeeded(const std::string& name) {
  std::vector<Request> parked = End(name);
  runnable_.insert(runnable_.end(), std::make_move_iterator(parked.begin()),
                   std::make_move_iterator(parked.end()));
}

std::vector<Request> LookupGate::Failed(const std::string& name) {
  std::vector<Request> parked = End(name);
  parked_ -= parked.size();
  return parked;
}

std::vector<Request> LookupGate::TakeRunnable() {
  std::vector<Request> runnable = std::exchange(runnable_, {});
  // As many names as there are lookups free: trying more would only park them again.
  int free = max_lookups_ - in_flight_;
  while (free > 0 && !waiting_for_slot_.empty()) {
    const auto it = names_.find(waiting_for_slot_.front());
    waiting_for_slot_.pop_front();
    if (it == names_.end() || it->second.looking_up) continue;
    runnable.insert(runnable.end(), std::make_move_iterator(it->second.parked.begin()),
                    std::make_move_iterator(it->second.parked.end()));
    names_.erase(it);
    --free;
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
  waiting_for_slot_.erase(
      std::remove_if(waiting_for_slot_.begin(), waiting_for_slot_.end(),
                     [this](const std::string& name) { return !names_.contains(name); }),
      waiting_for_slot_.end());
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
  waiting_for_slot_.clear();
  parked_ = 0;
  return all;
}

}  // namespace postrider::http

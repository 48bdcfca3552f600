#include "server/http/start_queue.h"

#include <algorithm>
#include <iterator>

namespace postrider::http {

StartQueue::StartQueue(int max_total, int max_per_origin)
    : max_total_(max_total), max_per_origin_(max_per_origin) {}

StartQueue::Entry& StartQueue::Find(const std::string& origin) {
  return *origins_.try_emplace(origin).first;
}

void StartQueue::MakeReady(Entry& entry) {
  Origin& origin = entry.second;
  if (origin.ready || origin.waiting.empty() || origin.places >= max_per_origin_) return;
  origin.ready = true;
  ready_.push_back(&entry);
}

void StartQueue::Add(Request request) {
  Entry& entry = Find(request.url.origin());
  entry.second.waiting.push_back(std::move(request));
  ++waiting_;
  MakeReady(entry);
}

std::optional<Request> StartQueue::Next() {
  if (!HasNext()) return std::nullopt;
  Entry& entry = *ready_.front();
  ready_.pop_front();
  Origin& origin = entry.second;
  origin.ready = false;
  Request request = std::move(origin.waiting.front());
  origin.waiting.pop_front();
  --waiting_;
  ++origin.places;
  ++running_;
  MakeReady(entry);
  return request;
}

void StartQueue::FreePlace(const std::string& origin) {
  const auto it = origins_.find(origin);
  Origin& state = it->second;
  --state.places;
  MakeReady(*it);
  if (state.places == 0 && state.waiting.empty()) origins_.erase(it);
}

void StartQueue::Done(const std::string& origin) {
  --running_;
  FreePlace(origin);
}

void StartQueue::SetAside() { --running_; }

void StartQueue::Return(Request request) {
  Entry& entry = Find(request.url.origin());
  --entry.second.places;
  entry.second.waiting.push_front(std::move(request));
  ++waiting_;
  MakeReady(entry);
}

void StartQueue::Drop(const std::string& origin) { FreePlace(origin); }

std::list<Request> StartQueue::TakeExpired(Instant now) {
  std::list<Request> expired;
  for (auto& [name, origin] : origins_) {
    for (auto it = origin.waiting.begin(); it != origin.waiting.end();) {
      const auto next = std::next(it);
      if (it->start_by <= now) expired.splice(expired.end(), origin.waiting, it);
      it = next;
    }
  }
  waiting_ -= expired.size();
  const auto idle = std::remove_if(ready_.begin(), ready_.end(),
                                   [](Entry* entry) { return entry->second.waiting.empty(); });
  ready_.erase(idle, ready_.end());
  for (auto it = origins_.begin(); it != origins_.end();) {
    Origin& origin = it->second;
    if (origin.waiting.empty()) origin.ready = false;
    if (origin.waiting.empty() && origin.places == 0) {
      origins_.erase(it++);
    } else {
      ++it;
    }
  }
  return expired;
}

std::list<Request> StartQueue::TakeAll() {
  std::list<Request> all;
  for (auto it = origins_.begin(); it != origins_.end();) {
    Origin& origin = it->second;
    origin.ready = false;
    all.splice(all.end(), origin.waiting);
    if (origin.places == 0) {
      origins_.erase(it++);
    } else {
      ++it;
    }
  }
  ready_.clear();
  waiting_ = 0;
  return all;
}

}  // namespace postrider::http

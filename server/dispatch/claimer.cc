#include "server/dispatch/claimer.h"

#include <algorithm>
#include <utility>

#include "server/observe/log.h"

namespace postrider::dispatch {
namespace {

constexpr size_t kOrdersAtOnce = 256;
// A claim of more would hold up what else PostgreSQL does, and then all of it begins at once.
constexpr int kDeliveriesAtOnce = 500;
constexpr size_t kReleasesAtOnce = 1000;
constexpr int32_t kDuePage = 1000;
constexpr int32_t kTakeOverAtOnce = 1000;
constexpr absl::Duration kLongestBackoff = absl::Seconds(2);
// Events whose answer was lost, beyond which their leases run out by themselves.
constexpr size_t kMaxUntold = 10000;
constexpr absl::Duration kLongestUntoldWait = absl::Seconds(4);

void LogAway(const absl::Status& status) {
  POSTRIDER_LOG_RARELY(observe::Severity::kWarning, "cannot look for due deliveries",
                       {{"error", std::string(status.message())}});
}

}  // namespace

Claimer::Claimer(std::unique_ptr<DispatchStore> store, const ClaimOptions& options, Outputs outputs,
                 const DatabaseClock& clock)
    : store_(std::move(store)),
      options_(options),
      outputs_(std::move(outputs)),
      clock_(clock),
      backoff_(options.poll) {}

Instant Claimer::Step(std::vector<Input> inputs) {
  std::vector<ClaimOrder> orders;
  for (Input& input : inputs) {
    orders.insert(orders.end(), input.orders.begin(), input.orders.end());
    releases_.insert(releases_.end(), input.releases.begin(), input.releases.end());
    if (!input.untold.empty()) NoteUntold(std::move(input.untold));
    if (input.liveness) liveness_ = *std::move(input.liveness);
  }
  bool reached = ReleaseAll();
  reached = ClaimAll(std::move(orders)) && reached;
  if (clock_.Monotonic() >= next_poll_) {
    absl::Duration wait = options_.poll;
    reached = ReleaseUntoldDue() && TakeOver() && FindDue(wait) && reached;
    backoff_ = reached ? options_.poll : std::min(2 * backoff_, kLongestBackoff);
    next_poll_ = clock_.Monotonic() + (reached ? wait : backoff_);
  }
  return next_poll_;
}

bool Claimer::ReleaseAll() {
  for (size_t from = 0; from < releases_.size(); from += kReleasesAtOnce) {
    const size_t to = std::min(releases_.size(), from + kReleasesAtOnce);
    const absl::Status status = store_->Release(
        {releases_.begin() + static_cast<long>(from), releases_.begin() + static_cast<long>(to)});
    if (!status.ok()) {
      LogAway(status);
      return false;
    }
  }
  releases_.clear();
  return true;
}

void Claimer::NoteUntold(std::vector<EventId> events) {
  if (untold_events_ + events.size() > kMaxUntold) {
    POSTRIDER_LOG_RARELY(
        observe::Severity::kWarning,
        "the answers of many transactions were lost: what they leased goes on when "
        "its lease ends",
        {{"events", std::to_string(events.size())}});
    return;
  }
  const Instant now = clock_.Monotonic();
  untold_events_ += events.size();
  untold_.push_back({std::move(events), now + options_.lease, now, options_.poll});
}

bool Claimer::ReleaseUntoldDue() {
  const Instant now = clock_.Monotonic();
  std::erase_if(untold_, [&](const Untold& untold) {
    if (now < untold.until) return false;
    untold_events_ -= untold.events.size();
    return true;
  });
  for (Untold& untold : untold_) {
    if (now < untold.next_try) continue;
    const absl::Status status = store_->ReleaseUntold(untold.events, options_.node_no);
    if (!status.ok()) {
      LogAway(status);
      return false;
    }
    untold.next_try = now + untold.wait;
    untold.wait = std::min(2 * untold.wait, kLongestUntoldWait);
  }
  return true;
}

void Claimer::ReleaseUntold() {
  for (Untold& untold : untold_) untold.next_try = -absl::InfiniteDuration();
  (void)ReleaseUntoldDue();
}

bool Claimer::ClaimAll(std::vector<ClaimOrder> orders) {
  size_t from = 0;
  while (from < orders.size()) {
    std::vector<ClaimOrder> part;
    int count = 0;
    for (; from < orders.size() && part.size() < kOrdersAtOnce && count < kDeliveriesAtOnce;
         ++from) {
      part.push_back(orders[from]);
      count += orders[from].count;
    }
    const Instant leased_at = clock_.Monotonic();
    absl::StatusOr<std::vector<ClaimedDelivery>> claimed =
        store_->Claim(part, options_.node_no, options_.lease);
    if (!claimed.ok()) {
      LogAway(claimed.status());
      part.insert(part.end(), orders.begin() + static_cast<long>(from), orders.end());
      outputs_.failed(std::move(part));
      return false;
    }
    std::vector<WorkItem> items;
    items.reserve(claimed->size());
    std::vector<LeaseRef> without_payload;
    std::vector<EndpointId> emptied;  // whose next ones can be claimed when those are gone
    for (ClaimedDelivery& delivery : *claimed) {
      if (delivery.body == nullptr) {
        without_payload.push_back({delivery.id, delivery.lease_token});
        emptied.push_back(delivery.endpoint_id);
        continue;
      }
      items.push_back({delivery.id, delivery.event_id, delivery.endpoint_id, delivery.origin,
                       delivery.attempt_count, delivery.failure_count, delivery.lease_token,
                       std::move(delivery.body), leased_at, leased_at + options_.hold,
                       delivery.in_order});
    }
    outputs_.claimed(std::move(part), std::move(items));
    if (without_payload.empty()) continue;
    if (absl::Status status = store_->Expire(without_payload); !status.ok()) {
      LogAway(status);
    } else {
      outputs_.due(std::move(emptied));
    }
  }
  return true;
}

bool Claimer::FindDue(absl::Duration& wait) {
  EndpointId after;
  for (;;) {
    absl::StatusOr<std::vector<DueEndpoint>> found = store_->FindDue(after, kDuePage);
    if (!found.ok()) {
      LogAway(found.status());
      return false;
    }
    const absl::Time now = clock_.Now();
    std::vector<EndpointId> due;
    for (const DueEndpoint& endpoint : *found) {
      if (endpoint.due) {
        due.push_back(endpoint.id);
      } else if (endpoint.next_attempt_time > now) {
        // So that a retry starts at its time and not at the next poll.
        wait = std::min(wait, endpoint.next_attempt_time - now + absl::Milliseconds(1));
      }
    }
    if (!due.empty()) outputs_.due(std::move(due));
    if (static_cast<int32_t>(found->size()) < kDuePage) return true;
    after = found->back().id;
  }
}

bool Claimer::TakeOver() {
  if (liveness_.gone.empty() && liveness_.live.empty()) return true;
  for (;;) {
    absl::StatusOr<std::vector<FreedWork>> freed =
        store_->TakeOver(liveness_.gone, liveness_.live, kTakeOverAtOnce, options_.lease);
    if (!freed.ok()) {
      LogAway(freed.status());
      return false;
    }
    int count = 0;
    for (const FreedWork& work : *freed) {
      count += work.count + work.poisoned;
      if (work.poisoned == 0) continue;
      observe::Log(
          observe::Severity::kError,
          "deliveries were with servers that died, again and again: they have failed",
          {{"endpoint_id", work.endpoint_id.ToText()}, {"count", std::to_string(work.poisoned)}});
    }
    if (count == 0) return true;
    observe::Log(observe::Severity::kWarning, "took over deliveries of nodes that are gone",
                 {{"count", std::to_string(count)}});
  }
}

}  // namespace postrider::dispatch

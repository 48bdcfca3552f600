#include "server/dispatch/claimer.h"

#include <algorithm>
#include <utility>

#include "server/observe/log.h"

namespace postrider::dispatch {
namespace {

constexpr size_t kOrdersAtOnce = 256;
constexpr int kDeliveriesAtOnce = 2000;
constexpr size_t kReleasesAtOnce = 1000;
constexpr int32_t kDuePage = 1000;
constexpr int32_t kTakeOverAtOnce = 1000;
constexpr absl::Duration kLongestBackoff = absl::Seconds(2);

void LogAway(const absl::Status& status) {
  POSTRIDER_LOG_RARELY(observe::Severity::kWarning, "cannot look for due deliveries",
                       {{"error", std::string(status.message())}});
}

}  // namespace

Claimer::Claimer(std::unique_ptr<DispatchStore> store, const ClaimOptions& options, Outputs outputs,
                 const DatabaseClock& clock)
    : store_(std::move(store)), options_(options), outputs_(std::move(outputs)), clock_(clock) {}

void Claimer::Start() {
  thread_ = NamedThread("claim", [this] { Run(); });
}

void Claimer::Stop() {
  inbox_.Close();
  thread_.Join();
}

void Claimer::Order(std::vector<ClaimOrder> orders) { inbox_.Put({std::move(orders), {}}); }

void Claimer::Release(std::vector<LeaseRef> leases) { inbox_.Put({{}, std::move(leases)}); }

void Claimer::SetLiveness(Liveness liveness) {
  absl::MutexLock lock(&mutex_);
  liveness_ = std::move(liveness);
}

void Claimer::Run() {
  std::vector<Job> jobs;
  std::vector<LeaseRef> releases;  // kept over an outage
  absl::Duration backoff = options_.poll;
  Instant next_poll = MonotonicNow();
  while (inbox_.Take(std::max(absl::ZeroDuration(), next_poll - MonotonicNow()), jobs)) {
    std::vector<ClaimOrder> orders;
    for (Job& job : jobs) {
      orders.insert(orders.end(), job.orders.begin(), job.orders.end());
      releases.insert(releases.end(), job.releases.begin(), job.releases.end());
    }
    bool reached = ReleaseAll(releases);
    if (reached) releases.clear();
    reached = ClaimAll(std::move(orders)) && reached;
    if (MonotonicNow() >= next_poll) {
      absl::Duration wait = options_.poll;
      reached = TakeOver() && FindDue(wait) && reached;
      backoff = reached ? options_.poll : std::min(2 * backoff, kLongestBackoff);
      next_poll = MonotonicNow() + (reached ? wait : backoff);
    }
  }
}

bool Claimer::ReleaseAll(const std::vector<LeaseRef>& leases) {
  for (size_t from = 0; from < leases.size(); from += kReleasesAtOnce) {
    const size_t to = std::min(leases.size(), from + kReleasesAtOnce);
    const absl::Status status = store_->Release(
        {leases.begin() + static_cast<long>(from), leases.begin() + static_cast<long>(to)});
    if (!status.ok()) {
      LogAway(status);
      return false;
    }
  }
  return true;
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
    const Instant hold_until = MonotonicNow() + options_.hold;
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
    for (ClaimedDelivery& delivery : *claimed) {
      if (delivery.body == nullptr) {
        without_payload.push_back({delivery.id, delivery.lease_token});
        continue;
      }
      items.push_back({delivery.id, delivery.event_id, delivery.endpoint_id, delivery.origin,
                       delivery.attempt_count, delivery.failure_count, delivery.lease_token,
                       std::move(delivery.body), hold_until});
    }
    outputs_.claimed(std::move(part), std::move(items));
    if (!without_payload.empty()) {
      if (absl::Status status = store_->Expire(without_payload); !status.ok()) LogAway(status);
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
  Liveness liveness;
  {
    absl::MutexLock lock(&mutex_);
    liveness = liveness_;
  }
  if (liveness.gone.empty() && liveness.live.empty()) return true;
  for (;;) {
    absl::StatusOr<std::vector<FreedWork>> freed =
        store_->TakeOver(liveness.gone, liveness.live, kTakeOverAtOnce, options_.lease);
    if (!freed.ok()) {
      LogAway(freed.status());
      return false;
    }
    int count = 0;
    for (const FreedWork& work : *freed) count += work.count;
    if (count == 0) return true;
    observe::Log(observe::Severity::kWarning, "took over deliveries of nodes that are gone",
                 {{"count", std::to_string(count)}});
  }
}

}  // namespace postrider::dispatch

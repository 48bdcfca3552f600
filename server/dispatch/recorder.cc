#include "server/dispatch/recorder.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "server/observe/log.h"
#include "server/policy/endpoint_health.h"

namespace postrider::dispatch {
namespace {

constexpr char kNotStored[] = "what the receiver sent could not be stored";

std::vector<OutcomeRecord> RecordsOf(const std::vector<FinishedAttempt>& batch) {
  std::vector<OutcomeRecord> records;
  records.reserve(batch.size());
  for (const FinishedAttempt& attempt : batch) records.push_back(attempt.record);
  return records;
}

// The endpoints of those that go in order: of an endpoint there is hardly more than one.
std::vector<EndpointId> InOrder(const std::vector<FinishedAttempt>& batch) {
  std::vector<EndpointId> endpoints;
  for (const FinishedAttempt& finished : batch) {
    if (finished.in_order) endpoints.push_back(finished.record.attempt.endpoint_id);
  }
  return endpoints;
}

using Leases = absl::flat_hash_set<std::pair<DeliveryId, int64_t>>;

Leases SetOf(const std::vector<LeaseRef>& leases) {
  Leases set;
  for (const LeaseRef& lease : leases) set.emplace(lease.id, lease.token);
  return set;
}

LeaseRef LeaseOf(const FinishedAttempt& attempt) {
  return {attempt.record.attempt.delivery_id, attempt.record.lease_token};
}

// Whether the same may work later. Everything else is refused for good.
bool IsAway(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) ||
         absl::IsAborted(status) || absl::IsResourceExhausted(status);
}

}  // namespace

std::vector<EndpointTally> TalliesOf(const std::vector<FinishedAttempt>& batch) {
  struct Ended {
    std::vector<AttemptOutcome> outcomes;
    int threshold = 0;
    bool gone = false;
  };
  // A failure that waited for its verdict comes in behind what ended later.
  std::vector<const FinishedAttempt*> by_end;
  for (const FinishedAttempt& attempt : batch) by_end.push_back(&attempt);
  std::stable_sort(by_end.begin(), by_end.end(), [](const auto* a, const auto* b) {
    return a->record.complete_time < b->record.complete_time;
  });
  std::map<EndpointId, Ended> endpoints;
  for (const FinishedAttempt* finished : by_end) {
    const FinishedAttempt& attempt = *finished;
    if (!attempt.counts || attempt.record.attempt.origin == DeliveryOrigin::kTest) continue;
    Ended& ended = endpoints[attempt.record.attempt.endpoint_id];
    ended.outcomes.push_back(attempt.record.attempt.outcome);
    ended.threshold = attempt.disable_threshold;
    ended.gone |= attempt.disables_endpoint;
  }
  std::vector<EndpointTally> tallies;
  for (const auto& [id, ended] : endpoints) {
    const policy::Tally tally = policy::TallyOf(ended.outcomes);
    tallies.push_back({id, tally.leading_failures, tally.longest_run, tally.trailing_failures,
                       tally.has_success, ended.threshold, ended.gone});
  }
  return tallies;
}

Recorder::Recorder(std::unique_ptr<DispatchStore> store, int32_t node_no, OnRecorded on_recorded,
                   const DatabaseClock& clock)
    : store_(std::move(store)),
      node_no_(node_no),
      on_recorded_(std::move(on_recorded)),
      clock_(clock),
      totals_due_(clock.Monotonic() + kTotalsInterval) {}

Instant Recorder::Step(std::vector<FinishedAttempt> attempts) {
  totals_.Add(attempts);
  for (FinishedAttempt& attempt : attempts) waiting_.push_back(std::move(attempt));
  while (!waiting_.empty() && clock_.Monotonic() >= retry_at_) StoreNext();
  if (!waiting_.empty()) return retry_at_;
  if (clock_.Monotonic() >= totals_due_ || totals_.size() >= kMaxTotals) WriteTotals();
  return totals_.empty() ? absl::InfiniteDuration() : totals_due_;
}

void Recorder::WriteTotals() {
  totals_due_ = clock_.Monotonic() + kTotalsInterval;
  if (totals_.empty()) return;
  const absl::Status status = store_->AddTotals(totals_.Take(), node_no_);
  if (!status.ok()) {
    POSTRIDER_LOG_RARELY(observe::Severity::kWarning, "some counts for statistics were lost",
                         {{"error", std::string(status.message())}});
  }
}

void Recorder::StoreNext() {
  const size_t size = std::min(batch_size_, waiting_.size());
  const auto end = waiting_.begin() + static_cast<long>(size);
  std::vector<FinishedAttempt> batch(std::make_move_iterator(waiting_.begin()),
                                     std::make_move_iterator(end));
  waiting_.erase(waiting_.begin(), end);
  Recorded recorded;
  recorded.in_order = InOrder(batch);
  const absl::Status status = Store(batch, recorded.counts);
  if (status.ok()) {
    batch_size_ = std::min(kMaxBatch, 2 * batch_size_);
    backoff_ = kFirstBackoff;
  } else if (IsAway(status)) {
    WaitForDatabase(status);
  } else if (batch.size() > 1) {
    batch_size_ = batch.size() / 2;
  } else {
    const absl::Status given_up = GiveUp(batch[0], status);
    if (IsAway(given_up)) {
      WaitForDatabase(given_up);
    } else if (!absl::IsFailedPrecondition(given_up)) {
      batch.clear();
    }
  }
  recorded.count = static_cast<int>(size - batch.size());
  if (!recorded.in_order.empty()) {
    for (EndpointId id : InOrder(batch)) {
      recorded.in_order.erase(std::find(recorded.in_order.begin(), recorded.in_order.end(), id));
    }
  }
  waiting_.insert(waiting_.begin(), std::make_move_iterator(batch.begin()),
                  std::make_move_iterator(batch.end()));
  if (recorded.count > 0) on_recorded_(std::move(recorded));
}

void Recorder::WaitForDatabase(const absl::Status& status) {
  POSTRIDER_LOG_RARELY(observe::Severity::kWarning, "outcomes wait to be stored",
                       {{"error", std::string(status.message())}});
  retry_at_ = clock_.Monotonic() + backoff_;
  backoff_ = std::min(2 * backoff_, kLongestBackoff);
}

absl::Status Recorder::GiveUp(FinishedAttempt& finished, const absl::Status& status) {
  Attempt& attempt = finished.record.attempt;
  const bool bare = attempt.response_headers.empty() && attempt.response_body.empty() &&
                    attempt.error == kNotStored;
  const absl::Status given_up =
      bare ? store_->Poison(finished.record) : absl::FailedPreconditionError("not bare yet");
  if (IsAway(given_up)) return given_up;
  observe::Log(observe::Severity::kError,
               !bare ? "an outcome is stored without what the receiver sent"
               : given_up.ok()
                   ? "an outcome cannot be stored: its delivery has failed"
                   : "an outcome cannot be stored and is given up: its attempt will be ABANDONED",
               {{"delivery_id", attempt.delivery_id.ToText()},
                {"attempt", std::to_string(attempt.number)},
                {"error", std::string(status.message())}});
  attempt.response_headers.clear();
  attempt.response_body.clear();
  attempt.error = kNotStored;
  return given_up;
}

absl::Status Recorder::Store(std::vector<FinishedAttempt>& batch,
                             std::vector<EndpointCount>& counts) {
  if (unsure_) return StoreApart(batch, counts);
  const absl::Status status = StoreTogether(batch, counts);
  return absl::IsAborted(status) ? StoreApart(batch, counts) : status;
}

absl::Status Recorder::StoreTogether(std::vector<FinishedAttempt>& batch,
                                     std::vector<EndpointCount>& counts) {
  absl::StatusOr<std::vector<EndpointCount>> stored =
      store_->Record(RecordsOf(batch), TalliesOf(batch));
  unsure_ = absl::IsUnavailable(stored.status()) || absl::IsDeadlineExceeded(stored.status());
  if (!stored.ok()) return stored.status();
  counts.insert(counts.end(), stored->begin(), stored->end());
  batch.clear();
  return absl::OkStatus();
}

absl::Status Recorder::StoreApart(std::vector<FinishedAttempt>& batch,
                                  std::vector<EndpointCount>& counts) {
  std::vector<LeaseRef> leases;
  for (const FinishedAttempt& attempt : batch) leases.push_back(LeaseOf(attempt));
  const absl::StatusOr<std::vector<LeaseRef>> held = store_->LeasesHeld(leases);
  if (!held.ok()) return held.status();
  // It answers: what goes wrong from here on is tried again soon.
  backoff_ = kFirstBackoff;
  const Leases current = SetOf(*held);
  std::erase_if(leases, [&](const LeaseRef& lease) {
    return current.contains({lease.id, lease.token});
  });
  Leases awaited;
  if (!leases.empty()) {
    const absl::StatusOr<std::vector<LeaseRef>> found = store_->LeasesAwaited(leases);
    if (!found.ok()) return found.status();
    awaited = SetOf(*found);
  }

  // Late ones first, and each is struck off when it is done: a failure in the middle is taken up
  // again behind it.
  std::vector<FinishedAttempt> rest;
  while (!batch.empty()) {
    FinishedAttempt& attempt = batch.back();
    const LeaseRef lease = LeaseOf(attempt);
    if (current.contains({lease.id, lease.token})) {
      rest.push_back(std::move(attempt));
    } else if (awaited.contains({lease.id, lease.token})) {
      absl::StatusOr<std::vector<EndpointCount>> late =
          store_->RecordLate(attempt.record, TalliesOf({attempt}));
      if (!late.ok()) {
        batch.insert(batch.end(), std::make_move_iterator(rest.rbegin()),
                     std::make_move_iterator(rest.rend()));
        return late.status();
      }
      counts.insert(counts.end(), late->begin(), late->end());
    }
    batch.pop_back();
  }
  std::reverse(rest.begin(), rest.end());
  batch = std::move(rest);
  unsure_ = false;
  return batch.empty() ? absl::OkStatus() : StoreTogether(batch, counts);
}

}  // namespace postrider::dispatch

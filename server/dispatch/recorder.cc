#include "server/dispatch/recorder.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "server/observe/log.h"
#include "server/policy/endpoint_health.h"

namespace postrider::dispatch {
namespace {

constexpr absl::Duration kFirstBackoff = absl::Milliseconds(50);
constexpr absl::Duration kLongestBackoff = absl::Seconds(2);

std::vector<OutcomeRecord> RecordsOf(const std::vector<FinishedAttempt>& batch) {
  std::vector<OutcomeRecord> records;
  records.reserve(batch.size());
  for (const FinishedAttempt& attempt : batch) records.push_back(attempt.record);
  return records;
}

}  // namespace

std::vector<EndpointTally> TalliesOf(const std::vector<FinishedAttempt>& batch) {
  struct Ended {
    std::vector<AttemptOutcome> outcomes;
    int threshold = 0;
    bool gone = false;
  };
  std::map<EndpointId, Ended> endpoints;
  for (const FinishedAttempt& attempt : batch) {
    if (attempt.record.attempt.origin == DeliveryOrigin::kTest) continue;
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

void Recorder::Start() {
  thread_ = NamedThread("record", [this] { Run(); });
}

void Recorder::Stop() {
  stop_.Stop();
  inbox_.Close();
  thread_.Join();
}

void Recorder::Run() {
  std::vector<FinishedAttempt> taken;
  totals_due_ = MonotonicNow() + kTotalsInterval;
  while (inbox_.Take(totals_.empty() ? absl::InfiniteDuration()
                                     : std::max(absl::ZeroDuration(), totals_due_ - MonotonicNow()),
                     taken)) {
    for (size_t from = 0; from < taken.size(); from += kMaxBatch) {
      const size_t to = std::min(taken.size(), from + kMaxBatch);
      std::vector<FinishedAttempt> batch(
          std::make_move_iterator(taken.begin() + static_cast<long>(from)),
          std::make_move_iterator(taken.begin() + static_cast<long>(to)));
      totals_.Add(batch);
      Store(std::move(batch));
    }
    if (MonotonicNow() >= totals_due_ || totals_.size() >= kMaxTotals) WriteTotals();
  }
  WriteTotals();
}

void Recorder::WriteTotals() {
  totals_due_ = MonotonicNow() + kTotalsInterval;
  if (totals_.empty()) return;
  const absl::Status status = store_->AddTotals(totals_.Take(), node_no_);
  if (!status.ok()) {
    POSTRIDER_LOG_RARELY(observe::Severity::kWarning, "some counts for statistics were lost",
                         {{"error", std::string(status.message())}});
  }
}

void Recorder::Store(std::vector<FinishedAttempt> batch) {
  const int count = static_cast<int>(batch.size());
  std::vector<DisabledEndpoint> disabled;
  absl::Duration backoff = kFirstBackoff;
  for (;;) {
    absl::StatusOr<std::vector<DisabledEndpoint>> stored =
        store_->Record(RecordsOf(batch), TalliesOf(batch));
    absl::Status status = stored.status();
    if (stored.ok()) {
      disabled.insert(disabled.end(), stored->begin(), stored->end());
      break;
    }
    // A lost lease, and also what a commit with an unknown outcome looks like when it is tried
    // again.
    if (absl::IsAborted(status)) status = StoreApart(batch, disabled);
    if (status.ok()) break;
    if (absl::IsInternal(status)) {
      // Those that were sorted out as late are done with.
      on_recorded_(count - static_cast<int>(batch.size()), std::move(disabled));
      StoreInParts(std::move(batch), status);
      return;
    }
    POSTRIDER_LOG_RARELY(observe::Severity::kWarning, "outcomes wait to be stored",
                         {{"error", std::string(status.message())}});
    if (!stop_.WaitFor(backoff)) return;
    backoff = std::min(2 * backoff, kLongestBackoff);
  }
  on_recorded_(count, std::move(disabled));
}

void Recorder::StoreInParts(std::vector<FinishedAttempt> batch, const absl::Status& status) {
  if (batch.size() == 1) {
    const Attempt& attempt = batch[0].record.attempt;
    observe::Log(observe::Severity::kError, "an outcome cannot be stored and is given up",
                 {{"delivery_id", attempt.delivery_id.ToText()},
                  {"attempt", std::to_string(attempt.number)},
                  {"error", std::string(status.message())}});
    on_recorded_(1, {});
    return;
  }
  const auto middle = batch.begin() + static_cast<long>(batch.size() / 2);
  std::vector<FinishedAttempt> second(std::make_move_iterator(middle),
                                      std::make_move_iterator(batch.end()));
  batch.erase(middle, batch.end());
  Store(std::move(batch));
  Store(std::move(second));
}

absl::Status Recorder::StoreApart(std::vector<FinishedAttempt>& batch,
                                  std::vector<DisabledEndpoint>& disabled) {
  std::vector<LeaseRef> leases;
  for (const FinishedAttempt& attempt : batch) {
    leases.push_back({attempt.record.attempt.delivery_id, attempt.record.lease_token});
  }
  absl::StatusOr<std::vector<LeaseRef>> held = store_->LeasesHeld(leases);
  if (!held.ok()) return held.status();
  absl::flat_hash_set<std::pair<DeliveryId, int64_t>> current;
  for (const LeaseRef& lease : *held) current.emplace(lease.id, lease.token);

  // Late ones first, and each is struck off when it is done: a failure in the middle is taken up
  // again behind it.
  std::vector<FinishedAttempt> rest;
  while (!batch.empty()) {
    FinishedAttempt& attempt = batch.back();
    const OutcomeRecord& record = attempt.record;
    if (current.contains({record.attempt.delivery_id, record.lease_token})) {
      rest.push_back(std::move(attempt));
      batch.pop_back();
      continue;
    }
    absl::StatusOr<bool> counts = store_->RecordLate(record);
    if (counts.ok() && *counts) {
      absl::StatusOr<std::vector<DisabledEndpoint>> counted =
          store_->Record({}, TalliesOf({attempt}));
      if (counted.ok()) disabled.insert(disabled.end(), counted->begin(), counted->end());
    }
    if (!counts.ok()) {
      for (FinishedAttempt& other : rest) batch.push_back(std::move(other));
      return counts.status();
    }
    batch.pop_back();
  }
  std::reverse(rest.begin(), rest.end());
  batch = std::move(rest);
  if (batch.empty()) return absl::OkStatus();
  absl::StatusOr<std::vector<DisabledEndpoint>> stored =
      store_->Record(RecordsOf(batch), TalliesOf(batch));
  if (stored.ok()) disabled.insert(disabled.end(), stored->begin(), stored->end());
  return stored.status();
}

}  // namespace postrider::dispatch

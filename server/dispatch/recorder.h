// Writes outcomes down ("record" loop): whatever ended meanwhile goes in one transaction. It goes
// on until the answer is known, also over an outage of the database; the dispatcher starts nothing
// more when too much is unrecorded.

#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "server/dispatch/totals.h"
#include "server/dispatch/work.h"
#include "server/runtime/clock.h"
#include "storage/dispatch_store.h"

namespace postrider::dispatch {

// What a batch does to the counters of its endpoints, sorted by endpoint.
std::vector<EndpointTally> TalliesOf(const std::vector<FinishedAttempt>& batch);

// A core of a Loop. When it stops while the database is away, what was not stored is lost: the
// leases then run out and the attempts are ABANDONED.
class Recorder {
 public:
  // Bounded by what the dispatcher lets be unrecorded.
  using Input = FinishedAttempt;
  // Called when outcomes are done with.
  using OnRecorded = std::function<void(Recorded)>;

  Recorder(std::unique_ptr<DispatchStore> store, int32_t node_no, OnRecorded on_recorded,
           const DatabaseClock& clock);

  // Stores what waits, batch by batch; what could not be stored waits for its next try.
  Instant Step(std::vector<FinishedAttempt> attempts);
  // Statistics that were counted since they were written last.
  void WriteTotals();

 private:
  static constexpr size_t kMaxBatch = 500;
  static constexpr size_t kMaxTotals = 20000;
  static constexpr absl::Duration kTotalsInterval = absl::Seconds(5);
  static constexpr absl::Duration kFirstBackoff = absl::Milliseconds(50);
  static constexpr absl::Duration kLongestBackoff = absl::Seconds(2);

  void StoreNext();
  void WaitForDatabase(const absl::Status& status);
  // OK: its delivery is ended. FAILED_PRECONDITION: it may be stored yet, now that what the
  // receiver sent is taken out. Otherwise what the store says.
  absl::Status GiveUp(FinishedAttempt& attempt, const absl::Status& status);
  // What is left in `batch` afterwards is not stored.
  absl::Status Store(std::vector<FinishedAttempt>& batch, std::vector<EndpointCount>& counts);
  // Records them all, if none lost its lease.
  absl::Status StoreTogether(std::vector<FinishedAttempt>& batch,
                             std::vector<EndpointCount>& counts);
  // Sorts out a batch in which leases were lost, or that may be recorded already.
  absl::Status StoreApart(std::vector<FinishedAttempt>& batch, std::vector<EndpointCount>& counts);

  const std::unique_ptr<DispatchStore> store_;
  const int32_t node_no_;
  const OnRecorded on_recorded_;
  const DatabaseClock& clock_;
  std::deque<FinishedAttempt> waiting_;
  // One outcome that the database will never take must not hold up the others: a batch that is
  // refused is halved until that one is alone. It is stored without what the receiver sent, and if
  // that is refused too its delivery is given up (POISONED).
  size_t batch_size_ = kMaxBatch;
  // The answer about what waits first was lost: it may be recorded. Asking that before anything
  // else makes every try that was committed count, even if all answers are lost.
  bool unsure_ = false;
  absl::Duration backoff_ = kFirstBackoff;
  Instant retry_at_ = -absl::InfiniteDuration();
  Totals totals_;
  Instant totals_due_;
};

}  // namespace postrider::dispatch

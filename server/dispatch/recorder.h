// The thread that writes outcomes down ("record"): whatever ended meanwhile goes in one
// transaction. It goes on until the answer is known, also over an outage of the database; the
// dispatcher starts nothing more when too much is unrecorded.

#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "server/dispatch/totals.h"
#include "server/dispatch/work.h"
#include "server/runtime/clock.h"
#include "server/runtime/mailbox.h"
#include "server/runtime/thread.h"
#include "storage/dispatch_store.h"

namespace postrider::dispatch {

// What a batch does to the counters of its endpoints, sorted by endpoint.
std::vector<EndpointTally> TalliesOf(const std::vector<FinishedAttempt>& batch);

class Recorder {
 public:
  // Called on the record thread after a batch is stored: how many outcomes, and which endpoints
  // it disabled.
  using OnRecorded = std::function<void(int count, std::vector<DisabledEndpoint> disabled)>;

  Recorder(std::unique_ptr<DispatchStore> store, int32_t node_no, OnRecorded on_recorded)
      : store_(std::move(store)), node_no_(node_no), on_recorded_(std::move(on_recorded)) {}
  ~Recorder() { Stop(); }

  void Start();
  // Ends after what was put before is stored, or, when the database is away, with it unstored: the
  // leases then run out and the attempts are ABANDONED.
  void Stop();

  // Thread-safe; never blocks. Bounded by what the dispatcher lets be unrecorded.
  void Put(std::vector<FinishedAttempt> attempts) { inbox_.PutAll(std::move(attempts)); }

 private:
  static constexpr size_t kMaxBatch = 500;
  static constexpr size_t kMaxTotals = 20000;
  static constexpr absl::Duration kTotalsInterval = absl::Seconds(5);

  void Run();
  void Store(std::vector<FinishedAttempt> batch);
  // One outcome that the database will never take must not hold up the others: halves a batch until
  // that one is alone, and gives it up. Its lease runs out, and its attempt is ABANDONED.
  void StoreInParts(std::vector<FinishedAttempt> batch, const absl::Status& status);
  // Sorts out a batch in which a lease was lost. False: the database is away.
  absl::Status StoreApart(std::vector<FinishedAttempt>& batch,
                          std::vector<DisabledEndpoint>& disabled);

  void WriteTotals();

  const std::unique_ptr<DispatchStore> store_;
  const int32_t node_no_;
  const OnRecorded on_recorded_;
  Mailbox<FinishedAttempt> inbox_;
  Totals totals_;       // the record thread's
  Instant totals_due_;  // the record thread's
  StopSignal stop_;
  NamedThread thread_;
};

}  // namespace postrider::dispatch

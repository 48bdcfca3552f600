// Group commit ("commit" loop): whatever Publish calls wait when the last transaction is done go
// together in the next one. No call waits for others to come (no linger).

#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "server/runtime/clock.h"
#include "storage/event_store.h"

namespace postrider::publish {

// The events of one call: all are stored or none. No idempotency key is in it twice.
struct Submission {
  std::vector<NewEvent> events;
  // Not begun by then: answered DEADLINE_EXCEEDED with nothing stored.
  Instant deadline = absl::InfiniteDuration();
  // Called exactly once, by the commit loop; must not block. One result an event, or
  //   ABORTED           its key was taken by others again and again, nothing was stored
  //   DEADLINE_EXCEEDED nothing was stored, or it is unknown (the message says which)
  //   FAILED_PRECONDITION  its events would make more than kMaxFanOut deliveries
  //   UNAVAILABLE       no database, or the outcome is unknown: the same key again is safe
  //   and what else the store says; nothing was stored then.
  absl::AnyInvocable<void(absl::StatusOr<std::vector<AcceptResult>>)> done;
};

struct CommitLimits {
  size_t max_waiting_events = 20000;
  int64_t max_waiting_bytes = int64_t{96} << 20;
  size_t max_batch_events = 500;  // one call's events stay together, however many
  int64_t max_batch_bytes = int64_t{8} << 20;
};

// A core of a Loop.
class Committer {
 public:
  using Input = Submission;
  struct Outputs {
    // Called after each transaction, before its calls are answered. `begun` was the instant before
    // the transaction began, from which its leases count at the latest.
    std::function<void(const std::vector<NewEvent>&, const std::vector<AcceptResult>&,
                       Instant begun)>
        accepted;
    // These may be stored, or will be in a while, and leased to this node, which will not be told.
    std::function<void(std::vector<EventId>)> untold;
  };
  // What to lease, asked before each transaction.
  using LeaseSource = std::function<FanOutLease()>;

  Committer(std::unique_ptr<EventAcceptor> acceptor, const CommitLimits& limits, LeaseSource lease,
            Outputs outputs, const DatabaseClock& clock);

  // Thread-safe; asked before a submission is put. RESOURCE_EXHAUSTED: too much waits.
  absl::Status Admit(const Submission& submission);

  // One transaction, with as much of what waits as goes into it.
  Instant Step(std::vector<Submission> submissions);

 private:
  // Takes what goes together, in order. An event whose key is in the batch already stays behind,
  // with its whole call.
  std::vector<Submission> TakeBatch();
  // In one transaction, or in several when one call fails what was to be stored with it.
  void Commit(std::vector<Submission> batch);

  const std::unique_ptr<EventAcceptor> acceptor_;
  const CommitLimits limits_;
  const LeaseSource lease_;
  const Outputs outputs_;
  const DatabaseClock& clock_;
  std::deque<Submission> waiting_;

  absl::Mutex mutex_;
  size_t waiting_events_ ABSL_GUARDED_BY(mutex_) = 0;  // admitted and not in a transaction yet
  int64_t waiting_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace postrider::publish

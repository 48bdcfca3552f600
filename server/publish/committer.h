// Group commit ("commit" loop): whatever Publish calls wait when the last transaction is done go
// together in the next one. No call waits for others to come (no linger).

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "server/publish/batch_bound.h"
#include "server/publish/submission.h"
#include "server/publish/turns.h"
#include "server/runtime/clock.h"
#include "storage/event_store.h"

namespace postrider::publish {

struct CommitLimits {
  // Of all calls that wait. One org's are half of it at most: others get in at any time.
  size_t max_waiting_events = 20000;
  int64_t max_waiting_bytes = int64_t{96} << 20;
  // Fewer while several orgs publish (batch_bound.h). One call's events stay together, however
  // many.
  size_t max_batch_events = 500;
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

  // Thread-safe; asked before a submission is put. RESOURCE_EXHAUSTED: too much waits, in all or of
  // its org.
  absl::Status Admit(const Submission& submission);

  // One transaction, with as much of what waits as goes into it.
  Instant Step(std::vector<Submission> submissions);

 private:
  // What is admitted and not in a transaction yet.
  struct Waiting {
    size_t events = 0;
    int64_t bytes = 0;
  };

  // Whether this much more would be too much, where so much waits: of limits divided by `part`.
  bool Exceeds(const Waiting& waiting, const Waiting& more, int part) const;
  // Takes what goes together, orgs in turn. An event whose key is in the batch already stays
  // behind, with its whole call.
  std::vector<Submission> TakeBatch();
  // They wait no more.
  void Leave(const std::vector<Submission>& submissions);
  // In one transaction, or in several when one call fails what was to be stored with it.
  void Commit(std::vector<Submission> batch);

  const std::unique_ptr<EventAcceptor> acceptor_;
  const CommitLimits limits_;
  const LeaseSource lease_;
  const Outputs outputs_;
  const DatabaseClock& clock_;
  Turns waiting_;
  BatchBound bound_;

  absl::Mutex mutex_;
  Waiting admitted_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, Waiting> admitted_of_ ABSL_GUARDED_BY(mutex_);  // by org
};

}  // namespace postrider::publish

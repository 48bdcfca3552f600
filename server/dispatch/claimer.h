// Looks for due work and leases it ("claim" loop): what the dispatcher orders, what nobody holds,
// and what dead nodes left.

#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "server/dispatch/work.h"
#include "server/runtime/clock.h"
#include "storage/dispatch_store.h"

namespace postrider::dispatch {

struct ClaimOptions {
  int32_t node_no = 0;
  absl::Duration lease = absl::Seconds(30);
  absl::Duration hold = absl::Seconds(12);  // a lease not started by then is given back
  absl::Duration poll = absl::Milliseconds(250);
};

// Whose leases may be taken over: "gone" ones all, those of "live" ones when they ran out.
struct Liveness {
  std::vector<int32_t> gone;
  std::vector<int32_t> live;
};

// A core of a Loop.
class Claimer {
 public:
  struct Input {
    std::vector<ClaimOrder> orders;
    std::vector<LeaseRef> releases;
    std::vector<EventId> untold;  // publish::Committer::Outputs
    std::optional<Liveness> liveness;
  };
  struct Outputs {
    std::function<void(std::vector<ClaimOrder>, std::vector<WorkItem>)> claimed;
    std::function<void(std::vector<ClaimOrder>)> failed;
    std::function<void(std::vector<EndpointId>)> due;
  };

  Claimer(std::unique_ptr<DispatchStore> store, const ClaimOptions& options, Outputs outputs,
          const DatabaseClock& clock);

  Instant Step(std::vector<Input> inputs);
  // Gives back once more what may be leased without this node's knowing. At a clean stop.
  void ReleaseUntold();

 private:
  // Events whose answer was lost, all of one transaction.
  struct Untold {
    std::vector<EventId> events;
    Instant until;  // their leases run out by themselves
    Instant next_try;
    absl::Duration wait;
  };

  void NoteUntold(std::vector<EventId> events);
  // Those whose turn it is. The transaction may yet be under way: one release is not enough.
  bool ReleaseUntoldDue();
  bool ClaimAll(std::vector<ClaimOrder> orders);
  bool ReleaseAll();
  // When to look again, at most options_.poll from now. False: the database is away.
  bool FindDue(absl::Duration& wait);
  bool TakeOver();

  const std::unique_ptr<DispatchStore> store_;
  const ClaimOptions options_;
  const Outputs outputs_;
  const DatabaseClock& clock_;
  Liveness liveness_;
  std::vector<LeaseRef> releases_;  // kept over an outage
  std::vector<Untold> untold_;      // too
  size_t untold_events_ = 0;
  absl::Duration backoff_;
  Instant next_poll_ = -absl::InfiniteDuration();
};

}  // namespace postrider::dispatch

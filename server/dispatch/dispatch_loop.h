// Owns the dispatcher ("dispatch" loop). Everybody else puts there what is to be done to it.

#pragma once

#include <functional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "server/dispatch/dispatcher.h"
#include "server/runtime/clock.h"

namespace postrider::dispatch {

// A core of a Loop.
class DispatchLoop {
 public:
  // Where the turns' decisions go. Must not block.
  struct Outputs {
    std::function<void(std::vector<http::Request>)> send;
    std::function<void(std::vector<LeaseRef>)> release;
    std::function<void(std::vector<EndpointId>)> load;
    std::function<void(std::vector<EndpointId>)> forget;
    std::function<void(std::vector<FinishedAttempt>)> record;
    std::function<void(std::vector<ClaimOrder>)> order;
    std::function<void(bool)> egress_reachable;  // when it changes
  };
  // What is done to the dispatcher.
  using Input = absl::AnyInvocable<void(Dispatcher&)>;

  DispatchLoop(Dispatcher dispatcher, Outputs outputs, const DatabaseClock& clock)
      : dispatcher_(std::move(dispatcher)), outputs_(std::move(outputs)), clock_(clock) {}

  Instant Step(std::vector<Input> inputs);

  // Thread-safe snapshots of the last turn.
  std::vector<EndpointId> Congested() const;
  struct Load {
    int in_flight = 0;       // attempts
    int unrecorded = 0;      // outcomes not stored
    int orders = 0;          // claims under way
    int64_t queued = 0;      // deliveries waiting
    bool joined = false;     // takes work
    bool in_outage = false;  // sends probes alone
    bool draining = false;   // starts nothing more

    // Nothing is left to wait for.
    bool drained() const {
      return draining && in_flight == 0 && unrecorded == 0 && orders == 0 && queued == 0;
    }
  };
  Load load() const;

 private:
  void Publish();

  Dispatcher dispatcher_;
  const Outputs outputs_;
  const DatabaseClock& clock_;
  mutable absl::Mutex mutex_;
  std::vector<EndpointId> congested_ ABSL_GUARDED_BY(mutex_);
  Load load_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace postrider::dispatch

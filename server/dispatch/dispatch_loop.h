// The thread that owns the dispatcher ("dispatch"). Everybody else posts to it.

#pragma once

#include <functional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "server/dispatch/dispatcher.h"
#include "server/runtime/clock.h"
#include "server/runtime/mailbox.h"
#include "server/runtime/thread.h"

namespace postrider::dispatch {

class DispatchLoop {
 public:
  // Where the turns' decisions go. Called on the dispatch thread; must not block.
  struct Outputs {
    std::function<void(std::vector<http::Request>)> send;
    std::function<void(std::vector<LeaseRef>)> release;
    std::function<void(std::vector<EndpointId>)> load;
    std::function<void(std::vector<FinishedAttempt>)> record;
    std::function<void(std::vector<ClaimOrder>)> order;
  };
  // What is done to the dispatcher, on its thread.
  using Input = absl::AnyInvocable<void(Dispatcher&)>;

  DispatchLoop(Dispatcher dispatcher, Outputs outputs, const DatabaseClock& clock)
      : dispatcher_(std::move(dispatcher)), outputs_(std::move(outputs)), clock_(clock) {}
  ~DispatchLoop() { Stop(); }

  void Start();
  // Ends the thread after what was posted before.
  void Stop();

  // Thread-safe; never blocks.
  void Post(Input input) { inputs_.Put(std::move(input)); }

  // Thread-safe snapshots of the last turn.
  std::vector<EndpointId> Congested() const;
  // Attempts in flight, outcomes not stored, deliveries waiting.
  struct Load {
    int in_flight = 0;
    int unrecorded = 0;
    int64_t queued = 0;
    bool joined = false;  // takes work
  };
  Load load() const;

 private:
  void Run();
  void Publish();

  Dispatcher dispatcher_;  // the dispatch thread's
  const Outputs outputs_;
  const DatabaseClock& clock_;
  Mailbox<Input> inputs_;
  mutable absl::Mutex mutex_;
  std::vector<EndpointId> congested_ ABSL_GUARDED_BY(mutex_);
  Load load_ ABSL_GUARDED_BY(mutex_);
  NamedThread thread_;
};

}  // namespace postrider::dispatch

// The delivery engine of one node: its loops, wired to each other. It knows neither PostgreSQL nor
// sockets. Threads drive the loops in the server; a simulation steps them.

#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/dispatch/claimer.h"
#include "server/dispatch/dispatch_loop.h"
#include "server/dispatch/endpoint_watch.h"
#include "server/dispatch/heartbeat.h"
#include "server/dispatch/recorder.h"
#include "server/publish/committer.h"
#include "server/runtime/clock.h"
#include "server/runtime/loop.h"
#include "storage/dispatch_store.h"
#include "storage/endpoint_store.h"
#include "storage/event_store.h"
#include "storage/node_store.h"

namespace postrider::engine {

// One for each loop that asks storage.
struct Stores {
  std::unique_ptr<EventAcceptor> commit;
  std::unique_ptr<DispatchStore> record;
  std::unique_ptr<DispatchStore> claim;
  std::unique_ptr<EndpointReader> endpoints;
  std::unique_ptr<NodeStore> nodes;
};

struct Options {
  NodeRegistration self;
  absl::Duration lease = absl::Seconds(30);
  dispatch::DeliveryDefaults defaults;
  http::DestinationPolicy policy;
};

// What the engine needs of its surroundings. The first three are called by its loops; must not
// block.
struct Surroundings {
  std::function<void(std::vector<http::Request>)> send;
  std::function<void(bool)> database_reachable;
  std::function<void(bool)> egress_reachable;  // false: our own outage (policy/egress_outage.h)
  std::function<double()> random;              // uniform in [0, 1)
  std::function<AttemptId(absl::Time)> new_attempt_id;
};

// How long a lease may wait for its attempt: the longest attempt and its record still fit.
absl::Duration HoldOf(absl::Duration lease, absl::Duration attempt_timeout);

class Engine {
 public:
  // `keys` and `clock` outlive it.
  Engine(Stores stores, const Options& options, Surroundings surroundings,
         const security::KeyRing& keys, DatabaseClock& clock);

  // Thread-safe; never blocks. RESOURCE_EXHAUSTED: too much waits; UNAVAILABLE: stopping. `done`
  // is not called then.
  absl::Status Submit(publish::Submission submission);
  // What became of requests that were sent. Thread-safe; never blocks.
  void PutResults(std::vector<http::Result> results);
  // Starts nothing more and gives back what waits. Thread-safe; never blocks.
  void Drain();
  // Thread-safe.
  dispatch::DispatchLoop::Load load() const { return dispatch_.core().load(); }

  // The first heartbeat, which sets the clock and makes this node known. Before everything else.
  absl::Status Join() { return heartbeat_.core().Beat(); }

  // With threads, in this order.
  void Start();
  void StopAccepting();  // answers what waits
  void StopDispatch();   // what is still in flight keeps its lease
  // Stores what ended, and says goodbye. After the sender has stopped.
  void Stop();

  // Without threads: `visit` gets every loop.
  template <typename Visitor>
  void VisitLoops(Visitor&& visit) {
    visit(commit_);
    visit(dispatch_);
    visit(record_);
    visit(claim_);
    visit(endpoints_);
    visit(heartbeat_);
  }

 private:
  using Dispatch = dispatch::DispatchLoop;

  Dispatch::Outputs DispatchOutputs(Surroundings& surroundings);
  dispatch::Claimer::Outputs ClaimOutputs();
  dispatch::Heartbeat::Outputs HeartbeatOutputs(Surroundings& surroundings);
  FanOutLease NextLease() const;
  void OnAccepted(const std::vector<NewEvent>& accepted, const std::vector<AcceptResult>& results,
                  Instant begun);
  void OnRecorded(dispatch::Recorded recorded);

  const int32_t node_no_;
  const absl::Duration lease_;
  const absl::Duration hold_;
  DatabaseClock& clock_;
  Loop<Dispatch> dispatch_;
  Loop<dispatch::Recorder> record_;
  Loop<dispatch::Claimer> claim_;
  Loop<dispatch::EndpointWatch> endpoints_;
  Loop<dispatch::Heartbeat> heartbeat_;
  Loop<publish::Committer> commit_;
};

}  // namespace postrider::engine

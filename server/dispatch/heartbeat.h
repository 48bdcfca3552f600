// The thread that keeps this node alive in the eyes of the others, and watches them ("heartbeat").
//
// A node is dead to the others when its row was not renewed for kDeadAfter. It stops starting
// attempts by its own monotonic clock before that. After an outage of the database (its own
// renewals failed) it waits one such period before it declares anyone dead, so that an outage makes
// nobody believe that everybody died.

#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "server/dispatch/claimer.h"
#include "server/dispatch/dispatcher.h"
#include "server/runtime/clock.h"
#include "server/runtime/thread.h"
#include "storage/node_store.h"

namespace postrider::dispatch {

inline constexpr absl::Duration kHeartbeatInterval = absl::Seconds(2);
inline constexpr absl::Duration kDeadAfter = absl::Seconds(8);
// How much earlier than the others a node thinks itself dead.
inline constexpr absl::Duration kSelfMargin = absl::Seconds(1);
// A node that joins others, or comes back to them, leaves the work to them for so long: until then
// they may not know that they have to share the limits of endpoints (a heartbeat and a bit).
inline constexpr absl::Duration kJoinWait = absl::Milliseconds(2500);

// What a heartbeat's answer means. Pure.
struct Membership {
  Cluster cluster;
  Liveness liveness;
  std::vector<int32_t> forgettable;  // gone long enough to have been taken over
};
// `previous`: earlier incarnations of this node, dead for certain. `settled`: this node has renewed
// itself without a gap for kDeadAfter, so that silence of others means something.
Membership MembershipOf(int32_t self, const std::vector<int32_t>& previous,
                        const std::vector<NodeRow>& nodes, bool settled);

class Heartbeat {
 public:
  struct Outputs {  // called on the heartbeat thread
    // This node may start attempts from `joined_at` to `alive_until`.
    std::function<void(const Membership&, Instant joined_at, Instant alive_until)> renewed;
    std::function<void(bool)> database_reachable;
  };

  Heartbeat(std::unique_ptr<NodeStore> store, NodeRegistration self, Outputs outputs,
            DatabaseClock& clock);
  ~Heartbeat() { Stop(); }

  // The first renewal is made before Start returns.
  absl::Status Start();
  // Ends the thread; `clean` marks the node as stopped, so that nobody waits for it.
  void Stop(bool clean = false);

 private:
  void Run();
  absl::Status Beat();

  const std::unique_ptr<NodeStore> store_;
  const NodeRegistration self_;
  const Outputs outputs_;
  DatabaseClock& clock_;
  StopSignal stop_;
  // The heartbeat thread's.
  Instant healthy_since_ = absl::InfiniteDuration();
  Instant next_beat_;
  Instant last_renewal_ = -absl::InfiniteDuration();
  Instant joined_at_ = -absl::InfiniteDuration();
  NamedThread thread_;
};

}  // namespace postrider::dispatch

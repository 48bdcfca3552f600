// Keeps this node alive in the eyes of the others, and watches them ("heartbeat" loop).
//
// A node is dead to the others when its row was not renewed for kDeadAfter. It stops starting
// attempts by its own monotonic clock before that. An outage of the database must make nobody
// believe that everybody died: silence means something when the database was in reach meanwhile, of
// anybody. Each row says for how long its node renewed itself without a gap, and those of all
// nodes, dead ones too, are put together. So one that has just started may judge as well as any
// other.

#pragma once

#include <functional>
#include <memory>
#include <variant>
#include <vector>

#include "server/dispatch/claimer.h"
#include "server/dispatch/dispatcher.h"
#include "server/runtime/clock.h"
#include "storage/node_store.h"

namespace postrider::dispatch {

inline constexpr absl::Duration kHeartbeatInterval = absl::Seconds(2);
inline constexpr absl::Duration kDeadAfter = absl::Seconds(8);
// How much earlier than the others a node thinks itself dead.
inline constexpr absl::Duration kSelfMargin = absl::Seconds(1);
// A node that joins others, or comes back to them, leaves the work to them for so long: until then
// they may not know that they have to share the limits of endpoints (a heartbeat and a bit).
inline constexpr absl::Duration kJoinWait = absl::Milliseconds(2500);

// For how long the database has been in use without a gap of more than kLongestGap. Pure.
absl::Duration InUseFor(const std::vector<NodeRow>& nodes);

// What a heartbeat's answer means. Pure.
struct Membership {
  Cluster cluster;
  Liveness liveness;
  std::vector<int32_t> forgettable;                // gone long enough to have been taken over
  absl::Duration look_again = kHeartbeatInterval;  // somebody may be dead then
};
// `previous`: earlier incarnations of this node, dead for certain.
Membership MembershipOf(int32_t self, const std::vector<int32_t>& previous,
                        const std::vector<NodeRow>& nodes);

// A core of a Loop.
class Heartbeat {
 public:
  using Input = std::monostate;  // nothing is put
  struct Outputs {
    std::function<void(const Membership&, const Standing&)> renewed;
    std::function<void(bool)> database_reachable;
  };

  Heartbeat(std::unique_ptr<NodeStore> store, NodeRegistration self, Outputs outputs,
            DatabaseClock& clock);

  // One renewal. The first one sets the clock: nothing else is of use before.
  absl::Status Beat();
  Instant Step(std::vector<Input>);
  // At a clean stop: nobody waits for this node.
  void SayGoodbye();

 private:
  const std::unique_ptr<NodeStore> store_;
  const NodeRegistration self_;
  const Outputs outputs_;
  DatabaseClock& clock_;
  Instant last_renewal_ = -absl::InfiniteDuration();
  absl::Duration look_again_ = kHeartbeatInterval;
  Standing standing_{.joined_at = -absl::InfiniteDuration()};
};

}  // namespace postrider::dispatch

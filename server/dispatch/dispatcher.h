// The heart of delivery, without threads, IO or a clock of its own: what came in since the last
// turn goes in through Add..., and Run says what to do now. The dispatch loop owns one; a
// simulation drives many.
//
// Endpoints are served in turn, one attempt each, so none holds up another. A delivery here is
// leased to this node; it starts, or it is released when its turn does not come in time.

#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <queue>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/node_hash_map.h"
#include "absl/time/time.h"
#include "server/dispatch/shares.h"
#include "server/dispatch/target.h"
#include "server/dispatch/verdicts.h"
#include "server/dispatch/work.h"
#include "server/http/request.h"
#include "server/policy/admission.h"
#include "server/policy/lookahead.h"
#include "server/policy/node_slots.h"
#include "server/runtime/clock.h"
#include "storage/dispatch_store.h"

namespace postrider::dispatch {

struct DispatchLimits {
  int max_in_flight = 2048;   // attempts of this node
  int max_unrecorded = 8192;  // attempts ended whose outcome is not stored yet
  // Nothing starts while an outcome waits longer than that: its own would come too late for its
  // lease, which leaves 3 s for recording.
  absl::Duration max_unrecorded_age = absl::Seconds(2);
  int64_t max_queued = 100000;                    // deliveries waiting here in all
  int64_t max_queued_bytes = int64_t{256} << 20;  // and their bodies
  // An endpoint as it was read longer ago than this starts nothing (SEMANTICS: changes hold after
  // a second).
  absl::Duration max_target_age = absl::Milliseconds(750);
  absl::Duration idle_lane_life = absl::Minutes(10);
};

// What the others think of this node.
struct Standing {
  // It may start attempts from here, because others may not share with it before ...
  Instant joined_at = absl::InfiniteDuration();
  // ... to here, because they may think it dead afterwards.
  Instant alive_until = -absl::InfiniteDuration();
  // Leases asked for before may have been taken over: it was thought dead, or may have been.
  Instant leases_from = -absl::InfiniteDuration();
};

// What to do now.
struct Turn {
  std::vector<http::Request> requests;
  std::vector<LeaseRef> releases;
  std::vector<EndpointId> loads;   // endpoints to be read
  std::vector<EndpointId> forget;  // endpoints that are of no interest any more
  std::vector<FinishedAttempt> finished;
  std::vector<ClaimOrder> orders;  // deliveries to be claimed
  Instant wake_at = absl::InfiniteDuration();
};

class Dispatcher {
 public:
  // `random` is uniform in [0, 1), for jitter.
  Dispatcher(const DispatchLimits& limits, std::function<double()> random,
             std::function<AttemptId(absl::Time)> new_attempt_id);

  void AddWork(std::vector<WorkItem> items);
  // Endpoints that have, or may have, unleased work due in the database.
  void AddBacklog(const std::vector<EndpointId>& endpoints);
  void AddClaimed(const std::vector<ClaimOrder>& orders, std::vector<WorkItem> items);
  // An order that came to nothing because the database was away.
  void AddClaimFailed(const std::vector<ClaimOrder>& orders);
  void AddNews(EndpointNews news);
  void AddResults(std::vector<http::Result> results, Instant now, absl::Time database_now);
  void AddRecorded(const Recorded& recorded);
  void SetCluster(Cluster cluster);
  void SetStanding(const Standing& standing) { standing_ = standing; }
  // Starts nothing more and gives back what waits.
  void Drain();

  Turn Run(Instant now, absl::Time database_now);

  // Endpoints whose queue is full here: what is accepted for them stays in the database.
  std::vector<EndpointId> Congested() const;
  int in_flight() const { return static_cast<int>(flights_.size()); }
  // Ended attempts whose outcome is not stored, those that wait for a verdict included.
  int unrecorded() const { return static_cast<int>(unrecorded_.size() + verdicts_.waiting()); }
  // Claims under way.
  int orders() const { return orders_; }
  // Sending is paused to probes, because it is us who are cut off.
  bool in_outage() const { return verdicts_.in_outage(); }
  // Whether this node takes work: what is accepted before is left to the others.
  bool joined() const { return joined_; }
  int64_t queued() const { return queued_; }
  bool draining() const { return draining_; }

 private:
  struct Lane {
    std::deque<WorkItem> queue;
    policy::Admission admission;
    policy::CompletionRate completions;
    std::shared_ptr<const Target> target;
    std::unique_ptr<signing::Signer> signer;
    absl::Time signer_until;  // when one of its secrets expires
    bool load_requested = false;
    bool ready = false;       // in ready_
    bool backlogged = false;  // there is or may be unleased work due in the database
    bool claiming = false;    // a claim is under way
    bool renewed = false;     // more was heard of since it began
    int unrecorded = 0;       // outcomes of what goes in order
    bool congested = false;   // in congested_
    bool starved = false;     // in starved_
    bool active = false;      // counted in active_lanes_
    int rank = 0;             // of this node
    int64_t cluster_version = 0;
    Instant last_used;
    // A lease asked for before is given back: its delivery may have been canceled meanwhile.
    Instant leases_from = -absl::InfiniteDuration();
  };
  struct Timer {
    Instant at;
    EndpointId endpoint_id;
    bool operator>(const Timer& other) const { return at > other.at; }
  };

  Lane& LaneOf(EndpointId id);
  policy::AdmissionRules RulesOf(EndpointId id, Lane& lane) const;
  // What may be here of an endpoint: in flight, and waiting behind that.
  struct Capacity {
    int in_flight = 0;
    int waiting = 0;
  };
  Capacity CapacityOf(EndpointId id, Lane& lane) const;
  void MakeReady(EndpointId id, Lane& lane);
  void MaybeOrder(EndpointId id, Lane& lane);
  void OrderDone(EndpointId id, bool more);
  void UpdateCounts(EndpointId id, Lane& lane);
  void ServeLane(EndpointId id, Lane& lane, Instant now, absl::Time database_now);
  void Start(EndpointId id, Lane& lane, Instant now, absl::Time database_now);
  bool PrepareSigner(Lane& lane, absl::Time database_now);
  void ReleaseQueue(EndpointId id, Lane& lane);
  void ReleaseFront(Lane& lane);
  // The first ones whose leases are of no use any more.
  void ReleaseLost(Lane& lane, Instant now);
  void DropQueued(const WorkItem& item);
  void ServeReady(Instant now, absl::Time database_now);
  void ServeStarved();
  void End(Ended ended);
  void Settle(Ended ended, Blame blame);
  void SettleJudged(Instant now);
  void Sweep(Instant now);

  const DispatchLimits limits_;
  const std::function<double()> random_;
  const std::function<AttemptId(absl::Time)> new_attempt_id_;

  absl::node_hash_map<EndpointId, Lane> lanes_;
  std::deque<EndpointId> ready_;
  std::deque<EndpointId> starved_;  // had work, but others have their share of the slots
  std::priority_queue<Timer, std::vector<Timer>, std::greater<Timer>> timers_;
  absl::flat_hash_map<EndpointId, bool> congested_;
  absl::flat_hash_map<uint64_t, Flight> flights_;
  uint64_t next_flight_ = 1;

  policy::NodeSlots slots_;
  Verdicts verdicts_;
  Instant next_probe_ = -absl::InfiniteDuration();

  std::deque<Instant> unrecorded_;  // since when, of outcomes that the recorder has
  int orders_ = 0;
  int active_lanes_ = 0;  // with deliveries in flight or waiting
  int64_t queued_ = 0;
  int64_t queued_bytes_ = 0;
  Instant validated_at_ = -absl::InfiniteDuration();
  Standing standing_;
  bool joined_ = false;  // as of the last turn
  Instant next_sweep_ = -absl::InfiniteDuration();
  bool draining_ = false;
  Cluster cluster_;
  int64_t cluster_version_ = 1;
  Instant now_ = -absl::InfiniteDuration();  // of the last turn or result
  Turn turn_;                                // what Add... and Run put together
};

}  // namespace postrider::dispatch

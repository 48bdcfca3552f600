// The tables of storage/sql in memory, with what the statements do to them. Every call is one
// transaction that is over at once. Not thread-safe.

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/dispatch_store.h"
#include "storage/endpoint_store.h"
#include "storage/event_store.h"
#include "storage/maintenance_store.h"
#include "storage/node_store.h"

namespace postrider::memory {

struct StoredEvent {
  Tenant tenant;
  std::string type;
  std::string idempotency_key;
  absl::Time create_time;
  int64_t commit_no = 0;
  int32_t delivery_count = 0;
  std::shared_ptr<const std::string> body;  // null: erased
};

struct OpenDelivery {
  EventId event_id;
  EndpointId endpoint_id;
  DeliveryOrigin origin = DeliveryOrigin::kPublish;
  int32_t attempt_count = 0;
  int32_t failure_count = 0;
  int32_t lost_claims = 0;   // to nodes that did not stop cleanly, in a row
  int32_t alone_deaths = 0;  // of them, as a suspect
  absl::Time create_time;
  absl::Time next_attempt_time;
  int32_t lease_node = 0;  // 0: none
  int64_t lease_token = 0;
  absl::Time lease_expire_time;
  std::optional<int64_t> sequence;  // accepted for an ordered endpoint
};

struct ClosedDelivery {
  EventId event_id;
  EndpointId endpoint_id;
  DeliveryOrigin origin = DeliveryOrigin::kPublish;
  DeliveryState state = DeliveryState::kSucceeded;
  StateReason reason = StateReason::kNone;
  int32_t attempt_count = 0;
  absl::Time create_time;
  absl::Time complete_time;
  int64_t lease_token = 0;  // 0: no attempt is awaited
  // Not in the tables of PostgreSQL: what a checker wants to know.
  int32_t failure_count = 0;
  std::optional<int64_t> sequence;
  absl::Time closed_time;  // complete_time is a node's idea of when the attempt ended
};

struct StoredAttempt {
  Attempt attempt;
  int64_t lease_token = 0;  // of an abandoned one whose outcome may still come
  // Not in the tables of PostgreSQL: what a checker wants to know.
  int64_t commit_no = 0;                     // of the transaction that logged it
  std::optional<absl::Time> abandoned_time;  // stays when the outcome comes after all
  int32_t abandoned_node = 0;                // whose lease that was
};

struct StoredEndpoint {
  Endpoint endpoint;
  std::vector<EndpointSecret> secrets;
};

enum class ChangeKind { kCreated = 1, kUpdated, kEnabled, kDisabled, kDeleted, kCanceled };

struct StoredChange {
  EndpointId endpoint_id;
  ChangeKind kind = ChangeKind::kCreated;
  DisabledReason reason = DisabledReason::kNone;
  EndpointConfig config;  // as it was from then on
  absl::Time time;
  int64_t commit_no = 0;
};

class Database {
 public:
  // `now` is the database's clock; `random` makes ids.
  Database(std::function<absl::Time()> now, std::function<uint64_t()> random,
           absl::Duration idempotency_window = absl::Hours(24));

  // EventAcceptor.
  absl::StatusOr<std::vector<AcceptResult>> Accept(const std::vector<NewEvent>& events,
                                                   const std::vector<int32_t>& batches,
                                                   const FanOutLease& lease);
  // DispatchStore.
  std::vector<DueEndpoint> FindDue(EndpointId after, int32_t limit) const;
  std::vector<ClaimedDelivery> Claim(const std::vector<ClaimOrder>& orders, int32_t node_no,
                                     absl::Duration lease);
  void Release(const std::vector<LeaseRef>& leases);
  void ReleaseUntold(const std::vector<EventId>& events, int32_t node_no);
  void Expire(const std::vector<LeaseRef>& leases);
  absl::StatusOr<std::vector<EndpointCount>> Record(const std::vector<OutcomeRecord>& outcomes,
                                                    const std::vector<EndpointTally>& tallies);
  std::vector<LeaseRef> LeasesHeld(const std::vector<LeaseRef>& leases) const;
  std::vector<LeaseRef> LeasesAwaited(const std::vector<LeaseRef>& leases) const;
  std::vector<EndpointCount> RecordLate(const OutcomeRecord& outcome,
                                        const std::vector<EndpointTally>& tallies);
  void Poison(const OutcomeRecord& outcome);
  void AddTotals(const std::vector<EndpointTotal>& totals, int32_t node_no);
  std::vector<FreedWork> TakeOver(const std::vector<int32_t>& gone,
                                  const std::vector<int32_t>& live, int32_t limit,
                                  absl::Duration lease);
  // NodeStore.
  NodeRegistration Register(const std::string& node_id);
  absl::StatusOr<HeartbeatAnswer> Heartbeat(int32_t node_no, const std::string& node_id,
                                            int32_t epoch);
  void MarkStopped(int32_t node_no);
  void Forget(const std::vector<int32_t>& node_nos);
  // EndpointReader.
  std::vector<EndpointForDispatch> Load(const std::vector<EndpointId>& ids) const;
  EndpointChanges ChangesSince(int64_t position) const;

  // What callers of the API do, as EndpointStore and DeliveryStore say it.
  void CreateEndpoint(Endpoint endpoint, EndpointSecret secret);
  absl::Status UpdateEndpoint(EndpointId id, const std::function<void(EndpointConfig&)>& change);
  absl::Status EnableEndpoint(EndpointId id, bool discard_pending);
  absl::Status DisableEndpoint(EndpointId id);
  absl::Status DeleteEndpoint(EndpointId id);
  absl::Status Cancel(DeliveryId id);
  absl::Status Redeliver(DeliveryId id, DeliveryId new_id);
  // MaintenanceStore. While somebody is working on `busy`, that is passed over and no day goes.
  void DropExpired(const RetentionOptions& options, std::optional<DeliveryId> busy = std::nullopt);
  // The token of an open delivery, leased to the node for that if it is not leased; 0: it is not
  // open. No statement of PostgreSQL does this: faults are planted with it.
  int64_t Seize(DeliveryId id, int32_t node_no, absl::Duration lease);

  // What is stored.
  absl::Time Now() const { return now_(); }
  const absl::flat_hash_map<EventId, StoredEvent>& events() const { return events_; }
  const absl::flat_hash_map<DeliveryId, OpenDelivery>& open() const { return open_; }
  const absl::flat_hash_map<DeliveryId, ClosedDelivery>& closed() const { return closed_; }
  // In the order in which they were logged.
  const std::vector<StoredAttempt>& attempts() const { return attempts_; }
  std::vector<const StoredAttempt*> AttemptsOf(DeliveryId id) const;
  // When an open delivery is due, as people are told: none under way or behind the head of its
  // queue.
  std::optional<absl::Time> NextAttemptOf(DeliveryId id) const;
  const std::map<EndpointId, StoredEndpoint>& endpoints() const { return endpoints_; }
  const std::vector<StoredChange>& changes() const { return changes_; }
  // Of an endpoint, hour, node, outcome and duration bucket.
  using Totals =
      std::map<std::tuple<EndpointId, absl::Time, int32_t, AttemptOutcome, int32_t>, int64_t>;
  const Totals& totals() const { return totals_; }

 private:
  struct StoredNode {
    std::string node_id;
    int32_t epoch = 0;
    int32_t unclean_deaths = 0;
    absl::Time heartbeat_time;
    bool stopped = false;
    std::optional<absl::Time> steady_since;
  };
  struct KeyRow {
    EventId event_id;
    absl::Time create_time;
    int32_t delivery_count = 0;
    std::string content_digest;
    std::optional<absl::Time> given_event_time;
  };
  using Key = std::tuple<int64_t, Tenant, std::string>;  // window, whose, key

  const KeyRow* FindKey(const NewEvent& event) const;
  int64_t Window() const;
  bool YoungWindow() const;
  void PutKey(const NewEvent& event, int32_t delivery_count);
  std::vector<EndpointId> Match(const NewEvent& event) const;
  // Null: erased, or its day is gone.
  std::shared_ptr<const std::string> BodyOf(EventId id) const;
  OpenDelivery* FindLeased(const LeaseRef& lease);
  void Lease(DeliveryId id, OpenDelivery& row, int32_t node_no, int64_t token, absl::Time expires);
  void Free(DeliveryId id, OpenDelivery& row, absl::Time next_attempt_time);
  // Puts the row into what it is found by, and takes it out: before it changes.
  void Index(DeliveryId id, const OpenDelivery& row);
  void Unindex(DeliveryId id, const OpenDelivery& row);
  // Of what goes in order: what is under way, or else the first; null: there is nothing.
  const DeliveryId* HeadOf(EndpointId id) const;
  // Takes a delivery out of the open ones; `awaited` keeps the token of an attempt in flight.
  ClosedDelivery& Close(DeliveryId id, DeliveryState state, StateReason reason,
                        absl::Time complete_time, bool awaited);
  void CancelOpen(EndpointId id, StateReason reason);
  StoredAttempt& Log(Attempt attempt);
  std::vector<EndpointCount> Count(const std::vector<EndpointTally>& tallies);
  std::optional<EndpointCount> Count(const EndpointTally& tally);
  // The node that has these deliveries must not start them any more.
  void NoteCanceled(EndpointId id);
  bool HasSuspect(int32_t node_no) const;
  // Alive after all, whatever a caller thinks of it.
  bool CameBack(int32_t node_no) const;
  void Note(EndpointId id, ChangeKind kind, DisabledReason reason = DisabledReason::kNone);
  absl::StatusOr<StoredEndpoint*> Find(EndpointId id);

  const std::function<absl::Time()> now_;
  const std::function<uint64_t()> random_;
  const absl::Duration window_;
  UlidGenerator ulids_;
  int64_t commit_no_ = 0;
  int64_t next_token_ = 1;
  int32_t next_node_no_ = 1;

  absl::flat_hash_map<EventId, StoredEvent> events_;
  std::map<Key, KeyRow> keys_;
  absl::flat_hash_map<DeliveryId, OpenDelivery> open_;
  // Without a lease and a sequence.
  std::map<EndpointId, std::set<std::pair<absl::Time, DeliveryId>>> due_;
  // With a sequence: whether it waits, and that.
  std::map<EndpointId, std::set<std::tuple<bool, int64_t, DeliveryId>>> ordered_;
  std::map<int32_t, std::set<DeliveryId>> leased_;  // by node
  std::map<EndpointId, std::set<DeliveryId>> open_of_;
  absl::flat_hash_map<DeliveryId, ClosedDelivery> closed_;
  std::vector<StoredAttempt> attempts_;
  absl::flat_hash_map<DeliveryId, std::vector<size_t>> attempts_of_;
  std::map<EndpointId, StoredEndpoint> endpoints_;
  std::map<Tenant, std::vector<EndpointId>> endpoints_of_;
  std::vector<StoredChange> changes_;
  std::map<int32_t, StoredNode> nodes_;
  Totals totals_;
};

}  // namespace postrider::memory

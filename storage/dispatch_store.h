// What the delivery loop asks of storage: claim what is due, record what happened, follow who
// lives.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/model/records.h"

namespace postrider {

struct LeaseRef {
  DeliveryId id;
  int64_t token = 0;
};

struct DueEndpoint {
  EndpointId id;
  // Of the first delivery that may be claimed; infinite while that is the turn of one under way.
  absl::Time next_attempt_time;
  bool due = false;  // that time has come and the endpoint is enabled
};

struct ClaimOrder {
  EndpointId endpoint_id;
  int32_t count = 0;
  bool ordered = false;  // the endpoint is
};

struct ClaimedDelivery {
  DeliveryId id;
  EventId event_id;
  EndpointId endpoint_id;
  DeliveryOrigin origin = DeliveryOrigin::kPublish;
  int32_t attempt_count = 0;
  int32_t failure_count = 0;
  int64_t lease_token = 0;
  std::shared_ptr<const std::string> body;  // null: erased
  bool in_order = false;                    // accepted for an ordered endpoint
};

// One attempt that ended, with what becomes of its delivery (server/policy decides).
struct OutcomeRecord {
  Attempt attempt;
  int64_t lease_token = 0;
  DeliveryState state = DeliveryState::kPending;  // kPending: waits for next_attempt_time
  StateReason state_reason = StateReason::kNone;
  absl::Time next_attempt_time;  // of a waiting one
  bool uses_retry = false;
  absl::Time complete_time;  // when the attempt ended
};

// What one batch does to an endpoint's counter ("Auto-disable"; made by policy::TallyOf).
struct EndpointTally {
  EndpointId endpoint_id;
  int32_t leading_failures = 0;   // before the first success
  int32_t longest_run = 0;        // of failures
  int32_t trailing_failures = 0;  // after the last success
  bool has_success = false;
  int32_t threshold = 0;  // 0: never disabled by the count
  bool gone = false;      // a 410 that disables it
};

// What a batch left of an endpoint's counter, where it changed it.
struct EndpointCount {
  EndpointId endpoint_id;
  int32_t consecutive_failures = 0;
  DisabledReason disabled_reason = DisabledReason::kNone;  // unless the batch disabled it
};

// Attempts of an endpoint within an hour, of one outcome and about one duration.
struct EndpointTotal {
  EndpointId endpoint_id;
  absl::Time hour;
  AttemptOutcome outcome = AttemptOutcome::kSucceeded;
  int32_t duration_bucket = 0;  // i: less than 2^i ms, not less than 2^(i-1)
  int64_t count = 0;
};

struct FreedWork {
  EndpointId endpoint_id;
  int32_t count = 0;     // that are due again
  int32_t poisoned = 0;  // that are given up: FAILED, POISONED
};

// Thread-compatible: each loop thread has its own. Errors: session.h.
class DispatchStore {
 public:
  virtual ~DispatchStore() = default;

  // Endpoints with unleased deliveries, by id, behind `after`. Of those that go in order, only the
  // first one counts.
  virtual absl::StatusOr<std::vector<DueEndpoint>> FindDue(EndpointId after, int32_t limit) = 0;
  // Of deliveries that go in order the first one at most, beyond the count (of an ordered endpoint:
  // when nothing else of it is due), and none while one of them is leased.
  // Of suspects ("A poisonous delivery": two nodes in a row died while they had it) one at most,
  // and none while the node has one.
  virtual absl::StatusOr<std::vector<ClaimedDelivery>> Claim(const std::vector<ClaimOrder>& orders,
                                                             int32_t node_no,
                                                             absl::Duration lease) = 0;
  // Leases that no longer hold are passed over.
  virtual absl::Status Release(const std::vector<LeaseRef>& leases) = 0;
  // Gives back what an Accept of these events leased to the node, which does not know it: the
  // answer was lost. What was claimed since is not touched. Nothing when they are not stored.
  virtual absl::Status ReleaseUntold(const std::vector<EventId>& events, int32_t node_no) = 0;
  // Ends deliveries whose payload is gone: CANCELED, EXPIRED.
  virtual absl::Status Expire(const std::vector<LeaseRef>& leases) = 0;

  // All or nothing; counts alone when there are no outcomes. ABORTED: one of the outcomes lost its
  // lease; LeasesHeld tells which still have theirs.
  virtual absl::StatusOr<std::vector<EndpointCount>> Record(
      const std::vector<OutcomeRecord>& outcomes, const std::vector<EndpointTally>& tallies) = 0;
  virtual absl::StatusOr<std::vector<LeaseRef>> LeasesHeld(const std::vector<LeaseRef>& leases) = 0;
  // Of leases that are not held: those whose outcome is awaited, in an ABANDONED row or by a
  // delivery that was canceled under it. RecordLate of another one does nothing, now and later.
  virtual absl::StatusOr<std::vector<LeaseRef>> LeasesAwaited(
      const std::vector<LeaseRef>& leases) = 0;
  // An outcome that lost its lease ("Attempts and crashes"). `tallies` are its own, and count if it
  // was an attempt in flight when its delivery was canceled; all in one transaction.
  virtual absl::StatusOr<std::vector<EndpointCount>> RecordLate(
      const OutcomeRecord& outcome, const std::vector<EndpointTally>& tallies) = 0;

  // Ends the delivery of an outcome that the database refuses: FAILED, POISONED, and its attempt is
  // logged as ABANDONED. Nothing when it lost its lease.
  virtual absl::Status Poison(const OutcomeRecord& outcome) = 0;

  // Adds to the totals, sorted and each combination once.
  virtual absl::Status AddTotals(const std::vector<EndpointTotal>& totals, int32_t node_no) = 0;

  // Frees leases of nodes that are gone, and of `live` ones those that ran out. What was with a
  // node that did not stop cleanly is counted: after two such deaths in a row a delivery is a
  // suspect, and after three more it is given up.
  virtual absl::StatusOr<std::vector<FreedWork>> TakeOver(const std::vector<int32_t>& gone,
                                                          const std::vector<int32_t>& live,
                                                          int32_t limit, absl::Duration lease) = 0;
};

}  // namespace postrider

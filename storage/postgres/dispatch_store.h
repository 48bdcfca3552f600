// The delivery loop's statements: see storage/dispatch_store.h.

#pragma once

#include <vector>

#include "storage/dispatch_store.h"
#include "storage/postgres/session.h"

namespace postrider {

class PgDispatchStore : public DispatchStore {
 public:
  explicit PgDispatchStore(const SessionOptions& options) : session_(options) {}

  absl::StatusOr<std::vector<DueEndpoint>> FindDue(EndpointId after, int32_t limit) override;
  absl::StatusOr<std::vector<ClaimedDelivery>> Claim(const std::vector<ClaimOrder>& orders,
                                                     int32_t node_no,
                                                     absl::Duration lease) override;
  absl::Status Release(const std::vector<LeaseRef>& leases) override;
  absl::Status ReleaseUntold(const std::vector<EventId>& events, int32_t node_no) override;
  absl::Status Expire(const std::vector<LeaseRef>& leases) override;
  absl::StatusOr<std::vector<EndpointCount>> Record(
      const std::vector<OutcomeRecord>& outcomes,
      const std::vector<EndpointTally>& tallies) override;
  absl::StatusOr<std::vector<LeaseRef>> LeasesHeld(const std::vector<LeaseRef>& leases) override;
  absl::StatusOr<std::vector<LeaseRef>> LeasesAwaited(const std::vector<LeaseRef>& leases) override;
  absl::StatusOr<std::vector<EndpointCount>> RecordLate(
      const OutcomeRecord& outcome, const std::vector<EndpointTally>& tallies) override;
  absl::Status Poison(const OutcomeRecord& outcome) override;
  absl::Status AddTotals(const std::vector<EndpointTotal>& totals, int32_t node_no) override;
  absl::StatusOr<std::vector<FreedWork>> TakeOver(const std::vector<int32_t>& gone,
                                                  const std::vector<int32_t>& live, int32_t limit,
                                                  absl::Duration lease) override;

 private:
  // Whether it was an attempt in flight when its delivery was canceled.
  absl::StatusOr<bool> RecordLateAlone(const OutcomeRecord& outcome);
  absl::StatusOr<std::vector<LeaseRef>> Select(const Statement& statement,
                                               const std::vector<LeaseRef>& leases);
  // The two parameters of statements about leases.
  void SetLeases(const std::vector<LeaseRef>& leases);

  Session session_;
  Params params_;
};

}  // namespace postrider

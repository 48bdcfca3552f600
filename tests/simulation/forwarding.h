// Stores that hand everything on, for plants to change one thing.

#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/simulation/plant.h"

namespace postrider::simulation {

class ForwardingDispatchStore : public DispatchStore {
 public:
  ForwardingDispatchStore(std::unique_ptr<DispatchStore> store, memory::Database& database)
      : store_(std::move(store)), database_(database) {}

  absl::StatusOr<std::vector<DueEndpoint>> FindDue(EndpointId after, int32_t limit) override {
    return store_->FindDue(after, limit);
  }
  absl::StatusOr<std::vector<ClaimedDelivery>> Claim(const std::vector<ClaimOrder>& orders,
                                                     int32_t node_no,
                                                     absl::Duration lease) override {
    return store_->Claim(orders, node_no, lease);
  }
  absl::Status Release(const std::vector<LeaseRef>& leases) override {
    return store_->Release(leases);
  }
  absl::Status ReleaseUntold(const std::vector<EventId>& events, int32_t node_no) override {
    return store_->ReleaseUntold(events, node_no);
  }
  absl::Status Expire(const std::vector<LeaseRef>& leases) override {
    return store_->Expire(leases);
  }
  absl::StatusOr<std::vector<EndpointCount>> Record(
      const std::vector<OutcomeRecord>& outcomes,
      const std::vector<EndpointTally>& tallies) override {
    return store_->Record(outcomes, tallies);
  }
  absl::StatusOr<std::vector<LeaseRef>> LeasesHeld(const std::vector<LeaseRef>& leases) override {
    return store_->LeasesHeld(leases);
  }
  absl::StatusOr<std::vector<LeaseRef>> LeasesAwaited(
      const std::vector<LeaseRef>& leases) override {
    return store_->LeasesAwaited(leases);
  }
  absl::StatusOr<std::vector<EndpointCount>> RecordLate(
      const OutcomeRecord& outcome, const std::vector<EndpointTally>& tallies) override {
    return store_->RecordLate(outcome, tallies);
  }
  absl::Status Poison(const OutcomeRecord& outcome) override { return store_->Poison(outcome); }
  absl::Status AddTotals(const std::vector<EndpointTotal>& totals, int32_t node_no) override {
    return store_->AddTotals(totals, node_no);
  }
  absl::StatusOr<std::vector<FreedWork>> TakeOver(const std::vector<int32_t>& gone,
                                                  const std::vector<int32_t>& live, int32_t limit,
                                                  absl::Duration lease) override {
    return store_->TakeOver(gone, live, limit, lease);
  }

 protected:
  const std::unique_ptr<DispatchStore> store_;
  memory::Database& database_;
};

class ForwardingNodeStore : public NodeStore {
 public:
  ForwardingNodeStore(std::unique_ptr<NodeStore> store, memory::Database& database)
      : store_(std::move(store)), database_(database) {}

  absl::StatusOr<NodeRegistration> Register(const std::string& node_id) override {
    return store_->Register(node_id);
  }
  absl::StatusOr<HeartbeatAnswer> Heartbeat(int32_t node_no) override {
    return store_->Heartbeat(node_no);
  }
  absl::Status MarkStopped(int32_t node_no) override { return store_->MarkStopped(node_no); }
  absl::Status Forget(const std::vector<int32_t>& node_nos) override {
    return store_->Forget(node_nos);
  }

 protected:
  const std::unique_ptr<NodeStore> store_;
  memory::Database& database_;
};

class ForwardingAcceptor : public EventAcceptor {
 public:
  ForwardingAcceptor(std::unique_ptr<EventAcceptor> store, memory::Database& database)
      : store_(std::move(store)), database_(database) {}
  absl::StatusOr<std::vector<AcceptResult>> Accept(const std::vector<NewEvent>& events,
                                                   const std::vector<int32_t>& batches,
                                                   const FanOutLease& lease) override {
    return store_->Accept(events, batches, lease);
  }

 protected:
  const std::unique_ptr<EventAcceptor> store_;
  memory::Database& database_;
};

class ForwardingReader : public EndpointReader {
 public:
  ForwardingReader(std::unique_ptr<EndpointReader> store, memory::Database& database)
      : store_(std::move(store)), database_(database) {}
  absl::StatusOr<std::vector<EndpointForDispatch>> Load(
      const std::vector<EndpointId>& ids) override {
    return store_->Load(ids);
  }
  absl::StatusOr<EndpointChanges> ChangesSince(int64_t position) override {
    return store_->ChangesSince(position);
  }

 protected:
  const std::unique_ptr<EndpointReader> store_;
  memory::Database& database_;
};

}  // namespace postrider::simulation

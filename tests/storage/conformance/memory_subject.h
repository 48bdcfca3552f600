// The stores in memory behind the same names.

#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/memory/database.h"
#include "tests/storage/conformance/subject.h"
#include "tests/storage/postgres/store_test_base.h"

namespace postrider {

class MemorySubject {
 public:
  MemorySubject()
      : database_([this] { return Now(); }, RandomBits),
        acceptor_(database_),
        dispatch_(database_),
        reader_(database_),
        nodes_(database_),
        ulids_(RandomBits) {}

  absl::Time Now() { return absl::Now() + passed_; }
  absl::Duration Pass(absl::Duration time) {
    passed_ += time;
    return time;
  }
  // There are no days.
  void MakeDay(absl::Time) {}

  EndpointId AddEndpoint(const std::vector<std::string>& events) {
    Endpoint endpoint;
    endpoint.id = EndpointId{ulids_.Next(Now())};
    endpoint.tenant = {"org", "env"};
    endpoint.config.url = "https://example.com/";
    endpoint.config.events = events;
    database_.CreateEndpoint(endpoint, {});
    return endpoint.id;
  }
  void AddEndpoints(int64_t count) {
    for (int64_t i = 0; i < count; ++i) AddEndpoint({});
  }
  absl::Status Update(EndpointId id, const std::vector<std::string>& events) {
    return database_.UpdateEndpoint(id, [&](EndpointConfig& config) { config.events = events; });
  }
  absl::Status SetOrdered(EndpointId id, bool ordered) {
    return database_.UpdateEndpoint(id, [&](EndpointConfig& config) { config.ordered = ordered; });
  }
  absl::Status Enable(EndpointId id, bool discard) { return database_.EnableEndpoint(id, discard); }
  absl::Status Disable(EndpointId id) { return database_.DisableEndpoint(id); }
  absl::Status Delete(EndpointId id) { return database_.DeleteEndpoint(id); }
  absl::Status Cancel(DeliveryId id) { return database_.Cancel(id); }
  absl::Status Redeliver(DeliveryId id, DeliveryId new_id) {
    return database_.Redeliver(id, new_id);
  }
  void DropExpired(const RetentionOptions& options) { database_.DropExpired(options); }
  void DropExpiredBeside(DeliveryId busy, const RetentionOptions& options) {
    database_.DropExpired(options, busy);
  }

  EventAcceptor& events() { return acceptor_; }
  DispatchStore& dispatch() { return dispatch_; }
  EndpointReader& reader() { return reader_; }
  NodeStore& nodes() { return nodes_; }
  std::unique_ptr<NodeStore> NewNodes() { return std::make_unique<Nodes>(database_); }

  std::optional<Endpoint> Find(EndpointId id) {
    const Endpoint& endpoint = database_.endpoints().at(id).endpoint;
    if (endpoint.state == EndpointState::kDeleted) return std::nullopt;
    return endpoint;
  }
  std::map<DeliveryId, Delivery> Deliveries() {
    std::map<DeliveryId, Delivery> found;
    for (const auto& [id, row] : database_.open()) {
      Delivery& delivery = found[id];
      delivery.origin = row.origin;
      delivery.state = row.lease_node == 0 ? DeliveryState::kPending : DeliveryState::kInProgress;
      delivery.attempt_count = row.attempt_count;
      delivery.next_attempt_time = database_.NextAttemptOf(id);
    }
    for (const auto& [id, row] : database_.closed()) {
      Delivery& delivery = found[id];
      delivery.origin = row.origin;
      delivery.state = row.state;
      delivery.state_reason = row.reason;
      delivery.attempt_count = row.attempt_count;
    }
    return found;
  }
  std::vector<Attempt> Attempts(EndpointId id) {
    std::vector<Attempt> found;
    for (const memory::StoredAttempt& row : database_.attempts()) {
      if (row.attempt.endpoint_id == id) found.push_back(row.attempt);
    }
    return found;
  }
  std::map<DeliveryId, OpenMarks> Marks() {
    std::map<DeliveryId, OpenMarks> marks;
    for (const auto& [id, row] : database_.open()) {
      marks[id] = {row.lost_claims, row.alone_deaths, row.failure_count};
    }
    return marks;
  }
  std::vector<std::string> Totals(EndpointId id) {
    std::vector<std::string> shown;
    for (const auto& [of, count] : database_.totals()) {
      const auto& [endpoint_id, hour, node_no, outcome, bucket] = of;
      if (endpoint_id != id) continue;
      shown.push_back(absl::StrCat(absl::ToUnixSeconds(hour) / 3600, " ", node_no, " ",
                                   static_cast<int>(outcome), " ", bucket, ": ", count));
    }
    return shown;
  }

 private:
  class Acceptor : public EventAcceptor {
   public:
    explicit Acceptor(memory::Database& database) : database_(database) {}
    absl::StatusOr<std::vector<AcceptResult>> Accept(const std::vector<NewEvent>& events,
                                                     const std::vector<int32_t>& batches,
                                                     const FanOutLease& lease) override {
      return database_.Accept(events, batches, lease);
    }

   private:
    memory::Database& database_;
  };
  class Dispatch : public DispatchStore {
   public:
    explicit Dispatch(memory::Database& database) : database_(database) {}
    absl::StatusOr<std::vector<DueEndpoint>> FindDue(EndpointId after, int32_t limit) override {
      return database_.FindDue(after, limit);
    }
    absl::StatusOr<std::vector<ClaimedDelivery>> Claim(const std::vector<ClaimOrder>& orders,
                                                       int32_t node_no,
                                                       absl::Duration lease) override {
      return database_.Claim(orders, node_no, lease);
    }
    absl::Status Release(const std::vector<LeaseRef>& leases) override {
      database_.Release(leases);
      return absl::OkStatus();
    }
    absl::Status ReleaseUntold(const std::vector<EventId>& events, int32_t node_no) override {
      database_.ReleaseUntold(events, node_no);
      return absl::OkStatus();
    }
    absl::Status Expire(const std::vector<LeaseRef>& leases) override {
      database_.Expire(leases);
      return absl::OkStatus();
    }
    absl::StatusOr<std::vector<EndpointCount>> Record(
        const std::vector<OutcomeRecord>& outcomes,
        const std::vector<EndpointTally>& tallies) override {
      return database_.Record(outcomes, tallies);
    }
    absl::StatusOr<std::vector<LeaseRef>> LeasesHeld(const std::vector<LeaseRef>& leases) override {
      return database_.LeasesHeld(leases);
    }
    absl::StatusOr<std::vector<LeaseRef>> LeasesAwaited(
        const std::vector<LeaseRef>& leases) override {
      return database_.LeasesAwaited(leases);
    }
    absl::StatusOr<std::vector<EndpointCount>> RecordLate(
        const OutcomeRecord& outcome, const std::vector<EndpointTally>& tallies) override {
      return database_.RecordLate(outcome, tallies);
    }
    absl::Status Poison(const OutcomeRecord& outcome) override {
      database_.Poison(outcome);
      return absl::OkStatus();
    }
    absl::Status AddTotals(const std::vector<EndpointTotal>& totals, int32_t node_no) override {
      database_.AddTotals(totals, node_no);
      return absl::OkStatus();
    }
    absl::StatusOr<std::vector<FreedWork>> TakeOver(const std::vector<int32_t>& gone,
                                                    const std::vector<int32_t>& live, int32_t limit,
                                                    absl::Duration lease) override {
      return database_.TakeOver(gone, live, limit, lease);
    }

   private:
    memory::Database& database_;
  };
  class Reader : public EndpointReader {
   public:
    explicit Reader(memory::Database& database) : database_(database) {}
    absl::StatusOr<std::vector<EndpointForDispatch>> Load(
        const std::vector<EndpointId>& ids) override {
      return database_.Load(ids);
    }
    absl::StatusOr<EndpointChanges> ChangesSince(int64_t position) override {
      return database_.ChangesSince(position);
    }

   private:
    memory::Database& database_;
  };
  class Nodes : public NodeStore {
   public:
    explicit Nodes(memory::Database& database) : database_(database) {}
    absl::StatusOr<NodeRegistration> Register(const std::string& node_id) override {
      NodeRegistration made = database_.Register(node_id);
      node_id_ = node_id;
      epoch_ = made.epoch;
      return made;
    }
    absl::StatusOr<HeartbeatAnswer> Heartbeat(int32_t node_no) override {
      return database_.Heartbeat(node_no, node_id_, epoch_);
    }
    absl::Status MarkStopped(int32_t node_no) override {
      database_.MarkStopped(node_no);
      return absl::OkStatus();
    }
    absl::Status Forget(const std::vector<int32_t>& node_nos) override {
      database_.Forget(node_nos);
      return absl::OkStatus();
    }

   private:
    memory::Database& database_;
    std::string node_id_;
    int32_t epoch_ = 0;
  };

  absl::Duration passed_;
  memory::Database database_;
  Acceptor acceptor_;
  Dispatch dispatch_;
  Reader reader_;
  Nodes nodes_;
  UlidGenerator ulids_;
};

}  // namespace postrider

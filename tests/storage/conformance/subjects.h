// The stores of PostgreSQL and those in memory behind the same names, so that one suite holds both
// to the same. Everything fails the test that should not fail.

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "storage/postgres/node_store.h"
#include "tests/memory/database.h"
#include "tests/storage/postgres/store_test_base.h"

namespace postrider {

// What anybody may see of a delivery.
inline std::string Describe(DeliveryState state, StateReason reason, int32_t attempt_count) {
  const bool open = state == DeliveryState::kPending || state == DeliveryState::kInProgress;
  return absl::StrCat("state ", static_cast<int>(state), " reason ",
                      open ? 0 : static_cast<int>(reason), " attempts ", attempt_count);
}
inline std::string Describe(const Endpoint& endpoint) {
  return absl::StrCat("state ", static_cast<int>(endpoint.state), " reason ",
                      static_cast<int>(endpoint.disabled_reason), " failures ",
                      endpoint.consecutive_failures);
}

// Over a database of its own, which StoreTest brings.
class PostgresSubject : public StoreTest {
 public:
  PostgresSubject() : nodes_(Options(SessionKind::kHot)) {}

  absl::Time Now() { return DatabaseTime(); }
  EndpointId AddEndpoint(const std::vector<std::string>& events) { return NewEndpoint(events); }
  absl::Status Enable(EndpointId id, bool discard) {
    return endpoints_.Enable(id, discard).status();
  }
  absl::Status Disable(EndpointId id) { return endpoints_.Disable(id).status(); }
  absl::Status Delete(EndpointId id) { return endpoints_.Delete(id); }
  absl::Status Cancel(DeliveryId id) { return deliveries_.Cancel(id).status(); }
  absl::Status Redeliver(DeliveryId id, DeliveryId new_id) {
    return deliveries_.Redeliver(id, new_id, {}).status();
  }
  EventAcceptor& events() { return acceptor_; }
  DispatchStore& dispatch() { return dispatch_; }
  NodeStore& nodes() { return nodes_; }
  std::string Show(DeliveryId id) {
    const auto delivery = deliveries_.Get(id);
    if (!delivery.ok()) return delivery.status().ToString();
    std::string shown = Describe(delivery->state, delivery->state_reason, delivery->attempt_count);
    AttemptFilter filter;
    filter.delivery_id = id;
    const auto page = deliveries_.ListAttempts(filter, {100, {}}, 1 << 20);
    if (!page.ok()) return page.status().ToString();
    std::map<int32_t, AttemptOutcome> log;
    for (const Attempt& attempt : page->rows) log[attempt.number] = attempt.outcome;
    for (const auto& [number, outcome] : log) {
      absl::StrAppend(&shown, " ", number, ":", static_cast<int>(outcome));
    }
    return shown;
  }
  std::string Show(EndpointId id) {
    const auto endpoint = endpoints_.Get(id);
    return endpoint.ok() ? Describe(*endpoint) : "deleted";
  }

 private:
  void TestBody() override {}
  PgNodeStore nodes_;
};

class MemorySubject {
 public:
  MemorySubject()
      : database_([] { return absl::Now(); }, RandomBits),
        acceptor_(database_),
        dispatch_(database_),
        nodes_(database_),
        ulids_(RandomBits) {}

  absl::Time Now() { return absl::Now(); }
  EndpointId AddEndpoint(const std::vector<std::string>& events) {
    Endpoint endpoint;
    endpoint.id = EndpointId{ulids_.Next(Now())};
    endpoint.tenant = {"org", "env"};
    endpoint.config.url = "https://example.com/";
    endpoint.config.events = events;
    database_.CreateEndpoint(endpoint, {});
    return endpoint.id;
  }
  absl::Status Enable(EndpointId id, bool discard) { return database_.EnableEndpoint(id, discard); }
  absl::Status Disable(EndpointId id) { return database_.DisableEndpoint(id); }
  absl::Status Delete(EndpointId id) { return database_.DeleteEndpoint(id); }
  absl::Status Cancel(DeliveryId id) { return database_.Cancel(id); }
  absl::Status Redeliver(DeliveryId id, DeliveryId new_id) {
    return database_.Redeliver(id, new_id);
  }
  EventAcceptor& events() { return acceptor_; }
  DispatchStore& dispatch() { return dispatch_; }
  NodeStore& nodes() { return nodes_; }
  std::string Show(DeliveryId id) {
    std::string shown = "unknown";
    if (const auto open = database_.open().find(id); open != database_.open().end()) {
      shown = Describe(
          open->second.lease_node == 0 ? DeliveryState::kPending : DeliveryState::kInProgress,
          StateReason::kNone, open->second.attempt_count);
    } else if (const auto row = database_.closed().find(id); row != database_.closed().end()) {
      shown = Describe(row->second.state, row->second.reason, row->second.attempt_count);
    }
    for (const memory::StoredAttempt* row : database_.AttemptsOf(id)) {
      absl::StrAppend(&shown, " ", row->attempt.number, ":",
                      static_cast<int>(row->attempt.outcome));
    }
    return shown;
  }
  std::string Show(EndpointId id) {
    const Endpoint& endpoint = database_.endpoints().at(id).endpoint;
    return endpoint.state == EndpointState::kDeleted ? "deleted" : Describe(endpoint);
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
  class Nodes : public NodeStore {
   public:
    explicit Nodes(memory::Database& database) : database_(database) {}
    absl::StatusOr<NodeRegistration> Register(const std::string& node_id) override {
      return database_.Register(node_id);
    }
    absl::StatusOr<HeartbeatAnswer> Heartbeat(int32_t node_no) override {
      return database_.Heartbeat(node_no, "", 0);
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
  };

  memory::Database database_;
  Acceptor acceptor_;
  Dispatch dispatch_;
  Nodes nodes_;
  UlidGenerator ulids_;
};

}  // namespace postrider

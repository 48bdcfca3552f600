// The stores of PostgreSQL over a database of its own, which StoreTest brings.

#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/postgres/maintenance_store.h"
#include "storage/postgres/node_store.h"
#include "tests/storage/conformance/subject.h"
#include "tests/storage/postgres/store_test_base.h"

namespace postrider {

class PostgresSubject : public StoreTest {
 public:
  PostgresSubject()
      : nodes_(Options(SessionKind::kHot)),
        reader_(Options(SessionKind::kHot)),
        maintenance_(Options(SessionKind::kGeneral)) {}

  absl::Time Now() { return DatabaseTime(); }
  // Time passes for leases, retries and nodes. Tells how far Now went: the clock of PostgreSQL
  // stands for itself, so everything gets older instead.
  absl::Duration Pass(absl::Duration time) {
    const std::string by = absl::StrCat(" - interval '", absl::ToInt64Milliseconds(time), " ms'");
    Execute(absl::StrCat("UPDATE open_deliveries SET create_time = create_time", by,
                         ", next_attempt_time = next_attempt_time", by,
                         ", lease_expire_time = lease_expire_time", by));
    Execute(absl::StrCat("UPDATE nodes SET heartbeat_time = heartbeat_time", by,
                         ", stop_time = stop_time", by, ", steady_since = steady_since", by));
    return absl::ZeroDuration();
  }
  // Before something can be stored that is as old as that.
  void MakeDay(absl::Time time) {
    Execute(absl::StrCat("SELECT make_day('",
                         absl::FormatTime("%Y-%m-%d", time, absl::UTCTimeZone()), "')"));
  }

  EndpointId AddEndpoint(const std::vector<std::string>& events) { return NewEndpoint(events); }
  // So many that get everything, of which nothing else is asked.
  void AddEndpoints(int64_t count) {
    Execute(
        absl::StrCat("WITH made AS (INSERT INTO endpoint_states (endpoint_id) "
                     "SELECT ulid_at(now()) FROM generate_series(1, ",
                     count,
                     ") RETURNING endpoint_id) INSERT INTO subscriptions "
                     "SELECT env_no, '*', endpoint_id FROM made, environments"));
  }
  absl::Status Update(EndpointId id, const std::vector<std::string>& events) {
    return endpoints_
        .Update(id,
                [&](Endpoint& endpoint) {
                  endpoint.config.events = events;
                  return absl::OkStatus();
                })
        .status();
  }
  absl::Status SetOrdered(EndpointId id, bool ordered) {
    return endpoints_
        .Update(id,
                [&](Endpoint& endpoint) {
                  endpoint.config.ordered = ordered;
                  return absl::OkStatus();
                })
        .status();
  }
  absl::Status Enable(EndpointId id, bool discard) {
    return endpoints_.Enable(id, discard).status();
  }
  absl::Status Disable(EndpointId id) { return endpoints_.Disable(id).status(); }
  absl::Status Delete(EndpointId id) { return endpoints_.Delete(id); }
  absl::Status Cancel(DeliveryId id) { return deliveries_.Cancel(id).status(); }
  absl::Status Redeliver(DeliveryId id, DeliveryId new_id) {
    return deliveries_.Redeliver(id, new_id, {}).status();
  }
  void DropExpired(const RetentionOptions& options) {
    const auto dropped = maintenance_.DropExpired(options);
    EXPECT_TRUE(dropped.ok()) << dropped.status();
  }
  // While somebody is working on that delivery, of a day past retention.
  void DropExpiredBeside(DeliveryId busy, const RetentionOptions& options) {
    Execute(absl::StrCat("BEGIN; SELECT FROM open_deliveries WHERE delivery_id = '",
                         Uuid(busy.ulid), "' FOR UPDATE"));
    DropExpired(options);
    Execute("ROLLBACK");
  }

  EventAcceptor& events() { return acceptor_; }
  DispatchStore& dispatch() { return dispatch_; }
  EndpointReader& reader() { return reader_; }
  NodeStore& nodes() { return nodes_; }
  // Each node has its own.
  std::unique_ptr<NodeStore> NewNodes() {
    return std::make_unique<PgNodeStore>(Options(SessionKind::kHot));
  }

  std::optional<Endpoint> Find(EndpointId id) {
    auto endpoint = endpoints_.Get(id);
    if (absl::IsNotFound(endpoint.status())) return std::nullopt;
    EXPECT_TRUE(endpoint.ok()) << endpoint.status();
    return *std::move(endpoint);
  }
  std::map<DeliveryId, Delivery> Deliveries() {
    DeliveryFilter filter;
    filter.tenant = tenant_;
    const auto page = deliveries_.List(filter, {1000, {}});
    EXPECT_TRUE(page.ok() && !page->more) << page.status();
    std::map<DeliveryId, Delivery> found;
    for (const Delivery& delivery : page->rows) found[delivery.id] = delivery;
    return found;
  }
  std::vector<Attempt> Attempts(EndpointId id) {
    AttemptFilter filter;
    filter.endpoint_id = id;
    const auto page = deliveries_.ListAttempts(filter, {1000, {}}, 1 << 24);
    EXPECT_TRUE(page.ok() && !page->more) << page.status();
    return page->rows;
  }
  std::map<DeliveryId, OpenMarks> Marks() {
    const auto rows =
        session_.Run({"marks",
                      "SELECT delivery_id, lost_claims::int, alone_deaths::int, failure_count::int "
                      "FROM open_deliveries"});
    EXPECT_TRUE(rows.ok()) << rows.status();
    std::map<DeliveryId, OpenMarks> marks;
    for (int row = 0; row < rows->rows(); ++row) {
      marks[DeliveryId{rows->Uuid(row, 0)}] = {static_cast<int32_t>(rows->Int(row, 1)),
                                               static_cast<int32_t>(rows->Int(row, 2)),
                                               static_cast<int32_t>(rows->Int(row, 3))};
    }
    return marks;
  }
  // "hours since the epoch, node, outcome, bucket: count", in that order.
  std::vector<std::string> Totals(EndpointId id) {
    return Rows(absl::StrCat(
        "SELECT (extract(epoch FROM hour) / 3600)::bigint || ' ' || node_no || ' ' || outcome || "
        "' ' || duration_bucket || ': ' || count FROM endpoint_totals WHERE endpoint_id = '",
        Uuid(id.ulid), "' ORDER BY hour, node_no, outcome, duration_bucket"));
  }

 private:
  void TestBody() override {}
  static std::string Uuid(const Ulid& id) {
    std::string hex;
    for (uint8_t byte : id.bytes) absl::StrAppend(&hex, absl::Hex(byte, absl::kZeroPad2));
    return hex;
  }

  PgNodeStore nodes_;
  PgEndpointReader reader_;
  PgMaintenanceStore maintenance_;
};

}  // namespace postrider

// A migrated database of its own for every test, with short ways to what the stores need:
// endpoints, events, leased deliveries.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "storage/dispatch_store.h"
#include "storage/event_store.h"
#include "storage/postgres/delivery_store.h"
#include "storage/postgres/dispatch_store.h"
#include "storage/postgres/endpoint_store.h"
#include "storage/postgres/environments.h"
#include "storage/postgres/event_acceptor.h"
#include "storage/postgres/event_store.h"
#include "storage/postgres/session.h"
#include "storage/postgres/session_pool.h"
#include "tests/support/test_database.h"

namespace postrider {

// A delivery that a node has leased.
struct Leased {
  DeliveryId id;
  EventId event_id;
  EndpointId endpoint_id;
  int64_t token = 0;
};

// Bits for ids. Thread-safe.
uint64_t RandomBits();

class StoreTest : public ::testing::Test {
 protected:
  StoreTest();

  SessionOptions Options(SessionKind kind) const;

  // Values as PostgreSQL prints them, null as "". The first one of the first row, "" for no row:
  std::string Value(const std::string& query);
  // "a|b|c" a row:
  std::vector<std::string> Rows(const std::string& query);
  void Execute(const std::string& sql);
  absl::Time DatabaseTime();
  // A length of idempotency windows, whole seconds and a little over the given one, with which the
  // current window began between `min_ago` and `max_ago` ago.
  absl::Duration WindowBegun(absl::Duration min_ago, absl::Duration max_ago, absl::Duration length);

  template <typename Id>
  Id NewId() {
    return Id{ulids_.Next(DatabaseTime())};
  }

  // An enabled endpoint of tenant_ with these subscriptions.
  EndpointId NewEndpoint(const std::vector<std::string>& events = {},
                         std::optional<Tenant> tenant = std::nullopt, bool ordered = false);
  NewEvent MakeEvent(const std::string& type, const std::string& key = "");
  // Accepts each event as a batch of its own; a failure of the test when that fails.
  std::vector<AcceptResult> Accept(const std::vector<NewEvent>& events, const FanOutLease& lease);
  // `count` events for the endpoints of tenant_, with their deliveries leased to node 1.
  std::vector<Leased> Lease(int count, const std::string& type = "t");
  // The same, left for whoever claims.
  void LeaveDue(int count, const std::string& type = "t");
  // What a node gets when it claims that many of an endpoint.
  std::vector<Leased> Claim(EndpointId endpoint, int count, int32_t node_no = 2);

  // What an attempt of that delivery came to: a success ends it, a failure lets it wait a minute.
  OutcomeRecord OutcomeOf(const Leased& delivery, AttemptOutcome outcome);
  absl::Status Record(const std::vector<OutcomeRecord>& outcomes);

  const Tenant tenant_{"org", "env"};
  const std::unique_ptr<testing::TestDatabase> database_;
  Environments environments_;
  UlidGenerator ulids_;
  Session session_;
  SessionPool pool_;
  PgEndpointStore endpoints_;
  PgDeliveryStore deliveries_;
  PgEventAcceptor acceptor_;
  PgDispatchStore dispatch_;
};

}  // namespace postrider

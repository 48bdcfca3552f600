// A database that is full, and stores whose statements are looked at while they run in it.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "storage/postgres/delivery_store.h"
#include "storage/postgres/dispatch_store.h"
#include "storage/postgres/endpoint_store.h"
#include "storage/postgres/environments.h"
#include "storage/postgres/event_acceptor.h"
#include "storage/postgres/event_store.h"
#include "storage/postgres/maintenance_store.h"
#include "storage/postgres/node_store.h"
#include "storage/postgres/purge_store.h"
#include "storage/postgres/session_pool.h"
#include "tests/support/test_database.h"

namespace postrider {

// All stores, over sessions of their own whose statements are explained.
struct Stores {
  explicit Stores(const std::string& conninfo);

  SessionOptions hot;
  SessionOptions general;
  Environments environments;
  PgEventAcceptor acceptor;
  PgDispatchStore dispatch;
  PgEndpointReader reader;
  SessionPool pool;
  PgEventStore events;
  PgDeliveryStore deliveries;
  PgEndpointStore endpoints;
  PgMaintenanceStore maintenance;
  PgNodeStore nodes;
  PgPurgeStore purges;
};

// What a statement may cost at most. Blocks are pages that a node of its plan touched, written ones
// included; a statement that writes touches a dozen a row for the indexes.
struct Limit {
  int64_t rows;
  int64_t blocks;
};

class PlansTest : public ::testing::Test {
 protected:
  // One database for all tests of a program: migrated in SetUpTestSuite, filled by Fill. Statistics
  // are taken when a test says so, and never by themselves: they would end the plans that were made
  // before.
  static void SetUpTestSuite();
  // In the place of the one before.
  static void NewDatabase();
  static void Fill();

  // Runs `call` and looks at the plans of its statements, all of them.
  static void ExpectCheap(const std::string& what, Limit limit, absl::FunctionRef<void()> call);

  static Ulid UlidOf(const std::string& uuid);
  // The id that a query gives.
  template <typename Id>
  static Id Find(const std::string& query) {
    return Id{UlidOf(database_->Value(query))};
  }
  static absl::Time DatabaseTime();

  static testing::TestDatabase* database_;
  static std::vector<EndpointId> endpoints_;  // once it is full; every 50th is disabled
  static std::vector<EndpointId> ordered_;    // then too, with a long queue each
};

}  // namespace postrider

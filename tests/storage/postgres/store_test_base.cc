#include "tests/storage/postgres/store_test_base.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/postgres/maintenance_store.h"

namespace postrider {
namespace {

using testing::TestCluster;
using testing::TestDatabase;

// What every test's database begins as, made once a program: migrating takes longer than copying.
const TestDatabase& Migrated() {
  static const TestDatabase* const migrated = [] {
    const TestDatabase* database = TestCluster::OfProgram().NewDatabase().release();
    PgMaintenanceStore maintenance({database->conninfo()});
    absl::Status status = maintenance.Migrate();
    if (status.ok()) status = maintenance.MakePartitions();
    if (!status.ok()) {
      std::fprintf(stderr, "no database for the tests: %s\n", status.ToString().c_str());
      std::abort();
    }
    return database;
  }();
  return *migrated;
}

}  // namespace

uint64_t RandomBits() {
  thread_local std::mt19937_64 random{std::random_device()()};
  return random();
}

StoreTest::StoreTest()
    : database_(TestCluster::OfProgram().CopyOf(Migrated())),
      ulids_(RandomBits),
      session_(Options(SessionKind::kGeneral)),
      pool_(Options(SessionKind::kGeneral), 2),
      endpoints_(pool_, environments_),
      deliveries_(pool_, environments_),
      acceptor_(Options(SessionKind::kHot), environments_, absl::Hours(24), RandomBits),
      dispatch_(Options(SessionKind::kHot)) {}

SessionOptions StoreTest::Options(SessionKind kind) const {
  SessionOptions options;
  options.conninfo = database_->conninfo();
  options.kind = kind;
  return options;
}

std::vector<std::string> StoreTest::Rows(const std::string& query) {
  std::vector<std::string> rows;
  for (const std::vector<std::string>& row : database_->Query(query)) {
    rows.push_back(absl::StrJoin(row, "|"));
  }
  return rows;
}

std::string StoreTest::Value(const std::string& query) { return database_->Value(query); }

void StoreTest::Execute(const std::string& sql) { database_->Query(sql); }

absl::Time StoreTest::DatabaseTime() {
  const auto rows = session_.Run({"now", "SELECT clock_timestamp()"});
  EXPECT_TRUE(rows.ok()) << rows.status();
  return rows.ok() ? rows->Time(0, 0) : absl::UnixEpoch();
}

absl::Duration StoreTest::WindowBegun(absl::Duration min_ago, absl::Duration max_ago,
                                      absl::Duration length) {
  const int64_t now = absl::ToUnixSeconds(DatabaseTime());
  for (int64_t seconds = absl::ToInt64Seconds(length);; ++seconds) {
    const absl::Duration ago = absl::Seconds(now % seconds);
    if (min_ago <= ago && ago <= max_ago) return absl::Seconds(seconds);
  }
}

EndpointId StoreTest::NewEndpoint(const std::vector<std::string>& events,
                                  std::optional<Tenant> tenant, bool ordered) {
  Endpoint endpoint;
  endpoint.id = NewId<EndpointId>();
  endpoint.tenant = tenant.value_or(tenant_);
  endpoint.config.url = "https://example.com/";
  endpoint.config.events = events;
  endpoint.config.ordered = ordered;
  EndpointSecret secret;
  secret.version = 1;
  secret.sealed = {"key", std::string(12, 'n'), "sealed"};
  const auto created = endpoints_.Create(endpoint, secret, {}, 1000);
  EXPECT_TRUE(created.ok()) << created.status();
  return endpoint.id;
}

NewEvent StoreTest::MakeEvent(const std::string& type, const std::string& key) {
  NewEvent event;
  event.create_time = DatabaseTime();
  event.id = EventId{ulids_.Next(event.create_time)};
  event.tenant = tenant_;
  event.type = type;
  event.event_time = event.create_time;
  event.idempotency_key = key;
  event.body = std::make_shared<const std::string>(absl::StrCat("{\"type\":\"", type, "\"}"));
  event.content_digest = std::string(32, 'd');
  return event;
}

std::vector<AcceptResult> StoreTest::Accept(const std::vector<NewEvent>& events,
                                            const FanOutLease& lease) {
  std::vector<int32_t> batches;
  for (size_t i = 0; i < events.size(); ++i) batches.push_back(static_cast<int32_t>(i));
  auto results = acceptor_.Accept(events, batches, lease);
  EXPECT_TRUE(results.ok()) << results.status();
  return results.ok() ? *std::move(results) : std::vector<AcceptResult>(events.size());
}

std::vector<Leased> StoreTest::Lease(int count, const std::string& type) {
  std::vector<NewEvent> events;
  for (int i = 0; i < count; ++i) events.push_back(MakeEvent(type));
  std::vector<Leased> leased;
  for (const AcceptResult& result : Accept(events, {1, absl::Seconds(30), {}})) {
    for (const NewDelivery& delivery : result.deliveries) {
      EXPECT_TRUE(delivery.leased);
      leased.push_back({delivery.id, result.event_id, delivery.endpoint_id, delivery.lease_token});
    }
  }
  return leased;
}

void StoreTest::LeaveDue(int count, const std::string& type) {
  std::vector<NewEvent> events;
  for (int i = 0; i < count; ++i) events.push_back(MakeEvent(type));
  for (const AcceptResult& result : Accept(events, {0, absl::Seconds(30), {}})) {
    for (const NewDelivery& delivery : result.deliveries) EXPECT_FALSE(delivery.leased);
  }
}

std::vector<Leased> StoreTest::Claim(EndpointId endpoint, int count, int32_t node_no) {
  const auto claimed = dispatch_.Claim({{endpoint, count}}, node_no, absl::Seconds(30));
  EXPECT_TRUE(claimed.ok()) << claimed.status();
  std::vector<Leased> leased;
  if (!claimed.ok()) return leased;
  for (const ClaimedDelivery& c : *claimed) {
    leased.push_back({c.id, c.event_id, c.endpoint_id, c.lease_token});
  }
  return leased;
}

OutcomeRecord StoreTest::OutcomeOf(const Leased& delivery, AttemptOutcome outcome) {
  const absl::Time now = DatabaseTime();
  const bool success = outcome == AttemptOutcome::kSucceeded;
  OutcomeRecord record;
  record.attempt.id = AttemptId{ulids_.Next(now)};
  record.attempt.delivery_id = delivery.id;
  record.attempt.event_id = delivery.event_id;
  record.attempt.endpoint_id = delivery.endpoint_id;
  record.attempt.start_time = now - absl::Milliseconds(20);
  record.attempt.duration = absl::Milliseconds(20);
  record.attempt.outcome = outcome;
  record.attempt.http_status = success ? 200 : outcome == AttemptOutcome::kHttpStatus ? 500 : 0;
  record.lease_token = delivery.token;
  record.state = success ? DeliveryState::kSucceeded : DeliveryState::kPending;
  record.uses_retry = !success;
  record.next_attempt_time = now + absl::Minutes(1);
  record.complete_time = now;
  return record;
}

absl::Status StoreTest::Record(const std::vector<OutcomeRecord>& outcomes) {
  return dispatch_.Record(outcomes, {}).status();
}

}  // namespace postrider

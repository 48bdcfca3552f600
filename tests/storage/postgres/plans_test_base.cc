#include "tests/storage/postgres/plans_test_base.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "tests/storage/postgres/plan_log.h"
#include "tests/storage/postgres/store_test_base.h"

namespace postrider {
namespace {

// Nobody reads so little and takes so long, on a busy machine either.
constexpr double kMaxMilliseconds = 3000;

// Tables of which no statement may read everything. The first and the last day of a history may
// have just begun: reading the little that such a partition holds is right.
bool IsBig(const std::string& table, testing::TestDatabase& database) {
  const std::string size = absl::StrCat("SELECT pg_relation_size('", table, "') < 65536");
  if (database.Value(size) == "t") return false;
  for (const char* big :
       {"open_deliveries", "closed_deliveries", "attempts", "events_", "idempotency_keys"}) {
    if (table.rfind(big, 0) == 0) return true;
  }
  return false;
}

// Two environments: org/env has 700 endpoints, other/env 300. An endpoint has about 200 open
// deliveries, some due, some waiting, a few leased; five days of history lie behind them.
constexpr char kFill[] = R"SQL(
CREATE FUNCTION numbered(t timestamptz, n int) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
  SELECT (lpad(to_hex((extract(epoch FROM t) * 1000)::bigint), 12, '0') ||
          '0000' || substr(md5(n::text), 1, 16))::uuid $$;
CREATE TABLE ep AS
  SELECT numbered(now() - interval '3 days', n) AS id, n, 1 + (n % 10 >= 7)::int AS env_no
  FROM generate_series(0, 999) AS n;
INSERT INTO endpoints (endpoint_id, env_no, url, events, description, header_names,
                       retry_schedule_ms, retries_disabled, ordered, metadata_keys,
                       metadata_values, signature_scheme, secret_hint)
  SELECT id, env_no, 'https://example.com/', ARRAY['t' || n % 100 || '.*'], '', '{}', '{}', false,
         false, '{}', '{}', 1, '' FROM ep;
INSERT INTO endpoint_states (endpoint_id, state) SELECT id, 1 + (n % 50 = 0)::int FROM ep;
INSERT INTO endpoint_secrets (endpoint_id, version, scheme, key_id, nonce, sealed)
  SELECT id, 1, 1, 'key', '', '' FROM ep;
INSERT INTO subscriptions (env_no, pattern, endpoint_id)
  SELECT env_no, 't' || n % 100 || '.*', id FROM ep;
INSERT INTO endpoint_changes (endpoint_id, kind) SELECT id, 1 FROM ep;
INSERT INTO nodes (node_id, epoch, heartbeat_time)
SELECT 'node' || n, 1, now() - (n = 3)::int * interval '1 minute' FROM generate_series(1, 4) AS n;

-- An event every eight seconds, up to now.
CREATE TABLE ev AS
  SELECT numbered(t, n) AS id, t, n, 1 + (n % 10 >= 7)::int AS env_no, 't' || n % 100 || '.x' AS type
  FROM generate_series(0, 49999) AS n, LATERAL (SELECT now() - n * interval '8 s' AS t) AS x;
INSERT INTO events (event_id, env_no, type, event_time, create_time, delivery_count,
                    idempotency_key, body, commit_xid)
  SELECT id, env_no, type, t, t, 4, n, '{}', 1 FROM ev;
INSERT INTO idempotency_keys (window_start, env_no, key, event_id, content_digest, delivery_count,
                              create_time)
  SELECT date_trunc('day', t), env_no, n, id, '', 4, t FROM ev
  WHERE t >= date_trunc('day', now()) - interval '2 days';

-- Today has something at any time of the day: 2000 events more, with a delivery each, since it began.
CREATE TABLE today AS
  SELECT numbered(t, n) AS id, t, n, 1 + (n % 10 >= 7)::int AS env_no, 't' || n % 100 || '.x' AS type
  FROM generate_series(20000000, 20001999) AS n,
       LATERAL (SELECT date_trunc('day', now()) + (now() - date_trunc('day', now())) *
                       ((n - 20000000) / 2000.0) AS t) AS x;
INSERT INTO events (event_id, env_no, type, event_time, create_time, delivery_count,
                    idempotency_key, body, commit_xid)
  SELECT id, env_no, type, t, t, 1, n, '{}', 1 FROM today;
INSERT INTO idempotency_keys (window_start, env_no, key, event_id, content_digest, delivery_count,
                              create_time)
  SELECT date_trunc('day', t), env_no, n, id, '', 1, t FROM today;

INSERT INTO open_deliveries (delivery_id, event_id, endpoint_id, env_no, event_type, origin,
                             create_time, next_attempt_time, lease_node, lease_token,
                             lease_expire_time)
  SELECT numbered(t, ev.n + 1000000 * k), ev.id, ep.id, ev.env_no, type, 1, t,
         CASE WHEN ev.n % 3 = 0 THEN t ELSE now() + ev.n * interval '1 s' END,
         CASE WHEN ev.n % 100 < 3 THEN 1 + ev.n % 3 END, 1, now() + interval '30 s'
  FROM ev, generate_series(1, 4) AS k, ep WHERE ep.n = (ev.n * 7 + k * 13) % 1000;

-- Of each hundredth event one was made again, and is over.
INSERT INTO closed_deliveries (delivery_id, event_id, endpoint_id, env_no, event_type, origin, state,
                               state_reason, attempt_count, create_time, complete_time)
  SELECT numbered(t + interval '1 minute', ev.n + 6000000), ev.id, ep.id, ev.env_no, type, 2, 3, 0, 1,
         t + interval '1 minute', t + interval '1 minute'
  FROM ev, ep WHERE ev.n > 100 AND ev.n % 100 = 0 AND ep.n = ev.n % 1000;

-- A crowded millisecond three days ago: 20 events for 100 endpoints each, half of their deliveries open.
CREATE TABLE crowd AS
  SELECT numbered(time, n + 60000) AS id, n, time
  FROM generate_series(1, 20) AS n, (SELECT now() - interval '3 days' AS time) AS t;
INSERT INTO events (event_id, env_no, type, event_time, create_time, delivery_count, body, commit_xid)
  SELECT id, 1, 'crowd', time, time, 100, '{}', 1 FROM crowd;
INSERT INTO open_deliveries (delivery_id, event_id, endpoint_id, env_no, event_type, origin,
                             create_time, next_attempt_time)
  SELECT numbered(time, 7000000 + crowd.n * 1000 + ep.n), crowd.id, ep.id, 1, 'crowd', 1, time,
         now() + interval '1 hour'
  FROM crowd, ep WHERE ep.n BETWEEN 200 AND 249;
INSERT INTO closed_deliveries (delivery_id, event_id, endpoint_id, env_no, event_type, origin, state,
                               state_reason, attempt_count, create_time, complete_time)
  SELECT numbered(time, 7000000 + crowd.n * 1000 + ep.n), crowd.id, ep.id, 1, 'crowd', 1, 3, 0, 1,
         time, time
  FROM crowd, ep WHERE ep.n BETWEEN 250 AND 299;
INSERT INTO attempts (attempt_id, delivery_id, event_id, endpoint_id, env_no, number, origin,
                      start_time, duration_us, outcome, http_status, error, remote_address,
                      send_count, response_headers, response_body, response_body_truncated,
                      phases_us, commit_xid)
  SELECT numbered(time, 8000000 + crowd.n * 1000 + ep.n),
         numbered(time, 7000000 + crowd.n * 1000 + ep.n), crowd.id, ep.id, 1, 1, 1, time, 1000, 1,
         200, '', '', 1, '', 'answer', false, '{1,1,1,1}', 1
  FROM crowd, ep WHERE ep.n BETWEEN 250 AND 299;

-- Ten ordered endpoints, and for each what was accepted within 3000 seconds, four days ago.
CREATE TABLE queues AS
  SELECT numbered(now() - interval '2 days', n) AS id, n FROM generate_series(1, 10) AS n;
INSERT INTO endpoints (endpoint_id, env_no, url, events, description, header_names,
                       retry_schedule_ms, retries_disabled, ordered, metadata_keys,
                       metadata_values, signature_scheme, secret_hint)
  SELECT id, 1, 'https://example.com/', ARRAY['queued'], '', '{}', '{}', false, true, '{}', '{}',
         1, '' FROM queues;
INSERT INTO endpoint_states (endpoint_id, ordered) SELECT id, true FROM queues;
INSERT INTO open_deliveries (delivery_id, event_id, endpoint_id, env_no, event_type, origin,
                             create_time, next_attempt_time, lease_token, sequence)
  SELECT numbered(t.time, ev.n * 10 + queues.n + 8000000), ev.id, queues.id, 1, 'queued', 1, t.time,
         t.time, 1, (60000 - ev.n) << 16
  FROM ev, queues, LATERAL (SELECT now() - interval '4 days' - ev.n * interval '1 s' AS time) AS t
  WHERE ev.n < 3000;

INSERT INTO closed_deliveries (delivery_id, event_id, endpoint_id, env_no, event_type, origin, state,
                               state_reason, attempt_count, create_time, complete_time)
  SELECT numbered(t, ev.n + 5000000), ev.id, ep.id, ev.env_no, type, 1,
         CASE WHEN ev.n % 10000 = 3 THEN 4 ELSE 3 END, 0, 1, t, t
  FROM ev, ep WHERE ep.n = ev.n % 1000;
INSERT INTO attempts (attempt_id, delivery_id, event_id, endpoint_id, env_no, number, origin,
                      start_time, duration_us, outcome, http_status, error, remote_address,
                      send_count, response_headers, response_body, response_body_truncated,
                      phases_us, commit_xid)
  SELECT numbered(t, ev.n), numbered(t, ev.n + 5000000), ev.id, ep.id, ev.env_no, 1, 1, t, 1000,
         CASE WHEN ev.n % 10000 = 3 THEN 3 ELSE 1 END, 200, '', '', 1, '', '', false, '{1,1,1,1}', 1
  FROM ev, ep WHERE ep.n = ev.n % 1000;

INSERT INTO closed_deliveries (delivery_id, event_id, endpoint_id, env_no, event_type, origin, state,
                               state_reason, attempt_count, create_time, complete_time)
  SELECT numbered(t, today.n + 5000000), today.id, ep.id, today.env_no, type, 1, 3, 0, 1, t, t
  FROM today, ep WHERE ep.n = today.n % 1000;
INSERT INTO attempts (attempt_id, delivery_id, event_id, endpoint_id, env_no, number, origin,
                      start_time, duration_us, outcome, http_status, error, remote_address,
                      send_count, response_headers, response_body, response_body_truncated,
                      phases_us, commit_xid)
  SELECT numbered(t, today.n), numbered(t, today.n + 5000000), today.id, ep.id, today.env_no, 1, 1, t,
         1000, 1, 200, '', '', 1, '', '', false, '{1,1,1,1}', 1
  FROM today, ep WHERE ep.n = today.n % 1000;
)SQL";

}  // namespace

Stores::Stores(const std::string& conninfo)
    : hot{Explained(conninfo), SessionKind::kHot},
      general{Explained(conninfo), SessionKind::kGeneral},
      acceptor(hot, environments, absl::Hours(24), RandomBits),
      dispatch(hot),
      reader(hot),
      pool(general, 1),
      events(pool, environments),
      deliveries(pool, environments),
      endpoints(pool, environments),
      maintenance(general),
      nodes(general),
      purges(pool) {}

testing::TestDatabase* PlansTest::database_ = nullptr;
std::vector<EndpointId> PlansTest::endpoints_;
std::vector<EndpointId> PlansTest::ordered_;

void PlansTest::SetUpTestSuite() {
  if (database_ == nullptr) NewDatabase();
}

void PlansTest::NewDatabase() {
  endpoints_.clear();
  ordered_.clear();
  delete database_;
  database_ = testing::TestCluster::OfProgram().NewDatabase().release();
  PgMaintenanceStore maintenance({database_->conninfo()});
  ASSERT_TRUE(maintenance.Migrate().ok());
  ASSERT_TRUE(maintenance.MakePartitions().ok());
  database_->Query(R"SQL(
    INSERT INTO environments (org_id, env_id) VALUES ('org', 'env'), ('other', 'env');
    SELECT make_day((now() AT TIME ZONE 'UTC')::date - n) FROM generate_series(2, 5) AS n;
    DO $$ DECLARE name text; BEGIN
      FOR name IN SELECT relname FROM pg_class
                  WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace LOOP
        EXECUTE format('ALTER TABLE %I SET (autovacuum_enabled = false)', name);
      END LOOP; END $$)SQL");
}

void PlansTest::Fill() {
  if (!endpoints_.empty()) return;
  database_->Query(kFill);
  for (const auto& row : database_->Query("SELECT id FROM ep ORDER BY n")) {
    endpoints_.push_back(EndpointId{UlidOf(row[0])});
  }
  for (const auto& row : database_->Query("SELECT id FROM queues")) {
    ordered_.push_back(EndpointId{UlidOf(row[0])});
  }
}

void PlansTest::ExpectCheap(const std::string& what, Limit limit, absl::FunctionRef<void()> call) {
  const std::vector<ExecutedPlan> plans = PlansOf(call);
  EXPECT_THAT(plans, ::testing::Not(::testing::IsEmpty())) << what;
  for (const ExecutedPlan& plan : plans) {
    EXPECT_LE(plan.rows, limit.rows) << what << ": " << plan.text;
    EXPECT_LE(plan.blocks, limit.blocks) << what << ": " << plan.text;
    EXPECT_LT(plan.milliseconds, kMaxMilliseconds) << what << ": " << plan.text;
    for (const std::string& table : plan.whole_tables) {
      EXPECT_FALSE(IsBig(table, *database_))
          << what << " reads all of " << table << ": " << plan.text;
    }
  }
}

Ulid PlansTest::UlidOf(const std::string& uuid) {
  Ulid ulid;
  const std::string bytes = absl::HexStringToBytes(absl::StrReplaceAll(uuid, {{"-", ""}}));
  EXPECT_EQ(bytes.size(), ulid.bytes.size()) << uuid;
  std::copy(bytes.begin(), bytes.end(), ulid.bytes.begin());
  return ulid;
}

absl::Time PlansTest::DatabaseTime() {
  double seconds = 0;
  EXPECT_TRUE(absl::SimpleAtod(database_->Value("SELECT extract(epoch FROM now())"), &seconds));
  return absl::FromUnixMicros(static_cast<int64_t>(seconds * 1e6));
}

}  // namespace postrider

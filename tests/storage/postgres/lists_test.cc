// What the lists hold, by every filter and over all pages, against the plainest query there is.

#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "storage/postgres/maintenance_store.h"
#include "tests/storage/postgres/store_test_base.h"

namespace postrider {
namespace {

constexpr int64_t kManyBytes = 1 << 20;

class ListsTest : public StoreTest {
 protected:
  // Deliveries and attempts of the last two days in all states, made by a seeded generator. Events
  // are made on the hour, two in its millisecond; a third of the deliveries is made again, later.
  void Fill(const std::string& seed) {
    Execute(absl::StrCat("SELECT setseed(", seed, R"SQL();
      INSERT INTO environments (org_id, env_id) VALUES ('a', 'x'), ('a', 'y'), ('b', 'x');
      CREATE TABLE ep AS SELECT ulid_at(now()) AS id, n FROM generate_series(1, 5) AS n;
      INSERT INTO endpoint_states (endpoint_id, state) SELECT id, 1 + n % 3 FROM ep;
      CREATE TABLE d AS
        SELECT ulid_at(t) AS id, ulid_at(t) AS attempt_id, t, 1 + again::int AS origin,
               (left(ulid_floor(hour)::text, 35) || n % 2)::uuid AS event_id, 1 + n % 3 AS env_no,
               (SELECT id FROM ep WHERE ep.n = 1 + floor(r * 5)::int) AS endpoint_id,
               1 + floor(random() * 5)::int AS state, 1 + floor(random() * 8)::int AS outcome
        FROM generate_series(1, 120) AS n,
             LATERAL (SELECT n % 3 = 0 AS again, random() AS r,
                             date_trunc('ms', now() - random() * interval '20 hours') AS later) AS x,
             LATERAL (SELECT date_trunc('hour', later) AS hour) AS y,
             LATERAL (SELECT CASE WHEN again THEN later ELSE hour END AS t) AS z;
      INSERT INTO open_deliveries (delivery_id, event_id, endpoint_id, env_no, event_type, origin,
                                   create_time, next_attempt_time, lease_node)
        SELECT id, event_id, endpoint_id, env_no, 't', origin, t, t, CASE WHEN state = 2 THEN 1 END
        FROM d WHERE state <= 2;
      INSERT INTO closed_deliveries (delivery_id, event_id, endpoint_id, env_no, event_type, origin,
                                     state, state_reason, attempt_count, create_time, complete_time)
        SELECT id, event_id, endpoint_id, env_no, 't', origin, state, state - 3, 1, t, t
        FROM d WHERE state > 2;
      INSERT INTO attempts (attempt_id, delivery_id, event_id, endpoint_id, env_no, number, origin,
                            start_time, duration_us, outcome, http_status, error, remote_address,
                            send_count, response_headers, response_body, response_body_truncated,
                            phases_us, commit_xid)
        SELECT attempt_id, id, event_id, endpoint_id, env_no, 1, 1, t, 1, outcome, 0, '', '', 1, '',
               '', false, '{1,1,1,1}', 1 FROM d)SQL"));
  }

  template <typename Id>
  Id Some(const std::string& column) {
    const auto rows = session_.Run(
        {"some", absl::StrCat("SELECT ", column, " FROM d ORDER BY random() LIMIT 1").c_str()});
    EXPECT_TRUE(rows.ok()) << rows.status();
    return Id{rows->Uuid(0, 0)};
  }

  // The ids that fulfil all conditions, newest first.
  template <typename Id>
  std::vector<Id> Expected(const std::string& column, const std::vector<std::string>& conditions) {
    const auto rows = session_.Run(
        {"expected", absl::StrCat("SELECT ", column, " FROM d JOIN environments USING (env_no) ",
                                  conditions.empty() ? "" : " WHERE ",
                                  absl::StrJoin(conditions, " AND "), " ORDER BY 1 DESC")
                         .c_str()});
    EXPECT_TRUE(rows.ok()) << rows.status();
    std::vector<Id> ids;
    for (int row = 0; row < rows->rows(); ++row) ids.push_back(Id{rows->Uuid(row, 0)});
    return ids;
  }

  // The ids of all pages of seven.
  template <typename Id, typename List>
  std::vector<Id> Pages(List list) {
    std::vector<Id> ids;
    PageRequest request;
    request.size = 7;
    for (bool more = true; more;) {
      const auto page = list(request);
      EXPECT_TRUE(page.ok()) << page.status();
      if (!page.ok()) break;
      for (const auto& row : page->rows) ids.push_back(row.id);
      more = page->more;
      EXPECT_LE(page->rows.size(), 7u);
      if (more) request.after = ids.back().ulid;
    }
    return ids;
  }

  static std::string Uuid(const Ulid& id) {
    std::string hex;
    for (uint8_t byte : id.bytes) absl::StrAppend(&hex, absl::Hex(byte, absl::kZeroPad2));
    return absl::StrCat("'", hex, "'::uuid");
  }
  static std::string Text(absl::Time time) {
    return absl::StrCat("'", absl::FormatTime(absl::RFC3339_full, time, absl::UTCTimeZone()), "'");
  }
};

TEST_F(ListsTest, DeliveriesAreThoseThatFulfilEveryFilter) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  Fill(absl::StrCat(static_cast<double>(seed % 1000) / 1000));
  const absl::Time now = DatabaseTime();
  int found = 0;
  for (int i = 0; i < 80; ++i) {
    DeliveryFilter filter;
    std::vector<std::string> conditions;
    if (random() % 2 == 0) {
      filter.tenant.org_id = random() % 2 == 0 ? "a" : "b";
      conditions.push_back("org_id = '" + filter.tenant.org_id + "'");
    }
    if (random() % 2 == 0) {
      filter.tenant.env_id = random() % 2 == 0 ? "x" : "y";
      conditions.push_back("env_id = '" + filter.tenant.env_id + "'");
    }
    if (random() % 3 == 0) {
      filter.endpoint_id = Some<EndpointId>("endpoint_id");
      conditions.push_back("endpoint_id = " + Uuid(filter.endpoint_id->ulid));
    }
    if (random() % 4 == 0) {
      filter.event_id = Some<EventId>("event_id");
      conditions.push_back("event_id = " + Uuid(filter.event_id->ulid));
    }
    if (random() % 2 == 0) {
      filter.state = static_cast<DeliveryState>(1 + random() % 5);
      conditions.push_back(absl::StrCat("state = ", static_cast<int>(*filter.state)));
    }
    if (random() % 3 == 0) {
      filter.start_time = now - absl::Minutes(random() % 1200);
      conditions.push_back("t >= " + Text(*filter.start_time));
    }
    if (random() % 3 == 0) {
      filter.end_time = now - absl::Minutes(random() % 1200);
      conditions.push_back("t < " + Text(*filter.end_time));
    }
    const auto ids = Pages<DeliveryId>(
        [&](const PageRequest& request) { return deliveries_.List(filter, request); });
    ASSERT_EQ(ids, Expected<DeliveryId>("id", conditions)) << absl::StrJoin(conditions, " AND ");
    found += static_cast<int>(ids.size());
  }
  EXPECT_GT(found, 100);
}

TEST_F(ListsTest, AttemptsAreThoseThatFulfilEveryFilter) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  Fill(absl::StrCat(static_cast<double>(seed % 1000) / 1000));
  // One that began long before it was found abandoned, and one whose node's clock is a little
  // ahead.
  Execute(
      "UPDATE attempts SET start_time = start_time + interval '1 s' WHERE number = 1 AND "
      "attempt_id "
      "IN (SELECT attempt_id FROM d LIMIT 5);"
      "UPDATE attempts SET start_time = start_time - interval '3 hours' WHERE outcome = 8;"
      "UPDATE d SET t = start_time FROM attempts a WHERE a.attempt_id = d.attempt_id");
  const absl::Time now = DatabaseTime();
  int found = 0;
  for (int i = 0; i < 60; ++i) {
    AttemptFilter filter;
    std::vector<std::string> conditions;
    if (random() % 5 == 0) {
      filter.delivery_id = Some<DeliveryId>("id");
      conditions.push_back("id = " + Uuid(filter.delivery_id->ulid));
    } else {
      filter.endpoint_id = Some<EndpointId>("endpoint_id");
      conditions.push_back("endpoint_id = " + Uuid(filter.endpoint_id->ulid));
    }
    if (random() % 2 == 0) {
      filter.outcome = static_cast<AttemptOutcome>(1 + random() % 8);
      conditions.push_back(absl::StrCat("outcome = ", static_cast<int>(*filter.outcome)));
    }
    if (random() % 2 == 0) {
      filter.start_time = now - absl::Minutes(random() % 1200);
      conditions.push_back("t >= " + Text(*filter.start_time));
    }
    if (random() % 3 == 0) {
      filter.end_time = now - absl::Minutes(random() % 1200);
      conditions.push_back("t < " + Text(*filter.end_time));
    }
    const auto ids = Pages<AttemptId>([&](const PageRequest& request) {
      return deliveries_.ListAttempts(filter, request, kManyBytes);
    });
    ASSERT_EQ(ids, Expected<AttemptId>("attempt_id", conditions))
        << absl::StrJoin(conditions, " AND ");
    found += static_cast<int>(ids.size());
  }
  EXPECT_GT(found, 100);
}

TEST_F(ListsTest, AListedDeliveryIsWhatGetGives) {
  Fill("0.5");
  DeliveryFilter all;
  PageRequest request;
  request.size = 1000;
  const auto page = deliveries_.List(all, request);
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->rows.size(), 120u);
  for (const Delivery& listed : page->rows) {
    const auto got = deliveries_.Get(listed.id);
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_EQ(listed.event_id, got->event_id);
    EXPECT_EQ(listed.endpoint_id, got->endpoint_id);
    EXPECT_EQ(listed.tenant, got->tenant);
    EXPECT_EQ(listed.state, got->state);
    EXPECT_EQ(listed.state_reason, got->state_reason);
    EXPECT_EQ(listed.attempt_count, got->attempt_count);
    EXPECT_EQ(listed.next_attempt_time, got->next_attempt_time);
    EXPECT_EQ(listed.create_time, got->create_time);
    EXPECT_EQ(listed.complete_time, got->complete_time);
  }
}

TEST_F(ListsTest, TheLatestEventUnderAKeyIsFound) {
  Accept({MakeEvent("t", "k")}, {});
  Accept({MakeEvent("t", "other")}, {});
  // In the first minute of a day they are in the window of the day before as well.
  Execute(
      "DELETE FROM idempotency_keys WHERE window_start < date_trunc('day', now());"
      "UPDATE idempotency_keys SET window_start = window_start - interval '1 day', "
      "create_time = create_time - interval '1 day'");
  const NewEvent second = MakeEvent("t", "k");
  PgEventAcceptor short_window(Options(SessionKind::kHot), environments_, absl::Hours(1),
                               RandomBits);
  ASSERT_TRUE(short_window.Accept({second}, {0}, {}).ok());
  PgEventStore events(pool_, environments_);
  const auto found = events.FindKey(tenant_, "k");
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->event_id, second.id);
  EXPECT_TRUE(events.FindKey(tenant_, "other").ok());
  EXPECT_TRUE(absl::IsNotFound(events.FindKey(tenant_, "none").status()));
  EXPECT_TRUE(absl::IsNotFound(events.FindKey({"org", "elsewhere"}, "k").status()));
}

TEST_F(ListsTest, TheSweepEndsWhatADeletedEndpointStillHad) {
  NewEndpoint();
  const EndpointId deleted = NewEndpoint();
  const std::vector<Leased> leased = Lease(3);
  LeaveDue(2);
  // As a fan-out leaves it that commits beside the deletion.
  Execute("UPDATE endpoint_states SET state = 3 WHERE endpoint_id = " + Uuid(deleted.ulid));
  PgMaintenanceStore maintenance(Options(SessionKind::kGeneral));
  EXPECT_EQ(*maintenance.SweepDeleted(4), 4);
  EXPECT_EQ(*maintenance.SweepDeleted(4), 1);
  EXPECT_EQ(*maintenance.SweepDeleted(4), 0);
  EXPECT_EQ(Value("SELECT count(*) FROM open_deliveries"), "5");
  EXPECT_EQ(Value("SELECT count(*) FROM closed_deliveries WHERE state = 5 AND state_reason = 5"),
            "5");
  EXPECT_EQ(Value("SELECT count(*) FROM closed_deliveries WHERE lease_token IS NOT NULL"), "3");
}

}  // namespace
}  // namespace postrider

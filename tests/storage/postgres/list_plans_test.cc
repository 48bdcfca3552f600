// Lists by every filter there is, and what people and housekeeping ask for: a page costs about as
// much as it shows, whatever is stored.

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/storage/postgres/plans_test_base.h"

namespace postrider {
namespace {

constexpr int64_t kManyBytes = 1 << 20;

class ListPlansTest : public PlansTest {
 protected:
  static void SetUpTestSuite() {
    PlansTest::SetUpTestSuite();
    Fill();
    database_->Query("ANALYZE");
    stores_ = new Stores(database_->conninfo());
  }

  struct Span {
    std::optional<absl::Time> start;
    std::optional<absl::Time> end;
  };
  // No bounds, and a few hours two days ago.
  std::vector<Span> Spans() {
    const absl::Time now = DatabaseTime();
    return {{}, {now - absl::Hours(50), now - absl::Hours(47)}};
  }
  static std::vector<Tenant> Tenants() { return {{}, {"org", "env"}, {"org", ""}, {"", "env"}}; }

  static Stores* stores_;
};
Stores* ListPlansTest::stores_ = nullptr;

std::string Name(const Tenant& tenant) { return absl::StrCat(tenant.org_id, "/", tenant.env_id); }

TEST_F(ListPlansTest, DeliveriesByEveryFilter) {
  const auto event = Find<EventId>("SELECT id FROM ev WHERE n = 17000");
  for (const Tenant& tenant : Tenants()) {
    for (const bool by_endpoint : {false, true}) {
      for (const bool by_event : {false, true}) {
        for (int state = 0; state <= 5; ++state) {
          for (const Span& span : Spans()) {
            DeliveryFilter filter;
            filter.tenant = tenant;
            if (by_endpoint) filter.endpoint_id = endpoints_[123];
            if (by_event) filter.event_id = event;
            if (state != 0) filter.state = static_cast<DeliveryState>(state);
            filter.start_time = span.start;
            filter.end_time = span.end;
            const std::string what = absl::StrCat(
                "deliveries of ", Name(tenant), by_endpoint ? ", an endpoint" : "",
                by_event ? ", an event" : "", ", state ", state, span.start ? ", some hours" : "");
            // Those in progress may be looked for among all that is leased, and those of some hours
            // and an org among all of these hours.
            ExpectCheap(what, {10000, 8000}, [&] {
              const auto page = stores_->deliveries.List(filter, {});
              ASSERT_TRUE(page.ok()) << page.status();
            });
          }
        }
      }
    }
  }
}

TEST_F(ListPlansTest, AnEventAmongOthersOfItsMillisecond) {
  const auto event = Find<EventId>("SELECT id FROM crowd WHERE n = 7");
  DeliveryFilter filter;
  filter.event_id = event;
  PageRequest page;
  page.size = 1000;
  // All that was made in that millisecond, 1000 open and 1000 closed ones, is read, and nothing
  // else.
  ExpectCheap("deliveries of a crowded millisecond", {1100, 3000}, [&] {
    const auto deliveries = stores_->deliveries.List(filter, page);
    ASSERT_TRUE(deliveries.ok()) << deliveries.status();
    EXPECT_EQ(deliveries->rows.size(), 100u);
  });
  ExpectCheap("an erasure in a crowded millisecond", {1100, 6000}, [&] {
    const auto erased = stores_->purges.PurgeEvent(event);
    ASSERT_TRUE(erased.ok()) << erased.status();
    EXPECT_EQ(erased->canceled_deliveries, 50);
    EXPECT_EQ(erased->responses, 50);
  });
}

TEST_F(ListPlansTest, AQueueAndWhoIsItsHead) {
  DeliveryFilter filter;
  filter.endpoint_id = ordered_[0];
  filter.state = DeliveryState::kPending;
  DeliveryId last;
  ExpectCheap("a page of a queue", {200, 1000}, [&] {
    const auto page = stores_->deliveries.List(filter, {});
    ASSERT_TRUE(page.ok()) << page.status();
    ASSERT_EQ(page->rows.size(), 50u);
    for (const Delivery& delivery : page->rows) EXPECT_FALSE(delivery.next_attempt_time);
    last = page->rows[0].id;
  });
  ExpectCheap("the last of a queue", {5, 50}, [&] {
    const auto delivery = stores_->deliveries.Get(last);
    ASSERT_TRUE(delivery.ok()) << delivery.status();
    EXPECT_FALSE(delivery->next_attempt_time);
  });
}

TEST_F(ListPlansTest, AttemptsByEveryFilter) {
  const auto delivery = Find<DeliveryId>("SELECT delivery_id FROM attempts LIMIT 1");
  for (const bool by_endpoint : {false, true}) {
    for (int outcome = 0; outcome <= 8; ++outcome) {
      for (const Span& span : Spans()) {
        AttemptFilter filter;
        if (by_endpoint) {
          filter.endpoint_id = endpoints_[123];
        } else {
          filter.delivery_id = delivery;
        }
        if (outcome != 0) filter.outcome = static_cast<AttemptOutcome>(outcome);
        filter.start_time = span.start;
        filter.end_time = span.end;
        const std::string what =
            absl::StrCat("attempts of ", by_endpoint ? "an endpoint" : "a delivery", ", outcome ",
                         outcome, span.start ? ", some hours" : "");
        ExpectCheap(what, {200, 500}, [&] {
          const auto page = stores_->deliveries.ListAttempts(filter, {}, kManyBytes);
          ASSERT_TRUE(page.ok()) << page.status();
        });
      }
    }
  }
}

TEST_F(ListPlansTest, EventsByEveryFilter) {
  const std::vector<std::vector<std::string>> kTypes = {
      {}, {"t5.x"}, {"t5.*"}, {"t5.x", "t7.*", "t_8.*"}};
  for (const Tenant& tenant : Tenants()) {
    for (const auto& types : kTypes) {
      for (const Span& span : Spans()) {
        EventFilter filter;
        filter.tenant = tenant;
        filter.types = types;
        filter.start_time = span.start;
        filter.end_time = span.end;
        const std::string what = absl::StrCat("events of ", Name(tenant), ", ", types.size(),
                                              " types", span.start ? ", some hours" : "");
        // One in a hundred is of a type, and no index finds it.
        ExpectCheap(what, {types.empty() ? 200 : 10000, 2000}, [&] {
          const auto page = stores_->events.List(filter, {}, kManyBytes);
          ASSERT_TRUE(page.ok()) << page.status();
        });
      }
    }
  }
}

TEST_F(ListPlansTest, APageFarBackCostsAsMuchAsTheFirst) {
  PageRequest page;
  page.after = Ulid::FloorOf(DatabaseTime() - absl::Hours(72));
  DeliveryFilter deliveries;
  deliveries.tenant = {"org", "env"};
  ExpectCheap("deliveries", {200, 1000},
              [&] { ASSERT_TRUE(stores_->deliveries.List(deliveries, page).ok()); });
  EventFilter events;
  events.tenant = {"org", "env"};
  ExpectCheap("events", {200, 500},
              [&] { ASSERT_TRUE(stores_->events.List(events, page, kManyBytes).ok()); });
  AttemptFilter attempts;
  attempts.endpoint_id = endpoints_[123];
  ExpectCheap("attempts", {200, 500}, [&] {
    ASSERT_TRUE(stores_->deliveries.ListAttempts(attempts, page, kManyBytes).ok());
  });
}

TEST_F(ListPlansTest, OneEventOrDelivery) {
  const auto event = Find<EventId>("SELECT id FROM ev WHERE n = 17000");
  ExpectCheap("an event", {2, 50}, [&] { ASSERT_TRUE(stores_->events.Get(event).ok()); });
  const std::string key = database_->Value(
      "SELECT key FROM idempotency_keys WHERE env_no = 1 ORDER BY create_time LIMIT 1");
  ExpectCheap("an event by its key", {50, 100}, [&] {
    ASSERT_TRUE(stores_->events.FindKey({"org", "env"}, key).ok());
  });
  ExpectCheap("no event by its key", {50, 100}, [&] {
    ASSERT_FALSE(stores_->events.FindKey({"org", "env"}, "unknown").ok());
  });
  ExpectCheap("matching endpoints", {50, 200}, [&] {
    const auto matched = stores_->events.Match({"org", "env"}, "t5.x");
    ASSERT_TRUE(matched.ok()) << matched.status();
    EXPECT_EQ(matched->size(), 10u);
  });
  const auto open =
      Find<DeliveryId>("SELECT delivery_id FROM open_deliveries WHERE lease_node IS NULL LIMIT 1");
  ExpectCheap("a delivery", {2, 50}, [&] { ASSERT_TRUE(stores_->deliveries.Get(open).ok()); });
  ExpectCheap("a redelivery", {2, 100}, [&] {
    ASSERT_TRUE(
        stores_->deliveries.Redeliver(open, DeliveryId{Ulid::FloorOf(DatabaseTime())}, {}).ok());
  });
  ExpectCheap("a cancel", {2, 100}, [&] { ASSERT_TRUE(stores_->deliveries.Cancel(open).ok()); });
}

TEST_F(ListPlansTest, EndpointsWithWorkOfTheirOwn) {
  ExpectCheap("endpoints", {1000, 1000}, [&] {
    EndpointFilter filter;
    filter.tenant = {"org", "env"};
    ASSERT_TRUE(stores_->endpoints.List(filter, {}).ok());
  });
  // Each has about 200 open deliveries, which end with it.
  ExpectCheap("a deletion", {300, 8000},
              [&] { ASSERT_TRUE(stores_->endpoints.Delete(endpoints_[1]).ok()); });
  ASSERT_TRUE(stores_->endpoints.Disable(endpoints_[2]).ok());
  ExpectCheap("a discard", {300, 8000},
              [&] { ASSERT_TRUE(stores_->endpoints.Enable(endpoints_[2], true).ok()); });
}

TEST_F(ListPlansTest, Housekeeping) {
  database_->Query(absl::StrCat("UPDATE endpoint_states SET state = 3 WHERE endpoint_id IN ",
                                "(SELECT id FROM ep WHERE n IN (3, 4))"));
  ExpectCheap("sweep_deleted", {1100, 20000}, [&] {
    const auto swept = stores_->maintenance.SweepDeleted(5000);
    ASSERT_TRUE(swept.ok()) << swept.status();
    EXPECT_GT(*swept, 300);  // the rest has ended in other tests
  });
  ExpectCheap("nothing to sweep", {1100, 1000},
              [&] { EXPECT_EQ(*stores_->maintenance.SweepDeleted(5000), 0); });
  ExpectCheap("drop_expired", {20000, 2000},
              [&] { ASSERT_TRUE(stores_->maintenance.DropExpired({}).ok()); });
  ExpectCheap("nodes_heartbeat", {10, 50}, [&] { ASSERT_TRUE(stores_->nodes.Heartbeat(1).ok()); });
  database_->Query(
      "UPDATE endpoints SET delete_time = now() - interval '40 days' WHERE env_no = 1");
  ExpectCheap("nothing to sweep of endpoints whose log is kept", {1100, 60000},
              [&] { ASSERT_TRUE(stores_->maintenance.SweepSmall({}).ok()); });
  EXPECT_EQ(database_->Value("SELECT count(*) >= 700 FROM endpoints WHERE env_no = 1"), "t");
  database_->Query("UPDATE nodes SET heartbeat_time = now() - interval '2 days'");
  ExpectCheap("nodes_forget", {10, 500}, [&] {
    ASSERT_TRUE(stores_->nodes.Forget({1, 2, 3, 4}).ok());
  });
}

TEST_F(ListPlansTest, AnOrgIsErasedInSmallSteps) {
  // Keys go by a join with their windows, which may read all of a third of two days.
  database_->Query("TRUNCATE idempotency_keys");
  // One has more of the log than two steps take.
  database_->Query(
      "INSERT INTO attempts SELECT numbered(t, n + 9000000), numbered(t, n + 9000000), event_id, "
      "endpoint_id, env_no, number, origin, start_time, duration_us, outcome, http_status, error, "
      "remote_address, send_count, response_headers, response_body, response_body_truncated, "
      "phases_us, NULL, commit_xid "
      "FROM (SELECT * FROM attempts WHERE env_no = 2 LIMIT 1) AS a, generate_series(1, 6000) AS n, "
      "LATERAL (SELECT now() - n * interval '1 minute' AS t) AS x");
  ExpectCheap("purge_org", {2100, 60000}, [&] {
    const auto erased = stores_->purges.PurgeOrg("other", [] { return true; });
    ASSERT_TRUE(erased.ok()) << erased.status();
    EXPECT_GT(erased->attempts, 10000);
  });
}

}  // namespace
}  // namespace postrider

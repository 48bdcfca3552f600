// The delivery path's statements: what they cost follows what they are asked for, and not what is
// stored, also with a plan that was made while everything was empty (docs/ARCHITECTURE.md, "Planner
// traps").

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/storage/postgres/plans_test_base.h"
#include "tests/storage/postgres/store_test_base.h"

namespace postrider {
namespace {

class HotPlansTest : public PlansTest {
 protected:
  // The plans of the stores in `early_` were made while the database was empty.
  static void SetUpTestSuite() {
    PlansTest::SetUpTestSuite();
    ASSERT_TRUE(endpoints_.empty()) << "the database is full already";
    early_ = new Stores(database_->conninfo());
    UseHotStatements(*early_);
    Fill();
  }

  // Every statement of the delivery path, with as much as there is to do for it.
  static void UseHotStatements(Stores& s) {
    static UlidGenerator ulids(
        [] { return std::random_device()() * uint64_t{0x9e3779b97f4a7c15}; });
    const absl::Duration lease = absl::Seconds(30);
    const std::vector<EndpointId> some(
        endpoints_.begin(), endpoints_.begin() + std::min<long>(20, std::ssize(endpoints_)));

    // As of one call: they have a millisecond in common.
    std::vector<NewEvent> events(50);
    std::vector<int32_t> batches;
    const absl::Time now = DatabaseTime();
    for (NewEvent& event : events) {
      event.create_time = event.event_time = now;
      event.id = EventId{ulids.Next(now)};
      event.tenant = {"org", "env"};
      event.type = absl::StrCat("t", 10 * (batches.size() % 10), ".x");
      event.idempotency_key = event.id.ToText();
      event.body = std::make_shared<const std::string>("{}");
      batches.push_back(static_cast<int32_t>(batches.size()));
    }
    std::vector<LeaseRef> mine;
    std::vector<NewDelivery> made;
    ExpectCheap("accept", {1000, 20000}, [&] {
      const auto accepted = s.acceptor.Accept(events, batches, {1, lease, {}});
      ASSERT_TRUE(accepted.ok()) << accepted.status();
      for (const AcceptResult& result : *accepted) {
        made.insert(made.end(), result.deliveries.begin(), result.deliveries.end());
      }
    });
    EXPECT_EQ(made.size(), endpoints_.empty() ? 0u : 400u);

    ExpectCheap("find_due", {1100, 12000}, [&] {
      const auto due = s.dispatch.FindDue({}, 1000);
      ASSERT_TRUE(due.ok()) << due.status();
      EXPECT_EQ(due->size(), std::min<size_t>(1000, endpoints_.size() + ordered_.size()));
    });

    std::vector<ClaimOrder> orders;
    for (EndpointId id : some) orders.push_back({id, 5});
    std::vector<ClaimedDelivery> claimed;
    ExpectCheap("claim", {110, 5000}, [&] {
      auto answer = s.dispatch.Claim(orders, 1, lease);
      ASSERT_TRUE(answer.ok()) << answer.status();
      claimed = *std::move(answer);
    });
    EXPECT_EQ(claimed.size(), 5 * some.size());
    for (const ClaimedDelivery& delivery : claimed) {
      mine.push_back({delivery.id, delivery.lease_token});
    }

    std::vector<OutcomeRecord> heads;
    ExpectCheap("claim in order", {60, 600}, [&] {
      std::vector<ClaimOrder> queues;
      for (EndpointId id : ordered_) queues.push_back({id, 1, true});
      const auto answer = s.dispatch.Claim(queues, 1, lease);
      ASSERT_TRUE(answer.ok()) << answer.status();
      for (const ClaimedDelivery& head : *answer) {
        EXPECT_TRUE(head.in_order);
        heads.push_back(SuccessOf(head));
      }
    });
    EXPECT_EQ(heads.size(), ordered_.size());
    ExpectCheap("record of heads", {1010, 1100},
                [&] { ASSERT_TRUE(s.dispatch.Record(heads, {}).ok()); });

    ExpectCheap("leases_held", {110, 1000}, [&] {
      const auto held = s.dispatch.LeasesHeld(mine);
      ASSERT_TRUE(held.ok()) << held.status();
      EXPECT_EQ(held->size(), mine.size());
    });
    ExpectCheap("leases_awaited", {210, 3000}, [&] {
      const auto awaited = s.dispatch.LeasesAwaited(mine);
      ASSERT_TRUE(awaited.ok()) << awaited.status();
      EXPECT_EQ(awaited->size(), 0u);
    });
    ExpectCheap("release_untold", {410, 12000}, [&] {
      std::vector<EventId> untold;
      for (const NewEvent& event : events) untold.push_back(event.id);
      untold.resize(100);
      ASSERT_TRUE(s.dispatch.ReleaseUntold(untold, 1).ok());
    });
    ExpectCheap("release", {110, 3000}, [&] {
      ASSERT_TRUE(s.dispatch.Release({mine.begin(), mine.begin() + std::ssize(mine) / 5}).ok());
    });
    ExpectCheap("expire_leased", {110, 3000}, [&] {
      ASSERT_TRUE(s.dispatch
                      .Expire({mine.begin() + std::ssize(mine) / 5,
                               mine.begin() + 2 * std::ssize(mine) / 5})
                      .ok());
    });

    std::vector<OutcomeRecord> outcomes;
    std::vector<EndpointTally> tallies;
    for (size_t i = 2 * claimed.size() / 5; i < claimed.size(); ++i) {
      OutcomeRecord record;
      record.attempt.id = AttemptId{ulids.Next(DatabaseTime())};
      record.attempt.delivery_id = claimed[i].id;
      record.attempt.endpoint_id = claimed[i].endpoint_id;
      record.attempt.start_time = record.complete_time = DatabaseTime();
      record.lease_token = claimed[i].lease_token;
      record.state = i % 2 == 0 ? DeliveryState::kSucceeded : DeliveryState::kPending;
      record.next_attempt_time = DatabaseTime() + absl::Hours(1);
      outcomes.push_back(record);
    }
    for (EndpointId id : some) tallies.push_back({id, 1, 1, 0, true, 50, false});
    // Of endpoint_states, a small table, it may read all.
    ExpectCheap("record", {1010, 3000}, [&] {
      const auto recorded = s.dispatch.Record(outcomes, tallies);
      ASSERT_TRUE(recorded.ok()) << recorded.status();
    });

    ExpectCheap("take_over", {2100, 60000}, [&] {
      const auto freed = s.dispatch.TakeOver({3}, {2}, 500, lease);
      ASSERT_TRUE(freed.ok()) << freed.status();
      EXPECT_EQ(freed->empty(), endpoints_.empty());
    });
    OutcomeRecord late;
    late.attempt.id = AttemptId{ulids.Next(DatabaseTime())};
    late.attempt.outcome = AttemptOutcome::kSucceeded;
    late.attempt.start_time = late.complete_time = DatabaseTime();
    late.lease_token = 1;
    for (const auto& row : database_->Query("SELECT delivery_id FROM attempts WHERE outcome = 8 "
                                            "AND lease_token = 1 LIMIT 1")) {
      late.attempt.delivery_id = DeliveryId{UlidOf(row[0])};
    }
    ExpectCheap("record_late", {10, 200},
                [&] { ASSERT_TRUE(s.dispatch.RecordLate(late, {}).ok()); });

    ExpectCheap("totals_add", {10, 200}, [&] {
      ASSERT_TRUE(s.dispatch
                      .AddTotals({{EndpointId{ulids.Next(DatabaseTime())}, absl::UnixEpoch(),
                                   AttemptOutcome::kSucceeded, 1, 1}},
                                 1)
                      .ok());
    });
    ExpectCheap("endpoints_load", {110, 1000}, [&] {
      const auto loaded = s.reader.Load(some);
      ASSERT_TRUE(loaded.ok()) << loaded.status();
      EXPECT_EQ(loaded->size(), some.size());
    });
    int64_t position = 0;
    ExpectCheap("endpoint_changes_since", {10, 100}, [&] {
      const auto changes = s.reader.ChangesSince(0);
      ASSERT_TRUE(changes.ok()) << changes.status();
      position = changes->position;
    });
    ExpectCheap("endpoint_changes_since", {10, 100},
                [&] { ASSERT_TRUE(s.reader.ChangesSince(position).ok()); });
  }

  static OutcomeRecord SuccessOf(const ClaimedDelivery& delivery) {
    OutcomeRecord record;
    record.attempt.id = AttemptId{Ulid::RandomAt(DatabaseTime(), RandomBits)};
    record.attempt.delivery_id = delivery.id;
    record.attempt.endpoint_id = delivery.endpoint_id;
    record.attempt.start_time = record.complete_time = DatabaseTime();
    record.attempt.outcome = AttemptOutcome::kSucceeded;
    record.lease_token = delivery.lease_token;
    record.state = DeliveryState::kSucceeded;
    return record;
  }

  static Stores* early_;
};
Stores* HotPlansTest::early_ = nullptr;

TEST_F(HotPlansTest, AHotPlanMadeWhileAllWasEmptyServesAFullDatabase) { UseHotStatements(*early_); }

TEST_F(HotPlansTest, AHotPlanNeedsNoStatistics) {
  Stores fresh(database_->conninfo());
  UseHotStatements(fresh);
}

TEST_F(HotPlansTest, AHotPlanIsNotMisledByStatistics) {
  database_->Query("ANALYZE");
  Stores fresh(database_->conninfo());
  UseHotStatements(fresh);
}

// What a plan is made for after a quiet hour: tables of which PostgreSQL knows that they are empty,
// while it takes ones that it knows nothing of for ten pages. Every index costs the same then.
class VacuumedPlansTest : public HotPlansTest {
 protected:
  static void SetUpTestSuite() {
    delete std::exchange(early_, nullptr);
    NewDatabase();
    database_->Query("VACUUM ANALYZE");
    early_ = new Stores(database_->conninfo());
    UseHotStatements(*early_);
    Fill();
  }
};

TEST_F(VacuumedPlansTest, AHotPlanMadeForEmptyTablesServesAFullDatabase) {
  UseHotStatements(*early_);
}

}  // namespace
}  // namespace postrider

// Leases of nodes that are gone, and those that ran out (storage/sql/take_over.sql).

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/postgres/node_store.h"
#include "tests/storage/postgres/store_test_base.h"

namespace postrider {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr absl::Duration kLeaseTime = absl::Seconds(30);

class TakeOverTest : public StoreTest {
 protected:
  // Events of type t, each with its deliveries leased to that node.
  std::vector<NewDelivery> LeaseTo(int32_t node, int count) {
    std::vector<NewEvent> events;
    for (int i = 0; i < count; ++i) events.push_back(MakeEvent("t"));
    std::vector<NewDelivery> deliveries;
    for (const AcceptResult& result : Accept(events, {node, kLeaseTime, {}})) {
      deliveries.insert(deliveries.end(), result.deliveries.begin(), result.deliveries.end());
    }
    return deliveries;
  }

  std::vector<FreedWork> TakeOver(const std::vector<int32_t>& gone,
                                  const std::vector<int32_t>& live, int32_t limit = 1000) {
    const auto freed = dispatch_.TakeOver(gone, live, limit, kLeaseTime);
    EXPECT_TRUE(freed.ok()) << freed.status();
    return freed.ok() ? *freed : std::vector<FreedWork>();
  }

  // Lets the leases of a node run out.
  void RunOut(int32_t node) {
    Execute(
        absl::StrCat("UPDATE open_deliveries SET lease_expire_time = now() - interval '1 ms' "
                     "WHERE lease_node = ",
                     node));
  }
};

TEST_F(TakeOverTest, LeasesOfGoneNodesAreFreedAndTheirAttemptsLoggedAsAbandoned) {
  const EndpointId endpoint = NewEndpoint();
  const NewDelivery delivery = LeaseTo(7, 1).at(0);
  Execute("UPDATE open_deliveries SET attempt_count = 2, failure_count = 2, origin = 2");
  const std::vector<FreedWork> freed = TakeOver({7}, {});
  ASSERT_THAT(freed, SizeIs(1));
  EXPECT_EQ(freed[0].endpoint_id, endpoint);
  EXPECT_EQ(freed[0].count, 1);
  // One attempt more, no step of the schedule used, due at once.
  EXPECT_THAT(Rows("SELECT attempt_count, failure_count, lost_claims, lease_node, "
                   "lease_expire_time, next_attempt_time <= now() FROM open_deliveries"),
              ElementsAre("3|2|1|||t"));
  EXPECT_THAT(
      Rows("SELECT a.number, a.outcome, a.origin, a.http_status, a.duration_us, a.send_count, "
           "a.remote_address, a.lease_token, a.event_id = o.event_id, "
           "a.endpoint_id = o.endpoint_id, a.env_no = o.env_no, a.error LIKE '%may have been "
           "received%', a.commit_xid = a.xmin::text::bigint "
           "FROM attempts a JOIN open_deliveries o USING (delivery_id)"),
      ElementsAre(absl::StrCat("3|8|2|0|0|0||", delivery.lease_token, "|t|t|t|t|t")));
  // It is another's to send.
  EXPECT_THAT(Claim(endpoint, 10), SizeIs(1));
}

TEST_F(TakeOverTest, AnAbandonedAttemptBeganWhenItsLeaseDid) {
  NewEndpoint();
  LeaseTo(7, 1);
  Execute("UPDATE open_deliveries SET lease_expire_time = now() + interval '10 s'");
  TakeOver({7}, {});
  EXPECT_THAT(Rows("SELECT now() - start_time BETWEEN '20 s' AND '25 s' FROM attempts"),
              ElementsAre("t"));
}

TEST_F(TakeOverTest, LeasesOfALiveNodeAreFreedOnlyWhenTheyRanOut) {
  NewEndpoint();
  const NewDelivery first = LeaseTo(7, 1).at(0);
  RunOut(7);
  LeaseTo(7, 1);
  EXPECT_THAT(TakeOver({}, {7}), SizeIs(1));
  EXPECT_THAT(Rows("SELECT count(*) FROM open_deliveries WHERE lease_node = 7"), ElementsAre("1"));
  EXPECT_THAT(Rows("SELECT lease_token FROM attempts"),
              ElementsAre(absl::StrCat(first.lease_token)));
  EXPECT_THAT(TakeOver({}, {7}), IsEmpty());
}

TEST_F(TakeOverTest, NobodyElsesLeasesAreTouched) {
  NewEndpoint();
  LeaseTo(7, 2);
  LeaseTo(8, 2);
  RunOut(8);
  LeaveDue(1);
  const std::string before = database_->Dump();
  EXPECT_THAT(TakeOver({9}, {7}), IsEmpty());
  EXPECT_THAT(TakeOver({}, {}), IsEmpty());
  EXPECT_EQ(database_->Dump(), before);
}

TEST_F(TakeOverTest, TheAnswerCountsWhatEachEndpointHasToDoAgain) {
  const EndpointId one = NewEndpoint();
  LeaseTo(7, 2);
  const EndpointId two = NewEndpoint();
  LeaseTo(7, 3);
  std::vector<FreedWork> freed = TakeOver({7}, {});
  ASSERT_THAT(freed, SizeIs(2));
  if (freed[0].endpoint_id != one) std::swap(freed[0], freed[1]);
  EXPECT_EQ(freed[0].endpoint_id, one);
  EXPECT_EQ(freed[0].count, 5);
  EXPECT_EQ(freed[1].endpoint_id, two);
  EXPECT_EQ(freed[1].count, 3);
}

TEST_F(TakeOverTest, SoManyAtATime) {
  NewEndpoint();
  LeaseTo(7, 25);
  for (int count : {10, 10, 5}) EXPECT_EQ(TakeOver({7}, {}, 10).at(0).count, count);
  EXPECT_THAT(TakeOver({7}, {}, 10), IsEmpty());
}

TEST_F(TakeOverTest, AnAttemptLostTwiceIsLoggedTwice) {
  const EndpointId endpoint = NewEndpoint();
  const int64_t first = LeaseTo(7, 1).at(0).lease_token;
  TakeOver({7}, {});
  const int64_t second = Claim(endpoint, 1).at(0).token;
  TakeOver({2}, {});
  EXPECT_THAT(Rows("SELECT number, outcome, lease_token FROM attempts ORDER BY number"),
              ElementsAre(absl::StrCat("1|8|", first), absl::StrCat("2|8|", second)));
  EXPECT_THAT(Rows("SELECT attempt_count, failure_count, lost_claims FROM open_deliveries"),
              ElementsAre("2|0|2"));
}

TEST_F(TakeOverTest, WhatTheOldNodeStillSaysIsFencedOff) {
  NewEndpoint();
  const Leased leased = Lease(1).at(0);
  TakeOver({1}, {});
  const std::string before = database_->Dump();
  EXPECT_TRUE(absl::IsAborted(Record({OutcomeOf(leased, AttemptOutcome::kSucceeded)})));
  ASSERT_TRUE(dispatch_.Release({{leased.id, leased.token}}).ok());
  ASSERT_TRUE(dispatch_.Expire({{leased.id, leased.token}}).ok());
  EXPECT_EQ(database_->Dump(), before);
}

TEST_F(TakeOverTest, AnOutcomeBeingRecordedIsNotTakenOver) {
  NewEndpoint();
  LeaseTo(7, 2);
  Execute("BEGIN; SELECT FROM open_deliveries LIMIT 1 FOR UPDATE");
  EXPECT_EQ(TakeOver({7}, {}).at(0).count, 1);
  Execute("ROLLBACK");
  EXPECT_EQ(TakeOver({7}, {}).at(0).count, 1);
}

TEST_F(TakeOverTest, NodesThatTakeOverTogetherFreeEachLeaseOnce) {
  NewEndpoint();
  NewEndpoint();
  constexpr int kEvents = 300;
  LeaseTo(7, kEvents);
  std::atomic<int> freed = 0;
  std::vector<std::thread> threads;
  for (int node = 0; node < 4; ++node) {
    threads.emplace_back([this, &freed] {
      PgDispatchStore store(Options(SessionKind::kHot));
      while (freed < 2 * kEvents) {
        const auto work = store.TakeOver({7}, {}, 20, kLeaseTime);
        ASSERT_TRUE(work.ok()) << work.status();
        for (const FreedWork& one : *work) freed += one.count;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(freed, 2 * kEvents);
  EXPECT_THAT(Rows("SELECT count(*), count(DISTINCT delivery_id) FROM attempts"),
              ElementsAre("600|600"));
  EXPECT_EQ(Value("SELECT count(*) FROM open_deliveries WHERE attempt_count = 1 AND "
                  "lost_claims = 1 AND lease_node IS NULL"),
            "600");
}

TEST_F(TakeOverTest, ARowSaysForHowLongItsNodeWasSteady) {
  PgNodeStore nodes(Options(SessionKind::kGeneral));
  PgNodeStore other(Options(SessionKind::kGeneral));
  const int32_t self = nodes.Register("a")->node_no;
  const int32_t before = other.Register("b")->node_no;
  const auto steady_for = [&](int32_t node_no) {
    const auto answer = nodes.Heartbeat(self);
    EXPECT_TRUE(answer.ok()) << answer.status();
    for (const NodeRow& node : answer->nodes) {
      if (node.node_no == node_no)
        return absl::Trunc(node.steady_for + absl::Seconds(0.5), absl::Seconds(1));
    }
    return absl::InfiniteDuration();
  };
  EXPECT_EQ(steady_for(self), absl::ZeroDuration());
  const std::string of_self = absl::StrCat(" WHERE node_no = ", self);
  Execute("UPDATE nodes SET steady_since = now() - interval '60 s'" + of_self);
  Execute("UPDATE nodes SET heartbeat_time = now() - interval '3 s'" + of_self);
  EXPECT_EQ(steady_for(self), absl::Seconds(60));
  // A gap; a clock that was set back.
  for (const char* away : {"- interval '4.1 s'", "+ interval '1 hour'"}) {
    Execute(absl::StrCat("UPDATE nodes SET steady_since = now() - interval '60 s', ",
                         "heartbeat_time = now() ", away, of_self));
    EXPECT_EQ(steady_for(self), absl::ZeroDuration()) << away;
  }
  // Up to its last renewal, and not at all of a server of before.
  EXPECT_EQ(steady_for(before), absl::ZeroDuration());
  Execute(absl::StrCat("UPDATE nodes SET heartbeat_time = now() - interval '20 s', steady_since = ",
                       "now() - interval '50 s' WHERE node_no = ", before));
  EXPECT_EQ(steady_for(before), absl::Seconds(30));
}

TEST_F(TakeOverTest, ANodeThatCameBackMeanwhileKeepsItsLeasesUnlessItStoppedOrStartedAnew) {
  NewEndpoint();
  LeaseTo(7, 1);
  Execute("INSERT INTO nodes (node_no, node_id, epoch) OVERRIDING SYSTEM VALUE VALUES (7, 'a', 1)");
  EXPECT_THAT(TakeOver({7}, {}), IsEmpty());
  Execute("UPDATE nodes SET heartbeat_time = now() - interval '8.1 s'");
  EXPECT_THAT(TakeOver({7}, {}), SizeIs(1));
  LeaseTo(7, 1);
  Execute("UPDATE nodes SET heartbeat_time = now(), stop_time = now()");
  EXPECT_THAT(TakeOver({7}, {}), SizeIs(1));
  LeaseTo(7, 1);
  Execute("UPDATE nodes SET stop_time = NULL; INSERT INTO nodes (node_id, epoch) VALUES ('a', 2)");
  EXPECT_THAT(TakeOver({7}, {}), SizeIs(1));
}

}  // namespace
}  // namespace postrider

// Two nodes that are given the same keys at the same moment: one event each, whoever wins.

#include <algorithm>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/storage/postgres/store_test_base.h"
#include "tests/support/wait.h"

namespace postrider {
namespace {

using Status = AcceptResult::Status;
const FanOutLease kLease{1, absl::Seconds(30), {}};

// Accepts until no race for a key is lost any more, as the committer does. One batch number an
// event, or one for all.
std::vector<AcceptResult> AcceptUntilDone(PgEventAcceptor& acceptor,
                                          const std::vector<NewEvent>& events, bool one_batch) {
  std::vector<int32_t> batches;
  for (size_t i = 0; i < events.size(); ++i) batches.push_back(one_batch ? 0 : static_cast<int>(i));
  for (int round = 0; round < 100; ++round) {
    auto results = acceptor.Accept(events, batches, kLease);
    if (absl::IsAborted(results.status())) continue;
    EXPECT_TRUE(results.ok()) << results.status();
    if (results.ok()) return *std::move(results);
    break;
  }
  ADD_FAILURE() << "never done";
  return std::vector<AcceptResult>(events.size());
}

class RaceTest : public StoreTest {
 protected:
  // Rounds of two acceptors in two threads, each with events of its own under the same keys.
  void Race(absl::Duration window, bool one_batch) {
    const uint32_t seed = std::random_device()();
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    NewEndpoint();
    constexpr int kRounds = 25;
    constexpr int kKeys = 30;
    PgEventAcceptor one(Options(SessionKind::kHot), environments_, window, RandomBits);
    PgEventAcceptor two(Options(SessionKind::kHot), environments_, window, RandomBits);
    int won = 0;
    for (int round = 0; round < kRounds; ++round) {
      // In the order of their keys, as the committer sorts them; a part of them, so that both also
      // have some for themselves.
      std::vector<NewEvent> events[2];
      for (int key = 0; key < kKeys; ++key) {
        for (auto& mine : events) {
          if (random() % 8 != 0)
            mine.push_back(MakeEvent("t", absl::StrCat(round, "-", 100 + key)));
        }
      }
      std::vector<AcceptResult> results[2];
      std::thread thread([&] { results[0] = AcceptUntilDone(one, events[0], one_batch); });
      results[1] = AcceptUntilDone(two, events[1], one_batch);
      thread.join();
      for (int side : {0, 1}) {
        for (size_t i = 0; i < events[side].size(); ++i) {
          const AcceptResult& result = results[side][i];
          ASSERT_TRUE(result.status == Status::kAccepted || result.status == Status::kDuplicate);
          ASSERT_EQ(result.status == Status::kAccepted, result.event_id == events[side][i].id);
          won += side == 0 && result.status == Status::kAccepted ? 1 : 0;
        }
      }
    }
    // Exactly one event a key, one delivery an event, and the keys name the events.
    EXPECT_EQ(Value("SELECT count(*) - count(DISTINCT idempotency_key) FROM events"), "0");
    EXPECT_EQ(Value("SELECT count(*) FROM events"), Value("SELECT count(*) FROM open_deliveries"));
    EXPECT_EQ(Value("SELECT count(DISTINCT key) FROM idempotency_keys"),
              Value("SELECT count(*) FROM events"));
    EXPECT_EQ(Value("SELECT count(*) FROM idempotency_keys k WHERE NOT EXISTS "
                    "(SELECT FROM events e WHERE e.event_id = k.event_id)"),
              "0");
    EXPECT_GT(won, 0);
  }

  // One in its careful first minute.
  absl::Duration YoungWindow() {
    return WindowBegun(absl::Seconds(1), absl::Seconds(20), absl::Hours(12));
  }
};

TEST_F(RaceTest, EventsOfTheSameKeysAreStoredOnce) { Race(absl::Hours(24), false); }

TEST_F(RaceTest, BatchesOfTheSameKeysAreStoredOnce) { Race(absl::Hours(24), true); }

TEST_F(RaceTest, EventsOfTheSameKeysAreStoredOnceEarlyInAWindow) { Race(YoungWindow(), false); }

TEST_F(RaceTest, BatchesOfTheSameKeysAreStoredOnceEarlyInAWindow) { Race(YoungWindow(), true); }

TEST_F(RaceTest, EarlyInAWindowAKeyIsPutIntoTheWindowBeforeToo) {
  PgEventAcceptor acceptor(Options(SessionKind::kHot), environments_, YoungWindow(), RandomBits);
  ASSERT_TRUE(acceptor.Accept({MakeEvent("t", "k")}, {0}, kLease).ok());
  EXPECT_EQ(Value("SELECT count(*) FROM idempotency_keys WHERE key = 'k'"), "2");
  EXPECT_EQ(acceptor.Accept({MakeEvent("t", "k")}, {0}, kLease)->at(0).status, Status::kDuplicate);
}

TEST_F(RaceTest, ALostRaceForAKeyStoresNothingAndFindsItNextTime) {
  // Somebody is storing the key and has not committed yet.
  Session other(Options(SessionKind::kGeneral));
  ASSERT_TRUE(other.Execute("BEGIN", absl::Seconds(5)).ok());
  PgEventAcceptor mine(Options(SessionKind::kHot), environments_, absl::Hours(24), RandomBits);
  ASSERT_TRUE(mine.Accept({MakeEvent("t")}, {0}, kLease).ok());  // connected, environment known
  const std::string insert = absl::StrCat(
      "INSERT INTO idempotency_keys SELECT to_timestamp(floor(extract(epoch FROM now()) / 86400) * "
      "86400), env_no, 'k', ulid_at(now()), '\\x",
      std::string(64, '0'), "', NULL, 0, now() FROM environments");
  ASSERT_TRUE(other.Execute(insert.c_str(), absl::Seconds(5)).ok());
  const std::vector<NewEvent> events = {MakeEvent("t", "a"), MakeEvent("t", "k"), MakeEvent("t")};
  absl::StatusOr<std::vector<AcceptResult>> results;
  std::thread thread([&] { results = mine.Accept(events, {0, 1, 2}, kLease); });
  // Until the statement waits for the other's key.
  EXPECT_TRUE(testing::WaitUntil([this] {
    return Value(
               "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
               "AND datname = current_database()") != "0";
  }));
  ASSERT_TRUE(other.Execute("COMMIT", absl::Seconds(5)).ok());
  thread.join();
  EXPECT_TRUE(absl::IsAborted(results.status())) << results.status();
  EXPECT_EQ(Value("SELECT count(*) FROM events"), "1");
  results = mine.Accept(events, {0, 1, 2}, kLease);
  ASSERT_TRUE(results.ok()) << results.status();
  EXPECT_EQ(results->at(0).status, Status::kAccepted);
  EXPECT_EQ(results->at(1).status, Status::kConflict);  // the other's content is another one
  EXPECT_EQ(results->at(2).status, Status::kAccepted);
}

// A node's clock may be a little behind when a window begins.
TEST_F(RaceTest, AKeyOfThisWindowIsKnownHoweverOldItSeems) {
  const absl::Duration window = WindowBegun(absl::Minutes(10), absl::Minutes(50), absl::Hours(1));
  PgEventAcceptor acceptor(Options(SessionKind::kHot), environments_, window, RandomBits);
  NewEvent first = MakeEvent("t", "k");
  first.create_time -= window + absl::Milliseconds(100);
  ASSERT_TRUE(acceptor.Accept({first}, {0}, kLease).ok());
  EXPECT_EQ(acceptor.Accept({MakeEvent("t", "k")}, {0}, kLease)->at(0).status, Status::kDuplicate);
}

}  // namespace
}  // namespace postrider

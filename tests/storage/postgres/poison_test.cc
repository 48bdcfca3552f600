// A poisonous delivery: what is remembered of the nodes that died while they had it, and what
// becomes of it (storage/sql/take_over.sql, claim.sql, poison.sql).

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/storage/postgres/store_test_base.h"

namespace postrider {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr absl::Duration kLeaseTime = absl::Seconds(30);

class PoisonTest : public StoreTest {
 protected:
  PoisonTest() {
    Execute(
        "INSERT INTO nodes (node_no, node_id, epoch, heartbeat_time) OVERRIDING SYSTEM VALUE "
        "VALUES (1, 'a', 1, now() - interval '1 minute'), (2, 'b', 1, now())");
  }

  // Node 1 dies and another one takes over.
  FreedWork Die() {
    const auto freed = dispatch_.TakeOver({1}, {}, 1000, kLeaseTime);
    EXPECT_TRUE(freed.ok()) << freed.status();
    FreedWork sum;
    for (const FreedWork& work : *freed) {
      sum.count += work.count;
      sum.poisoned += work.poisoned;
    }
    return sum;
  }
  // Makes suspects of everything that is open.
  void Suspect() { Execute("UPDATE open_deliveries SET lost_claims = 2"); }
  std::string Marks() {
    return Value("SELECT lost_claims || ' ' || alone_deaths FROM open_deliveries");
  }
};

TEST_F(PoisonTest, ADeliveryThatWasAloneAtThreeDeathsHasFailed) {
  const EndpointId endpoint = NewEndpoint();
  Lease(1);
  // Two deaths make a suspect of it, and the next three it is alone.
  const std::vector<std::string> marks = {"1 0", "2 0", "3 1", "4 2"};
  for (const std::string& mark : marks) {
    const FreedWork freed = Die();
    EXPECT_EQ(freed.count, 1);
    EXPECT_EQ(freed.poisoned, 0);
    EXPECT_EQ(Marks(), mark);
    ASSERT_THAT(Claim(endpoint, 1, 1), SizeIs(1));
  }
  const FreedWork last = Die();
  EXPECT_EQ(last.count, 0);
  EXPECT_EQ(last.poisoned, 1);
  EXPECT_EQ(Value("SELECT count(*) FROM open_deliveries"), "0");
  EXPECT_THAT(Rows("SELECT state, state_reason, attempt_count FROM closed_deliveries"),
              ElementsAre("4|3|5"));
  EXPECT_THAT(Rows("SELECT number, outcome FROM attempts ORDER BY number"),
              ElementsAre("1|8", "2|8", "3|8", "4|8", "5|8"));
}

TEST_F(PoisonTest, ANodeThatStoppedCleanlyCountsAgainstNothing) {
  NewEndpoint();
  Lease(1);
  Execute("UPDATE nodes SET stop_time = now() WHERE node_no = 1");
  EXPECT_EQ(Die().count, 1);
  EXPECT_EQ(Marks(), "0 0");
}

TEST_F(PoisonTest, ALeaseThatALivingNodeLostTrackOfCountsAgainstNothing) {
  NewEndpoint();
  Lease(1);
  Execute("UPDATE open_deliveries SET lease_expire_time = now() - interval '1 ms'");
  const auto freed = dispatch_.TakeOver({}, {1}, 1000, kLeaseTime);
  ASSERT_TRUE(freed.ok()) << freed.status();
  EXPECT_EQ(Marks(), "0 0");
}

TEST_F(PoisonTest, ARecordedAttemptClearsADeliveryOfSuspicion) {
  const EndpointId endpoint = NewEndpoint();
  Lease(1);
  Execute("UPDATE open_deliveries SET lost_claims = 4, alone_deaths = 2, lease_node = NULL");
  const std::vector<Leased> leased = Claim(endpoint, 1, 1);
  ASSERT_THAT(leased, SizeIs(1));
  ASSERT_TRUE(dispatch_.Record({OutcomeOf(leased[0], AttemptOutcome::kTimeout)}, {}).ok());
  EXPECT_EQ(Marks(), "0 0");
}

TEST_F(PoisonTest, ANodeHasOneSuspectAtATimeAndTheRestGoesOn) {
  const EndpointId first = NewEndpoint({"a"});
  const EndpointId second = NewEndpoint({"b"});
  LeaveDue(2, "a");
  LeaveDue(2, "b");
  Suspect();
  LeaveDue(3, "a");
  const auto claimed = dispatch_.Claim({{first, 10}, {second, 10}}, 1, kLeaseTime);
  ASSERT_TRUE(claimed.ok()) << claimed.status();
  EXPECT_THAT(*claimed, SizeIs(4));
  EXPECT_EQ(Value("SELECT count(*) FROM open_deliveries WHERE lease_node = 1 AND lost_claims >= 2"),
            "1");
  // While it has that one it gets no other, of whatever endpoint.
  EXPECT_THAT(Claim(first, 10, 1), IsEmpty());
  EXPECT_THAT(Claim(second, 10, 1), IsEmpty());
  // Another node may have one as well.
  EXPECT_THAT(Claim(second, 10, 2), SizeIs(1));
  // When the first is done with, the next follows.
  Execute("DELETE FROM open_deliveries WHERE lease_node = 1 AND lost_claims >= 2");
  EXPECT_THAT(Claim(first, 10, 1), SizeIs(1));
}

TEST_F(PoisonTest, ASuspectIsNotClaimedBeforeItsTime) {
  const EndpointId endpoint = NewEndpoint();
  LeaveDue(1);
  Suspect();
  Execute("UPDATE open_deliveries SET next_attempt_time = now() + interval '1 minute'");
  EXPECT_THAT(Claim(endpoint, 10, 1), IsEmpty());
}

TEST_F(PoisonTest, AnOutcomeThatCannotBeStoredEndsItsDelivery) {
  NewEndpoint();
  const Leased leased = Lease(1).at(0);
  OutcomeRecord outcome = OutcomeOf(leased, AttemptOutcome::kSucceeded);
  OutcomeRecord other = outcome;
  other.lease_token += 1;
  ASSERT_TRUE(dispatch_.Poison(other).ok());
  EXPECT_EQ(Value("SELECT count(*) FROM open_deliveries"), "1");
  ASSERT_TRUE(dispatch_.Poison(outcome).ok());
  EXPECT_EQ(Value("SELECT count(*) FROM open_deliveries"), "0");
  EXPECT_THAT(Rows("SELECT state, state_reason, attempt_count FROM closed_deliveries"),
              ElementsAre("4|3|1"));
  EXPECT_THAT(Rows("SELECT number, outcome, octet_length(response_body) FROM attempts"),
              ElementsAre("1|8|0"));
}

}  // namespace
}  // namespace postrider

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/dispatch/heartbeat.h"

namespace postrider::dispatch {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr bool kSettled = true;
constexpr bool kNotSettled = false;

NodeRow Row(int32_t node_no, absl::Duration silence, bool stopped = false) {
  NodeRow row;
  row.node_no = node_no;
  row.node_id = "n";
  row.silence = silence;
  row.stopped = stopped;
  return row;
}

TEST(MembershipTest, ANodeAloneIsTheCluster) {
  const Membership membership = MembershipOf(4, {}, {Row(4, {})}, kSettled);
  EXPECT_EQ(membership.cluster.self, 4);
  EXPECT_THAT(membership.cluster.nodes, ElementsAre(4));
  EXPECT_THAT(membership.liveness.live, ElementsAre(4));
  EXPECT_THAT(membership.liveness.gone, IsEmpty());
  EXPECT_THAT(membership.forgettable, IsEmpty());
}

TEST(MembershipTest, NodesAreTheSameAndSortedForAll) {
  const std::vector<NodeRow> rows = {Row(9, absl::Seconds(1)), Row(2, {}),
                                     Row(5, absl::Seconds(2))};
  EXPECT_THAT(MembershipOf(2, {}, rows, kSettled).cluster.nodes, ElementsAre(2, 5, 9));
  EXPECT_THAT(MembershipOf(9, {}, rows, kSettled).cluster.nodes, ElementsAre(2, 5, 9));
}

TEST(MembershipTest, EightSecondsOfSilenceAreADeath) {
  const Membership membership = MembershipOf(
      1, {}, {Row(1, {}), Row(2, absl::Seconds(7.999)), Row(3, absl::Seconds(8))}, kSettled);
  EXPECT_THAT(membership.cluster.nodes, ElementsAre(1, 2));
  EXPECT_THAT(membership.liveness.live, UnorderedElementsAre(1, 2));
  EXPECT_THAT(membership.liveness.gone, ElementsAre(3));
  EXPECT_THAT(membership.forgettable, ElementsAre(3));
}

TEST(MembershipTest, SilenceMeansNothingBeforeThisNodeIsSettled) {
  const Membership membership = MembershipOf(
      1, {}, {Row(1, {}), Row(2, absl::Seconds(1)), Row(3, absl::Hours(1))}, kNotSettled);
  EXPECT_THAT(membership.liveness.gone, IsEmpty());
  EXPECT_THAT(membership.forgettable, IsEmpty());
  // Leases that ran out mean as little.
  EXPECT_THAT(membership.liveness.live, IsEmpty());
  // But nobody has to share with a silent one.
  EXPECT_THAT(membership.cluster.nodes, ElementsAre(1, 2));
}

TEST(MembershipTest, EarlierIncarnationsOfThisNodeAreGoneAtOnce) {
  for (bool settled : {kSettled, kNotSettled}) {
    const Membership membership = MembershipOf(
        7, {3, 5}, {Row(7, {}), Row(3, absl::Hours(2)), Row(5, absl::Milliseconds(1))}, settled);
    EXPECT_THAT(membership.liveness.gone, UnorderedElementsAre(3, 5));
    EXPECT_THAT(membership.forgettable, UnorderedElementsAre(3, 5));
    EXPECT_THAT(membership.cluster.nodes, ElementsAre(7));
  }
}

TEST(MembershipTest, NodesThatStoppedCleanlyAreGoneAtOnce) {
  for (bool settled : {kSettled, kNotSettled}) {
    const Membership membership =
        MembershipOf(7, {}, {Row(7, {}), Row(8, absl::Milliseconds(1), true)}, settled);
    EXPECT_THAT(membership.liveness.gone, ElementsAre(8));
    EXPECT_THAT(membership.cluster.nodes, ElementsAre(7));
  }
}

TEST(MembershipTest, ANodeNeverThinksItselfDead) {
  const Membership membership = MembershipOf(1, {}, {Row(1, absl::Hours(1))}, kSettled);
  EXPECT_THAT(membership.cluster.nodes, ElementsAre(1));
  EXPECT_THAT(membership.liveness.gone, IsEmpty());
}

TEST(MembershipTest, ADeadNodeIsDeadToItselfBeforeItIsToOthers) {
  EXPECT_EQ(kHeartbeatInterval, absl::Seconds(2));
  EXPECT_EQ(kDeadAfter, absl::Seconds(8));
  EXPECT_GT(kSelfMargin, absl::ZeroDuration());
  // A node that joins waits longer than the others take to see it.
  EXPECT_GT(kJoinWait, kHeartbeatInterval);
}

}  // namespace
}  // namespace postrider::dispatch

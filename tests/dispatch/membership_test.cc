#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/dispatch/heartbeat.h"

namespace postrider::dispatch {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

// Of the node that looks, whose row the first one is: silence of others means something, or not.
const absl::Duration kSettled = kDeadAfter;
const absl::Duration kNotSettled = kDeadAfter - absl::Milliseconds(1);

NodeRow Row(int32_t node_no, absl::Duration silence, bool stopped = false) {
  NodeRow row;
  row.node_no = node_no;
  row.node_id = "n";
  row.silence = silence;
  row.stopped = stopped;
  return row;
}

// That was silent for the first and had renewed itself for the second before.
NodeRow SteadyRow(absl::Duration silence, absl::Duration steady_for) {
  NodeRow row = Row(1, silence);
  row.steady_for = steady_for;
  return row;
}

Membership Seen(int32_t self, const std::vector<int32_t>& previous, std::vector<NodeRow> nodes,
                absl::Duration steady_for) {
  for (NodeRow& node : nodes) {
    if (node.node_no == self) node.steady_for = steady_for;
  }
  return MembershipOf(self, previous, nodes);
}

TEST(MembershipTest, ANodeAloneIsTheCluster) {
  const Membership membership = Seen(4, {}, {Row(4, {})}, kSettled);
  EXPECT_EQ(membership.cluster.self, 4);
  EXPECT_THAT(membership.cluster.nodes, ElementsAre(4));
  EXPECT_THAT(membership.liveness.live, ElementsAre(4));
  EXPECT_THAT(membership.liveness.gone, IsEmpty());
  EXPECT_THAT(membership.forgettable, IsEmpty());
}

TEST(MembershipTest, NodesAreTheSameAndSortedForAll) {
  const std::vector<NodeRow> rows = {Row(9, absl::Seconds(1)), Row(2, {}),
                                     Row(5, absl::Seconds(2))};
  EXPECT_THAT(Seen(2, {}, rows, kSettled).cluster.nodes, ElementsAre(2, 5, 9));
  EXPECT_THAT(Seen(9, {}, rows, kSettled).cluster.nodes, ElementsAre(2, 5, 9));
}

TEST(MembershipTest, EightSecondsOfSilenceAreADeath) {
  const Membership membership =
      Seen(1, {}, {Row(1, {}), Row(2, absl::Seconds(7.999)), Row(3, absl::Seconds(8))}, kSettled);
  EXPECT_THAT(membership.cluster.nodes, ElementsAre(1, 2));
  EXPECT_THAT(membership.liveness.live, UnorderedElementsAre(1, 2));
  EXPECT_THAT(membership.liveness.gone, ElementsAre(3));
  EXPECT_THAT(membership.forgettable, ElementsAre(3));
}

TEST(MembershipTest, SilenceMeansNothingWhileNobodyKnowsThatTheDatabaseWasInReach) {
  const Membership membership =
      Seen(1, {}, {Row(1, {}), Row(2, absl::Seconds(1)), Row(3, absl::Hours(1))}, kNotSettled);
  EXPECT_THAT(membership.liveness.gone, IsEmpty());
  EXPECT_THAT(membership.forgettable, IsEmpty());
  // Leases that ran out mean as little.
  EXPECT_THAT(membership.liveness.live, IsEmpty());
  // But nobody has to share with a silent one.
  EXPECT_THAT(membership.cluster.nodes, ElementsAre(1, 2));
}

TEST(MembershipTest, EarlierIncarnationsOfThisNodeAreGoneAtOnce) {
  for (absl::Duration settled : {kSettled, kNotSettled}) {
    const Membership membership = Seen(
        7, {3, 5}, {Row(7, {}), Row(3, absl::Hours(2)), Row(5, absl::Milliseconds(1))}, settled);
    EXPECT_THAT(membership.liveness.gone, UnorderedElementsAre(3, 5));
    EXPECT_THAT(membership.forgettable, UnorderedElementsAre(3, 5));
    EXPECT_THAT(membership.cluster.nodes, ElementsAre(7));
  }
}

TEST(MembershipTest, NodesThatStoppedCleanlyAreGoneAtOnce) {
  for (absl::Duration settled : {kSettled, kNotSettled}) {
    const Membership membership =
        Seen(7, {}, {Row(7, {}), Row(8, absl::Milliseconds(1), true)}, settled);
    EXPECT_THAT(membership.liveness.gone, ElementsAre(8));
    EXPECT_THAT(membership.cluster.nodes, ElementsAre(7));
  }
}

TEST(MembershipTest, WhoHasJustStartedBelievesWhatTheOthersProve) {
  // Another one was there until a second ago, for two seconds or three; before that the last
  // renewal of the one that is silent counts, if there is no gap.
  std::vector<NodeRow> rows = {Row(1, {}), Row(2, absl::Seconds(1)), Row(3, absl::Seconds(8))};
  rows[1].steady_for = absl::Seconds(2);
  EXPECT_THAT(MembershipOf(1, {}, rows).liveness.gone, IsEmpty());
  rows[1].steady_for = absl::Seconds(3);
  EXPECT_THAT(MembershipOf(1, {}, rows).liveness.gone, ElementsAre(3));
}

TEST(InUseTest, ItIsWhatRenewalsCoverTogether) {
  EXPECT_EQ(InUseFor({}), absl::ZeroDuration());
  EXPECT_EQ(InUseFor({SteadyRow({}, {})}), absl::ZeroDuration());
  EXPECT_EQ(InUseFor({SteadyRow(absl::Seconds(4), absl::Seconds(3)),
                      SteadyRow(absl::Seconds(11), absl::Seconds(1)), SteadyRow({}, {})}),
            absl::Seconds(12));
  // One that began long ago covers what others did meanwhile.
  EXPECT_EQ(
      InUseFor({SteadyRow({}, absl::Seconds(20)), SteadyRow(absl::Seconds(2), absl::Seconds(1))}),
      absl::Seconds(20));
}

TEST(InUseTest, AGapEndsIt) {
  const absl::Duration more = kLongestGap + absl::Nanoseconds(1);
  EXPECT_EQ(InUseFor({SteadyRow({}, {}), SteadyRow(more, absl::Hours(1))}), absl::ZeroDuration());
  EXPECT_EQ(InUseFor({SteadyRow({}, absl::Seconds(1)),
                      SteadyRow(absl::Seconds(1) + more, absl::Hours(1))}),
            absl::Seconds(1));
}

TEST(InUseTest, AnOutageOfTheDatabaseIsAGapOfAll) {
  // Everybody was there for an hour, away for five seconds, and one is back.
  const NodeRow before = SteadyRow(absl::Seconds(5), absl::Hours(1));
  EXPECT_EQ(InUseFor({SteadyRow({}, {}), before, before, before}), absl::ZeroDuration());
}

TEST(InUseTest, AClockThatWasSetBackProvesNothing) {
  EXPECT_EQ(InUseFor({SteadyRow({}, {}), SteadyRow(-absl::Hours(1), absl::Hours(2))}),
            absl::ZeroDuration());
}

TEST(MembershipTest, ItLooksAgainWhenSomebodyMayBeDead) {
  EXPECT_EQ(Seen(1, {}, {Row(1, {}), Row(2, absl::Seconds(3))}, kSettled).look_again,
            kHeartbeatInterval);
  EXPECT_EQ(Seen(1, {}, {Row(1, {}), Row(2, absl::Seconds(7))}, kSettled).look_again,
            absl::Seconds(1));
  // Silent for long, and that is known to mean something in half a second.
  EXPECT_EQ(Seen(1, {}, {Row(1, {}), Row(2, absl::Hours(1))}, absl::Seconds(7.5)).look_again,
            absl::Seconds(0.5));
  // The dead do not make it look.
  EXPECT_EQ(Seen(1, {}, {Row(1, {}), Row(2, absl::Hours(1))}, kSettled).look_again,
            kHeartbeatInterval);
}

TEST(MembershipTest, ANodeNeverThinksItselfDead) {
  const Membership membership = Seen(1, {}, {Row(1, absl::Hours(1))}, kSettled);
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

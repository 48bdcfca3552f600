// What both sets of stores do about leases: who has what, and who takes it over.

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/storage/conformance/scene.h"

namespace postrider {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

template <typename Subject>
class LeaseConformanceTest : public ConformanceTest<Subject> {};
TYPED_TEST_SUITE(LeaseConformanceTest, Subjects);

TYPED_TEST(LeaseConformanceTest, WhatIsLeasedAtAcceptanceIsNobodyElses) {
  auto& scene = this->scene_;
  scene.AddEndpoint();
  EXPECT_TRUE(scene.Accept(scene.MakeEvent("t"), 1).deliveries.at(0).leased);
  EXPECT_FALSE(scene.Accept(scene.MakeEvent("t")).deliveries.at(0).leased);
  EXPECT_THAT(scene.Claim(0, 10, 2), ElementsAre(1));
  EXPECT_THAT(scene.Claim(0, 10, 2), IsEmpty());
}

TYPED_TEST(LeaseConformanceTest, TheOldestAreClaimedFirstAndNoMoreThanOrdered) {
  auto& scene = this->scene_;
  scene.AddEndpoint();
  for (int i = 0; i < 5; ++i) scene.Accept(scene.MakeEvent("t"));
  EXPECT_THAT(scene.Claim(0, 2, 1), ElementsAre(0, 1));
  EXPECT_THAT(scene.Claim(0, 2, 2), ElementsAre(2, 3));
  EXPECT_NE(scene.LeaseOf(0).token, scene.LeaseOf(2).token);
}

TYPED_TEST(LeaseConformanceTest, WhatIsReleasedIsClaimedAgainAndOldTokensHoldNothing) {
  auto& scene = this->scene_;
  scene.AddEndpoint();
  scene.Accept(scene.MakeEvent("t"), 1);
  const LeaseRef old = scene.LeaseOf(0);
  ASSERT_TRUE(scene.subject().dispatch().Release({old}).ok());
  EXPECT_THAT(scene.Claim(0, 1, 2), ElementsAre(0));
  ASSERT_TRUE(scene.subject().dispatch().Release({old}).ok());
  EXPECT_THAT(scene.Claim(0, 1, 3), IsEmpty());
  EXPECT_THAT(*scene.subject().dispatch().LeasesHeld({old}), IsEmpty());
  EXPECT_THAT(*scene.subject().dispatch().LeasesHeld({scene.LeaseOf(0)}), SizeIs(1));
}

TYPED_TEST(LeaseConformanceTest, WhatWasLeasedAtAcceptanceWithoutAnAnswerIsGivenBack) {
  auto& scene = this->scene_;
  scene.AddEndpoint();
  const AcceptResult untold = scene.Accept(scene.MakeEvent("t"), 1);
  const AcceptResult told = scene.Accept(scene.MakeEvent("t"), 1);
  const AcceptResult of_another = scene.Accept(scene.MakeEvent("t"), 2);
  const std::vector<EventId> events = {untold.event_id, of_another.event_id,
                                       scene.MakeEvent("t").id};  // this one is not stored
  ASSERT_TRUE(scene.subject().dispatch().ReleaseUntold(events, 1).ok());
  EXPECT_THAT(scene.Claim(0, 10, 1), ElementsAre(0));
  // Once more: by now it is claimed.
  ASSERT_TRUE(scene.subject().dispatch().ReleaseUntold(events, 1).ok());
  EXPECT_THAT(scene.Claim(0, 10, 3), IsEmpty());
  EXPECT_EQ(scene.Show(0), "state 2 reason 0 attempts 0");
}

TYPED_TEST(LeaseConformanceTest, WorkOfADeadNodeIsTakenOverAsAbandoned) {
  auto& scene = this->scene_;
  scene.AddEndpoint();
  const int32_t dead = scene.DeadNode(false);
  scene.Accept(scene.MakeEvent("t"), dead);
  EXPECT_EQ(scene.TakeOver({dead}).count, 1);
  EXPECT_EQ(scene.Show(0), "state 1 reason 0 attempts 1 1:8");
  EXPECT_THAT(scene.Claim(0, 1, 2), ElementsAre(0));
}

TYPED_TEST(LeaseConformanceTest, ALeaseThatRanOutIsTakenOverFromALivingNode) {
  auto& scene = this->scene_;
  scene.AddEndpoint();
  scene.Accept(scene.MakeEvent("t"));
  ASSERT_THAT(scene.Claim(0, 1, 7, -absl::Seconds(1)), ElementsAre(0));
  EXPECT_EQ(scene.TakeOver({}, {8}).count, 0);
  EXPECT_EQ(scene.TakeOver({}, {7}).count, 1);
  EXPECT_EQ(scene.Show(0), "state 1 reason 0 attempts 1 1:8");
}

TYPED_TEST(LeaseConformanceTest, SoManyAreTakenOverAtATime) {
  auto& scene = this->scene_;
  for (int i = 0; i < 2; ++i) scene.AddEndpoint();
  const int32_t dead = scene.DeadNode(true);
  for (int i = 0; i < 5; ++i) scene.Accept(scene.MakeEvent("t"), dead);
  for (const int count : {4, 4, 2, 0}) EXPECT_EQ(scene.TakeOver({dead}, {}, 4).count, count);
}

TYPED_TEST(LeaseConformanceTest, ANodeThatCameBackKeepsItsLeasesUnlessItStoppedOrStartedAnew) {
  auto& scene = this->scene_;
  scene.AddEndpoint();
  NodeStore& nodes = scene.subject().nodes();
  const int32_t node = nodes.Register("a")->node_no;
  for (int i = 0; i < 3; ++i) scene.Accept(scene.MakeEvent("t"), node);
  scene.Pass(absl::Seconds(20));
  ASSERT_TRUE(nodes.Heartbeat(node).ok());
  EXPECT_EQ(scene.TakeOver({node}).count, 0);
  scene.Pass(absl::Seconds(9));
  EXPECT_EQ(scene.TakeOver({node}, {}, 1).count, 1);
  ASSERT_TRUE(nodes.Heartbeat(node).ok());
  ASSERT_TRUE(nodes.MarkStopped(node).ok());
  EXPECT_EQ(scene.TakeOver({node}, {}, 1).count, 1);
  ASSERT_TRUE(nodes.Heartbeat(node).ok());
  const NodeRegistration next = *nodes.Register("a");
  EXPECT_THAT(next.previous, ElementsAre(node));
  EXPECT_EQ(scene.TakeOver(next.previous).count, 1);
}

TYPED_TEST(LeaseConformanceTest, WhatWasLeasedAtAcceptanceRunsOutToo) {
  auto& scene = this->scene_;
  scene.AddEndpoint();
  scene.Accept(scene.MakeEvent("t"), 7);
  scene.Pass(kLease - absl::Seconds(10));
  EXPECT_EQ(scene.TakeOver({}, {7}).count, 0);
  scene.Pass(absl::Seconds(11));
  EXPECT_EQ(scene.TakeOver({}, {7}).count, 1);
}

TYPED_TEST(LeaseConformanceTest, WhatIsDueIsFoundByEndpointBehindACursor) {
  auto& scene = this->scene_;
  for (int i = 0; i < 4; ++i) scene.AddEndpoint();
  scene.Accept(scene.MakeEvent("t"));
  ASSERT_THAT(scene.Claim(1, 10, 1), SizeIs(1));
  ASSERT_THAT(scene.Claim(3, 10, 1), SizeIs(1));
  ASSERT_TRUE(scene.Record(scene.OutcomeOf(3, Ending::kRetry, absl::Hours(1))).ok() &&
              scene.subject().Disable(scene.EndpointAt(2)).ok());
  const auto found = [&](EndpointId after, int32_t limit) {
    std::string shown;
    const auto due = scene.subject().dispatch().FindDue(after, limit);
    EXPECT_TRUE(due.ok()) << due.status();
    for (const DueEndpoint& one : *due) {
      for (int i = 0; i < 4; ++i) {
        if (scene.EndpointAt(i) == one.id) absl::StrAppend(&shown, i, one.due ? " due " : " not ");
      }
    }
    return shown;
  };
  EXPECT_EQ(found({}, 10), "0 due 2 not 3 not ");
  EXPECT_EQ(found({}, 2), "0 due 2 not ");
  EXPECT_EQ(found(scene.EndpointAt(2), 2), "3 not ");
  scene.Pass(absl::Hours(2));
  EXPECT_EQ(found({}, 10), "0 due 2 not 3 due ");
}

TYPED_TEST(LeaseConformanceTest, AClaimTellsWhatWasTriedBefore) {
  auto& scene = this->scene_;
  scene.AddEndpoint();
  scene.Accept(scene.MakeEvent("t"), 1);
  ASSERT_TRUE(scene.Record(scene.OutcomeOf(0, Ending::kRetry)).ok());
  const int32_t dead = scene.DeadNode(true);
  ASSERT_THAT(scene.Claim(0, 1, dead), SizeIs(1));
  scene.TakeOver({dead});
  ASSERT_THAT(scene.Claim(0, 1, 1), SizeIs(1));
  OutcomeRecord of_our_outage = scene.OutcomeOf(0, Ending::kRetry);
  of_our_outage.uses_retry = false;
  ASSERT_TRUE(scene.Record(of_our_outage).ok());
  ASSERT_THAT(scene.Claim(0, 1, 1), SizeIs(1));
  const ClaimedDelivery& claimed = scene.claimed().at(0);
  EXPECT_EQ(claimed.event_id, scene.EventOf(0));
  EXPECT_EQ(claimed.attempt_count, 3);
  EXPECT_EQ(claimed.failure_count, 1);
  EXPECT_EQ(claimed.origin, DeliveryOrigin::kPublish);
  ASSERT_NE(claimed.body, nullptr);
  EXPECT_EQ(*claimed.body, "{}");
}

}  // namespace
}  // namespace postrider

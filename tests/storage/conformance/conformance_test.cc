// What every set of stores does, case by case.

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
using Status = AcceptResult::Status;

template <typename Subject>
class ConformanceTest : public ::testing::Test {
 protected:
  Scene<Subject> scene_;
};
using Subjects = ::testing::Types<MemorySubject, PostgresSubject>;
TYPED_TEST_SUITE(ConformanceTest, Subjects);

// As Show says them.
constexpr char kWaits[] = "state 1 reason 0 attempts 0";

TYPED_TEST(ConformanceTest, AnEventGoesToTheEnabledEndpointsThatMatch) {
  auto& scene = this->scene_;
  scene.AddEndpoint();
  scene.AddEndpoint({"user.*"});
  scene.AddEndpoint({"order.paid"});
  scene.AddEndpoint();
  ASSERT_TRUE(scene.subject().Disable(scene.EndpointAt(3)).ok());
  const AcceptResult made = scene.Accept(scene.MakeEvent("user.created"));
  EXPECT_EQ(made.delivery_count, 2);
  ASSERT_THAT(made.deliveries, SizeIs(2));
  EXPECT_EQ(made.deliveries[0].endpoint_id, scene.EndpointAt(0));
  EXPECT_EQ(made.deliveries[1].endpoint_id, scene.EndpointAt(1));
  EXPECT_EQ(scene.Accept(scene.MakeEvent("user")).delivery_count, 1);
  EXPECT_EQ(scene.Accept(scene.MakeEvent("postrider.test")).delivery_count, 0);
}

TYPED_TEST(ConformanceTest, AKeyGivesOneEventAndOtherContentIsAConflict) {
  auto& scene = this->scene_;
  scene.AddEndpoint();
  const AcceptResult first = scene.Accept(scene.MakeEvent("t", "k"));
  const AcceptResult again = scene.Accept(scene.MakeEvent("t", "k"));
  EXPECT_EQ(again.status, Status::kDuplicate);
  EXPECT_EQ(again.event_id, first.event_id);
  EXPECT_EQ(again.delivery_count, 1);
  EXPECT_THAT(again.deliveries, IsEmpty());
  EXPECT_EQ(scene.Accept(scene.MakeEvent("t", "k", 'e')).status, Status::kConflict);
  EXPECT_EQ(scene.delivery_count(), 1);
}

TYPED_TEST(ConformanceTest, AConflictRefusesItsBatchAndNoOther) {
  auto& scene = this->scene_;
  scene.AddEndpoint();
  scene.Accept(scene.MakeEvent("t", "k"));
  const auto results = scene.subject().events().Accept(
      {scene.MakeEvent("t"), scene.MakeEvent("t", "k", 'e'), scene.MakeEvent("t")}, {1, 1, 2}, {});
  ASSERT_TRUE(results.ok()) << results.status();
  EXPECT_EQ(results->at(0).status, Status::kRefused);
  EXPECT_EQ(results->at(1).status, Status::kConflict);
  EXPECT_EQ(results->at(2).status, Status::kAccepted);
}

TYPED_TEST(ConformanceTest, WhatIsLeasedAtAcceptanceIsNobodyElses) {
  auto& scene = this->scene_;
  scene.AddEndpoint();
  EXPECT_TRUE(scene.Accept(scene.MakeEvent("t"), 1).deliveries.at(0).leased);
  EXPECT_FALSE(scene.Accept(scene.MakeEvent("t")).deliveries.at(0).leased);
  EXPECT_THAT(scene.Claim(0, 10, 2), ElementsAre(1));
  EXPECT_THAT(scene.Claim(0, 10, 2), IsEmpty());
}

TYPED_TEST(ConformanceTest, TheOldestAreClaimedFirstAndNoMoreThanOrdered) {
  auto& scene = this->scene_;
  scene.AddEndpoint();
  for (int i = 0; i < 5; ++i) scene.Accept(scene.MakeEvent("t"));
  EXPECT_THAT(scene.Claim(0, 2, 1), ElementsAre(0, 1));
  EXPECT_THAT(scene.Claim(0, 2, 2), ElementsAre(2, 3));
  EXPECT_NE(scene.LeaseOf(0).token, scene.LeaseOf(2).token);
}

TYPED_TEST(ConformanceTest, WhatIsReleasedIsClaimedAgainAndOldTokensHoldNothing) {
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

TYPED_TEST(ConformanceTest, WhatWasLeasedAtAcceptanceWithoutAnAnswerIsGivenBack) {
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

TYPED_TEST(ConformanceTest, AnOutcomeIsAwaitedUntilItIsRecorded) {
  auto& scene = this->scene_;
  scene.AddEndpoint();
  DispatchStore& dispatch = scene.subject().dispatch();
  const int32_t dead = scene.DeadNode(false);
  scene.Accept(scene.MakeEvent("t"), dead);
  scene.Accept(scene.MakeEvent("t"), 9);
  scene.Accept(scene.MakeEvent("t"), 9);
  const std::vector<LeaseRef> leases = {scene.LeaseOf(0), scene.LeaseOf(1), scene.LeaseOf(2)};
  EXPECT_THAT(*dispatch.LeasesAwaited(leases), IsEmpty());
  scene.TakeOver({dead});
  ASSERT_TRUE(scene.subject().Cancel(scene.IdOf(1)).ok());
  ASSERT_TRUE(scene.Record(scene.OutcomeOf(2, true)).ok());
  EXPECT_THAT(*dispatch.LeasesAwaited(leases), SizeIs(2));
  ASSERT_TRUE(dispatch.RecordLate(scene.OutcomeOf(0, false), {}).ok());
  ASSERT_TRUE(dispatch.RecordLate(scene.OutcomeOf(1, false), {}).ok());
  EXPECT_THAT(*dispatch.LeasesAwaited(leases), IsEmpty());
}

TYPED_TEST(ConformanceTest, AttemptsAreNumberedUntilTheDeliveryEnds) {
  auto& scene = this->scene_;
  scene.AddEndpoint();
  scene.Accept(scene.MakeEvent("t"), 1);
  ASSERT_TRUE(scene.Record(scene.OutcomeOf(0, false)).ok());
  EXPECT_EQ(scene.Show(0), "state 1 reason 0 attempts 1 1:2");
  ASSERT_THAT(scene.Claim(0, 1, 1), ElementsAre(0));
  ASSERT_TRUE(scene.Record(scene.OutcomeOf(0, true)).ok());
  EXPECT_EQ(scene.Show(0), "state 3 reason 0 attempts 2 1:2 2:1");
  EXPECT_EQ(scene.ShowEndpoint(0), "state 1 reason 0 failures 0");
}

TYPED_TEST(ConformanceTest, FailuresInARowDisableAnEndpointAndItsWorkIsHeld) {
  auto& scene = this->scene_;
  scene.AddEndpoint();
  for (int i = 0; i < 4; ++i) scene.Accept(scene.MakeEvent("t"), 1);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(scene.Record(scene.OutcomeOf(i, false)).ok());
  EXPECT_EQ(scene.ShowEndpoint(0), "state 2 reason 2 failures 3");
  const auto due = scene.subject().dispatch().FindDue({}, 10);
  ASSERT_THAT(*due, SizeIs(1));
  EXPECT_FALSE(due->at(0).due);
  ASSERT_TRUE(scene.subject().Enable(scene.EndpointAt(0), false).ok());
  EXPECT_EQ(scene.ShowEndpoint(0), "state 1 reason 0 failures 0");
  EXPECT_THAT(scene.Claim(0, 10, 2), SizeIs(4));
}

TYPED_TEST(ConformanceTest, AnOutcomeWithoutItsLeaseRefusesTheWholeBatch) {
  auto& scene = this->scene_;
  scene.AddEndpoint();
  scene.Accept(scene.MakeEvent("t"), 1);
  scene.Accept(scene.MakeEvent("t"), 1);
  OutcomeRecord lost = scene.OutcomeOf(1, true);
  ++lost.lease_token;
  const auto status = scene.subject().dispatch().Record({scene.OutcomeOf(0, true), lost}, {});
  EXPECT_TRUE(absl::IsAborted(status.status())) << status.status();
  EXPECT_EQ(scene.Show(0), "state 2 reason 0 attempts 0");
}

TYPED_TEST(ConformanceTest, WorkOfADeadNodeIsTakenOverAsAbandoned) {
  auto& scene = this->scene_;
  scene.AddEndpoint();
  const int32_t dead = scene.DeadNode(false);
  scene.Accept(scene.MakeEvent("t"), dead);
  EXPECT_EQ(scene.TakeOver({dead}).count, 1);
  EXPECT_EQ(scene.Show(0), "state 1 reason 0 attempts 1 1:8");
  EXPECT_THAT(scene.Claim(0, 1, 2), ElementsAre(0));
}

TYPED_TEST(ConformanceTest, ALeaseThatRanOutIsTakenOverFromALivingNode) {
  auto& scene = this->scene_;
  scene.AddEndpoint();
  scene.Accept(scene.MakeEvent("t"));
  ASSERT_THAT(scene.Claim(0, 1, 7, -absl::Seconds(1)), ElementsAre(0));
  EXPECT_EQ(scene.TakeOver({}, {8}).count, 0);
  EXPECT_EQ(scene.TakeOver({}, {7}).count, 1);
  EXPECT_EQ(scene.Show(0), "state 1 reason 0 attempts 1 1:8");
}

TYPED_TEST(ConformanceTest, ALateOutcomeCompletesItsRowOnceAndASuccessEndsWhatIsOpen) {
  auto& scene = this->scene_;
  scene.AddEndpoint();
  const int32_t dead = scene.DeadNode(false);
  scene.Accept(scene.MakeEvent("t"), dead);
  scene.Accept(scene.MakeEvent("t"), dead);
  const OutcomeRecord failed = scene.OutcomeOf(0, false);
  const OutcomeRecord succeeded = scene.OutcomeOf(1, true);
  scene.TakeOver({dead});
  ASSERT_TRUE(scene.subject().dispatch().RecordLate(failed, {scene.TallyOf(failed)}).ok());
  EXPECT_EQ(scene.Show(0), "state 1 reason 0 attempts 1 1:2");
  ASSERT_TRUE(scene.subject().dispatch().RecordLate(succeeded, {}).ok());
  EXPECT_EQ(scene.Show(1), "state 3 reason 0 attempts 1 1:1");
  // Once.
  ASSERT_TRUE(scene.subject().dispatch().RecordLate(succeeded, {}).ok());
  EXPECT_EQ(scene.Show(1), "state 3 reason 0 attempts 1 1:1");
  EXPECT_EQ(scene.ShowEndpoint(0), "state 1 reason 0 failures 0");
}

TYPED_TEST(ConformanceTest, FiveUncleanDeathsPoisonADeliveryAndCleanEndsDoNot) {
  auto& scene = this->scene_;
  scene.AddEndpoint();
  scene.Accept(scene.MakeEvent("t"));
  for (int i = 0; i < 9; ++i) {
    const int32_t dead = scene.DeadNode(i % 2 == 0);
    ASSERT_THAT(scene.Claim(0, 1, dead), ElementsAre(0)) << i;
    EXPECT_EQ(scene.TakeOver({dead}).poisoned, 0) << i;
  }
  const int32_t last = scene.DeadNode(false);
  ASSERT_THAT(scene.Claim(0, 1, last), ElementsAre(0));
  EXPECT_EQ(scene.TakeOver({last}).poisoned, 1);
  EXPECT_EQ(scene.Show(0).substr(0, 28), "state 4 reason 3 attempts 10");
}

TYPED_TEST(ConformanceTest, CancelEndsWhatIsOpenAndAnAttemptInFlightIsStillLogged) {
  auto& scene = this->scene_;
  scene.AddEndpoint();
  scene.Accept(scene.MakeEvent("t"), 1);
  const OutcomeRecord outcome = scene.OutcomeOf(0, false);
  ASSERT_TRUE(scene.subject().Cancel(scene.IdOf(0)).ok());
  ASSERT_TRUE(scene.subject().Cancel(scene.IdOf(0)).ok());
  EXPECT_TRUE(absl::IsAborted(scene.Record(outcome)));
  ASSERT_TRUE(scene.subject().dispatch().RecordLate(outcome, {scene.TallyOf(outcome)}).ok());
  EXPECT_EQ(scene.Show(0), "state 5 reason 6 attempts 1 1:2");
  EXPECT_EQ(scene.ShowEndpoint(0), "state 1 reason 0 failures 1");
}

TYPED_TEST(ConformanceTest, TerminalStatesNeverChangeAndARedeliveryIsANewDelivery) {
  auto& scene = this->scene_;
  scene.AddEndpoint();
  scene.Accept(scene.MakeEvent("t"), 1);
  ASSERT_TRUE(scene.Record(scene.OutcomeOf(0, true)).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(scene.subject().Cancel(scene.IdOf(0))));
  ASSERT_TRUE(scene.Redeliver(0).ok());
  EXPECT_EQ(scene.Show(1), kWaits);
  EXPECT_THAT(scene.Claim(0, 1, 2), ElementsAre(1));
  EXPECT_EQ(scene.Show(0), "state 3 reason 0 attempts 1 1:1");
}

TYPED_TEST(ConformanceTest, DeletingAndDiscardingCancelWhatWasHeld) {
  auto& scene = this->scene_;
  for (int i = 0; i < 2; ++i) scene.AddEndpoint();
  scene.Accept(scene.MakeEvent("t"));
  ASSERT_TRUE(scene.subject().Disable(scene.EndpointAt(0)).ok());
  ASSERT_TRUE(scene.subject().Enable(scene.EndpointAt(0), true).ok());
  EXPECT_EQ(scene.Show(0), "state 5 reason 6 attempts 0");
  ASSERT_TRUE(scene.subject().Delete(scene.EndpointAt(1)).ok());
  EXPECT_EQ(scene.Show(1), "state 5 reason 5 attempts 0");
  EXPECT_TRUE(absl::IsNotFound(scene.subject().Delete(scene.EndpointAt(1))));
  EXPECT_TRUE(absl::IsFailedPrecondition(scene.Redeliver(1)));
}

}  // namespace
}  // namespace postrider

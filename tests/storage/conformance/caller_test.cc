// What both sets of stores do when callers act on endpoints and deliveries.

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/storage/conformance/scene.h"

namespace postrider {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::SizeIs;

template <typename Subject>
class CallerConformanceTest : public ConformanceTest<Subject> {};
TYPED_TEST_SUITE(CallerConformanceTest, Subjects);

TYPED_TEST(CallerConformanceTest, CancelEndsWhatIsOpenAndAnAttemptInFlightIsStillLogged) {
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

TYPED_TEST(CallerConformanceTest, TerminalStatesNeverChangeAndARedeliveryIsANewDelivery) {
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

TYPED_TEST(CallerConformanceTest, DeletingAndDiscardingCancelWhatWasHeld) {
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

TYPED_TEST(CallerConformanceTest, ARedeliveryBeginsAnewAndWaitsWhileItsEndpointIsDisabled) {
  auto& scene = this->scene_;
  scene.AddEndpoint();
  scene.Accept(scene.MakeEvent("t"), 1);
  ASSERT_TRUE(scene.Record(scene.OutcomeOf(0, Ending::kExhausted)).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(scene.subject().Cancel(scene.IdOf(0))));
  ASSERT_TRUE(scene.subject().Disable(scene.EndpointAt(0)).ok());
  // Of one that is over, and of one that is not.
  ASSERT_TRUE(scene.Redeliver(0).ok());
  ASSERT_TRUE(scene.Redeliver(1).ok());
  EXPECT_FALSE(scene.subject().dispatch().FindDue({}, 10)->at(0).due);
  ASSERT_TRUE(scene.subject().Enable(scene.EndpointAt(0), false).ok());
  ASSERT_THAT(scene.Claim(0, 10, 2), ElementsAre(1, 2));
  for (const ClaimedDelivery& claimed : scene.claimed()) {
    EXPECT_EQ(claimed.origin, DeliveryOrigin::kRedelivery);
    EXPECT_EQ(claimed.attempt_count, 0);
    EXPECT_EQ(claimed.event_id, scene.EventOf(0));
  }
  ASSERT_TRUE(scene.Record(scene.OutcomeOf(1, false)).ok());
  EXPECT_EQ(Describe(scene.LogOf(1).at(0)),
            "1: outcome 2 origin 2 status 500 sends 1 body 'answer'");
  EXPECT_EQ(scene.ShowEndpoint(0), "state 1 reason 0 failures 1");
}

TYPED_TEST(CallerConformanceTest, WhatIsNotThereIsNotFound) {
  auto& scene = this->scene_;
  const DeliveryId delivery{Ulid::RandomAt(scene.subject().Now(), RandomBits)};
  EXPECT_TRUE(absl::IsNotFound(scene.subject().Cancel(delivery)));
  EXPECT_TRUE(absl::IsNotFound(scene.subject().Redeliver(delivery, delivery)));
  scene.AddEndpoint();
  const EndpointId endpoint = scene.EndpointAt(0);
  ASSERT_TRUE(scene.subject().Delete(endpoint).ok());
  EXPECT_TRUE(absl::IsNotFound(scene.subject().Enable(endpoint, false)));
  EXPECT_TRUE(absl::IsNotFound(scene.subject().Disable(endpoint)));
  EXPECT_TRUE(absl::IsNotFound(scene.subject().Update(endpoint, {"a"})));
}

TYPED_TEST(CallerConformanceTest, AnAttemptInFlightOfADeletedEndpointIsLoggedAndCountsForNothing) {
  auto& scene = this->scene_;
  scene.AddEndpoint();
  scene.Accept(scene.MakeEvent("t"), 1);
  const OutcomeRecord outcome = scene.OutcomeOf(0, true);
  ASSERT_TRUE(scene.subject().Delete(scene.EndpointAt(0)).ok());
  EXPECT_TRUE(absl::IsAborted(scene.Record(outcome)));
  ASSERT_TRUE(scene.RecordLate(outcome).ok());
  EXPECT_EQ(scene.Show(0), "state 5 reason 5 attempts 1 1:1");
}

TYPED_TEST(CallerConformanceTest, EnablingWhatIsEnabledDiscardsNothing) {
  auto& scene = this->scene_;
  scene.AddEndpoint();
  scene.Accept(scene.MakeEvent("t"));
  ASSERT_TRUE(scene.subject().Enable(scene.EndpointAt(0), true).ok());
  EXPECT_EQ(scene.Show(0), kWaits);
}

TYPED_TEST(CallerConformanceTest, WhoeverFollowsChangesMissesNone) {
  auto& scene = this->scene_;
  for (int i = 0; i < 7; ++i) scene.AddEndpoint();
  for (const int32_t node : {0, 9}) scene.Accept(scene.MakeEvent("t"), node);
  const int32_t dead = scene.DeadNode(true);
  const auto subject = [&]() -> auto& { return scene.subject(); };
  const int64_t position = scene.Position();
  const auto cancels = [&] { return scene.ChangedSince(position, true); };
  // Of the first event all wait, of the second all are leased.
  ASSERT_TRUE(subject().Cancel(scene.IdOf(0)).ok());
  EXPECT_THAT(cancels(), IsEmpty());
  ASSERT_TRUE(subject().Cancel(scene.IdOf(7)).ok());
  EXPECT_THAT(cancels(), ElementsAre(0));
  ASSERT_TRUE(subject().Delete(scene.EndpointAt(1)).ok());
  EXPECT_THAT(cancels(), ElementsAre(0, 1));
  // A success that comes late ends what another node has.
  ASSERT_THAT(scene.Claim(2, 1, dead), ElementsAre(2));
  const OutcomeRecord late = scene.OutcomeOf(2, true);
  ASSERT_EQ(scene.TakeOver({dead}).count, 1);
  ASSERT_THAT(scene.Claim(2, 1, 9), ElementsAre(2));
  ASSERT_TRUE(scene.RecordLate(late).ok());
  EXPECT_THAT(cancels(), ElementsAre(0, 1, 2));

  ASSERT_TRUE(scene.Record(scene.OutcomeOf(10, Ending::kGone)).ok());
  ASSERT_TRUE(subject().Update(scene.EndpointAt(4), {"a"}).ok());
  ASSERT_TRUE(subject().Disable(scene.EndpointAt(5)).ok());
  ASSERT_TRUE(subject().Enable(scene.EndpointAt(5), false).ok());
  EXPECT_THAT(scene.ChangedSince(position, false), IsSupersetOf({1, 3, 4, 5, 5}));
  const auto loaded = subject().reader().Load({scene.EndpointAt(1), scene.EndpointAt(3)});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  ASSERT_THAT(*loaded, SizeIs(2));
  for (const EndpointForDispatch& one : *loaded) {
    const bool deleted = one.endpoint.id == scene.EndpointAt(1);
    EXPECT_EQ(one.endpoint.state, deleted ? EndpointState::kDeleted : EndpointState::kDisabled);
    EXPECT_THAT(one.secrets, SizeIs(deleted ? 0 : 1));
  }
}

}  // namespace
}  // namespace postrider

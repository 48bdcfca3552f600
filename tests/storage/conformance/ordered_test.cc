// What both sets of stores do for ordered endpoints.

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
class OrderedConformanceTest : public ConformanceTest<Subject> {
 protected:
  int AddOrdered() {
    const int endpoint = this->scene_.AddEndpoint();
    SetOrdered(endpoint, true);
    return endpoint;
  }
  void SetOrdered(int endpoint, bool ordered) {
    auto& scene = this->scene_;
    ASSERT_TRUE(scene.subject().SetOrdered(scene.EndpointAt(endpoint), ordered).ok());
  }
  // By a node that knows the endpoint to be ordered.
  std::vector<int> ClaimHead(int endpoint) {
    return this->scene_.Claim(endpoint, 1, 2, kLease, true);
  }
  void Succeed(int delivery) {
    ASSERT_TRUE(this->scene_.Record(this->scene_.OutcomeOf(delivery, true)).ok());
  }
  bool HasATime(int delivery) {
    auto& scene = this->scene_;
    return scene.subject().Deliveries()[scene.IdOf(delivery)].next_attempt_time.has_value();
  }
};
TYPED_TEST_SUITE(OrderedConformanceTest, Subjects);

TYPED_TEST(OrderedConformanceTest, NothingIsLeasedAtAcceptanceAndTheHeadAloneIsClaimed) {
  auto& scene = this->scene_;
  const int endpoint = this->AddOrdered();
  EXPECT_FALSE(scene.Accept(scene.MakeEvent("t"), 1).deliveries.at(0).leased);
  scene.AcceptBatch({scene.MakeEvent("t"), scene.MakeEvent("t")}, 1);
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(scene.Claim(endpoint, 10, 2), ElementsAre(i));
    EXPECT_TRUE(scene.claimed().at(0).in_order);
    EXPECT_THAT(scene.Claim(endpoint, 10, 3), IsEmpty());
    this->Succeed(i);
  }
  EXPECT_THAT(scene.Claim(endpoint, 10, 2), IsEmpty());
}

TYPED_TEST(OrderedConformanceTest, AHeadThatWaitsHoldsBackItsQueueAndAloneHasATime) {
  auto& scene = this->scene_;
  const int endpoint = this->AddOrdered();
  for (int i = 0; i < 2; ++i) scene.Accept(scene.MakeEvent("t"));
  EXPECT_TRUE(this->HasATime(0));
  EXPECT_FALSE(this->HasATime(1));
  ASSERT_THAT(this->ClaimHead(endpoint), ElementsAre(0));
  auto due = scene.subject().dispatch().FindDue({}, 10);
  ASSERT_THAT(*due, SizeIs(1));
  EXPECT_FALSE(due->at(0).due);
  EXPECT_EQ(due->at(0).next_attempt_time, absl::InfiniteFuture());
  EXPECT_FALSE(this->HasATime(0));
  EXPECT_FALSE(this->HasATime(1));
  ASSERT_TRUE(scene.Record(scene.OutcomeOf(0, Ending::kRetry, absl::Minutes(10))).ok());
  EXPECT_THAT(this->ClaimHead(endpoint), IsEmpty());
  due = scene.subject().dispatch().FindDue({}, 10);
  ASSERT_THAT(*due, SizeIs(1));
  EXPECT_FALSE(due->at(0).due);
  EXPECT_LT(due->at(0).next_attempt_time, absl::InfiniteFuture());
  scene.Pass(absl::Minutes(11));
  EXPECT_TRUE(scene.subject().dispatch().FindDue({}, 10)->at(0).due);
  EXPECT_THAT(this->ClaimHead(endpoint), ElementsAre(0));
  this->Succeed(0);
  EXPECT_THAT(this->ClaimHead(endpoint), ElementsAre(1));
}

TYPED_TEST(OrderedConformanceTest, WhatWasAcceptedBeforeTheSwitchGoesFirst) {
  auto& scene = this->scene_;
  const int endpoint = scene.AddEndpoint();
  scene.Accept(scene.MakeEvent("t"));
  this->SetOrdered(endpoint, true);
  scene.Accept(scene.MakeEvent("t"));
  EXPECT_THAT(this->ClaimHead(endpoint), ElementsAre(0));
  EXPECT_FALSE(scene.claimed().at(0).in_order);
  this->Succeed(0);
  EXPECT_THAT(this->ClaimHead(endpoint), ElementsAre(1));
}

TYPED_TEST(OrderedConformanceTest, AfterTheSwitchBackTheQueueGoesOnBesideEverythingElse) {
  auto& scene = this->scene_;
  const int endpoint = this->AddOrdered();
  for (int i = 0; i < 2; ++i) scene.Accept(scene.MakeEvent("t"));
  this->SetOrdered(endpoint, false);
  EXPECT_TRUE(scene.Accept(scene.MakeEvent("t"), 1).deliveries.at(0).leased);
  scene.Accept(scene.MakeEvent("t"));
  EXPECT_THAT(scene.Claim(endpoint, 1, 2), ElementsAre(0, 3));
  EXPECT_THAT(scene.Claim(endpoint, 10, 2), IsEmpty());
  this->Succeed(0);
  EXPECT_THAT(scene.Claim(endpoint, 10, 2), ElementsAre(1));
}

TYPED_TEST(OrderedConformanceTest, ARedeliveryGoesToTheEnd) {
  auto& scene = this->scene_;
  const int endpoint = this->AddOrdered();
  scene.Accept(scene.MakeEvent("t"));
  ASSERT_THAT(this->ClaimHead(endpoint), ElementsAre(0));
  this->Succeed(0);
  scene.Accept(scene.MakeEvent("t"));
  ASSERT_TRUE(scene.Redeliver(0).ok());
  scene.Accept(scene.MakeEvent("t"));
  for (int i : {1, 2, 3}) {
    EXPECT_THAT(this->ClaimHead(endpoint), ElementsAre(i));
    this->Succeed(i);
  }
}

TYPED_TEST(OrderedConformanceTest, ASuspectAtTheHeadIsClaimedAloneAndEndsAsPoisonedInTheEnd) {
  auto& scene = this->scene_;
  const int endpoint = this->AddOrdered();
  for (int i = 0; i < 2; ++i) scene.Accept(scene.MakeEvent("t"));
  for (int i = 0; i < 5; ++i) {
    const int32_t dead = scene.DeadNode(false);
    ASSERT_THAT(scene.Claim(endpoint, 1, dead, kLease, true), ElementsAre(0)) << i;
    EXPECT_EQ(scene.TakeOver({dead}).poisoned, i == 4 ? 1 : 0);
  }
  EXPECT_THAT(this->ClaimHead(endpoint), ElementsAre(1));
}

TYPED_TEST(OrderedConformanceTest, WhenTheHeadIsCanceledTheNextOneIsTheHead) {
  auto& scene = this->scene_;
  const int endpoint = this->AddOrdered();
  for (int i = 0; i < 3; ++i) scene.Accept(scene.MakeEvent("t"));
  ASSERT_TRUE(scene.subject().Cancel(scene.IdOf(0)).ok());
  EXPECT_TRUE(this->HasATime(1));
  ASSERT_THAT(this->ClaimHead(endpoint), ElementsAre(1));
  ASSERT_TRUE(scene.subject().Cancel(scene.IdOf(1)).ok());
  EXPECT_THAT(this->ClaimHead(endpoint), ElementsAre(2));
}

}  // namespace
}  // namespace postrider

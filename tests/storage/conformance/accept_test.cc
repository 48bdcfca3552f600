// What both sets of stores do when events are accepted.

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/storage/conformance/scene.h"

namespace postrider {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;
using Status = AcceptResult::Status;

template <typename Subject>
class AcceptConformanceTest : public ConformanceTest<Subject> {};
TYPED_TEST_SUITE(AcceptConformanceTest, Subjects);

TYPED_TEST(AcceptConformanceTest, AnEventGoesToTheEnabledEndpointsThatMatch) {
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

TYPED_TEST(AcceptConformanceTest, AKeyGivesOneEventAndOtherContentIsAConflict) {
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

TYPED_TEST(AcceptConformanceTest, AConflictRefusesItsBatchAndNoOther) {
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

TYPED_TEST(AcceptConformanceTest, MoreDeliveriesThanATransactionMayMakeStoreNothing) {
  auto& scene = this->scene_;
  constexpr int64_t kEndpoints = 50;
  for (int64_t i = 0; i < kEndpoints; ++i) scene.AddEndpoint();
  std::vector<NewEvent> many;
  std::vector<int32_t> batches;
  for (int64_t i = 0; i <= kMaxFanOut / kEndpoints; ++i) {
    many.push_back(scene.MakeEvent("t", absl::StrCat("k", i)));
    batches.push_back(static_cast<int32_t>(i));
  }
  const auto refused = scene.subject().events().Accept(many, batches, {1, kLease, {}});
  EXPECT_TRUE(absl::IsOutOfRange(refused.status())) << refused.status();
  EXPECT_THAT(scene.subject().Deliveries(), IsEmpty());
  // Nor its keys.
  EXPECT_EQ(scene.Accept(scene.MakeEvent("t", "k0", 'e')).status, Status::kAccepted);
}

TYPED_TEST(AcceptConformanceTest, OneEventThatMatchesMoreEndpointsThanThatIsRefusedToo) {
  auto& scene = this->scene_;
  scene.AddEndpoint({"a"});
  scene.subject().AddEndpoints(kMaxFanOut);
  const NewEvent event = scene.MakeEvent("a", "k");
  const auto refused = scene.subject().events().Accept({event}, {1}, {});
  EXPECT_TRUE(absl::IsOutOfRange(refused.status())) << refused.status();
  EXPECT_THAT(scene.subject().Deliveries(), IsEmpty());
}

TYPED_TEST(AcceptConformanceTest, WhatACongestedEndpointGetsIsLeftToWhoeverClaims) {
  auto& scene = this->scene_;
  for (int i = 0; i < 2; ++i) scene.AddEndpoint();
  const AcceptResult made = scene.Accept(scene.MakeEvent("t"), 1, {1});
  EXPECT_TRUE(made.deliveries.at(0).leased);
  EXPECT_FALSE(made.deliveries.at(1).leased);
  EXPECT_EQ(scene.Show(0), kLeased);
  EXPECT_EQ(scene.Show(1), kWaits);
  EXPECT_THAT(scene.Claim(0, 10, 2), IsEmpty());
  EXPECT_THAT(scene.Claim(1, 10, 2), SizeIs(1));
}

TYPED_TEST(AcceptConformanceTest, AChangedSubscriptionIsThatOfLaterEvents) {
  auto& scene = this->scene_;
  scene.AddEndpoint({"a"});
  EXPECT_EQ(scene.Accept(scene.MakeEvent("a")).delivery_count, 1);
  ASSERT_TRUE(scene.subject().Update(scene.EndpointAt(0), {"b.*"}).ok());
  EXPECT_EQ(scene.Accept(scene.MakeEvent("a")).delivery_count, 0);
  EXPECT_EQ(scene.Accept(scene.MakeEvent("b.c")).delivery_count, 1);
  EXPECT_THAT(scene.Claim(0, 10, 1), SizeIs(2));
}

}  // namespace
}  // namespace postrider

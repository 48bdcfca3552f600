// What both sets of stores do about what is past its retention.

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

constexpr absl::Duration kDay = absl::Hours(24);
constexpr RetentionOptions kThirtyDays{};

template <typename Subject>
class RetentionConformanceTest : public ConformanceTest<Subject> {};
TYPED_TEST_SUITE(RetentionConformanceTest, Subjects);

TYPED_TEST(RetentionConformanceTest,
           WhatIsOpenOfAnExpiredDayIsCanceledAndAnAttemptInFlightIsLogged) {
  auto& scene = this->scene_;
  scene.AddEndpoint();
  scene.Accept(scene.MakeOldEvent("t", 40 * kDay));
  scene.Accept(scene.MakeOldEvent("t", 33 * kDay));
  scene.Accept(scene.MakeOldEvent("t", 33 * kDay), 1);
  scene.Accept(scene.MakeOldEvent("t", 29 * kDay));
  const OutcomeRecord in_flight = scene.OutcomeOf(2, false);
  const int64_t position = scene.Position();
  // The day of what somebody is working on waits, and those after it.
  scene.subject().DropExpiredBeside(scene.IdOf(0), kThirtyDays);
  EXPECT_EQ(scene.Show(0), kWaits);
  EXPECT_EQ(scene.Show(1), "state 5 reason 7 attempts 0");
  EXPECT_EQ(scene.Show(2), "state 5 reason 7 attempts 0");
  EXPECT_EQ(scene.Show(3), kWaits);
  // Whoever has it is told.
  EXPECT_THAT(scene.ChangedSince(position, true), ElementsAre(0));
  EXPECT_TRUE(absl::IsAborted(scene.Record(in_flight)));
  ASSERT_TRUE(scene.RecordLate(in_flight).ok());
  EXPECT_EQ(scene.Show(2), "state 5 reason 7 attempts 1 1:2");
  EXPECT_EQ(scene.ShowEndpoint(0), "state 1 reason 0 failures 1");
  EXPECT_THAT(scene.Claim(0, 10, 2), ElementsAre(0, 3));
}

TYPED_TEST(RetentionConformanceTest, AnExpiredDayGoesWithAllThatItHolds) {
  auto& scene = this->scene_;
  scene.AddEndpoint();
  for (const int days : {33, 33, 33, 29}) {
    scene.Accept(scene.MakeOldEvent("t", days * kDay), 1);
  }
  ASSERT_TRUE(scene.Record(scene.OutcomeOf(0, true)).ok());
  ASSERT_TRUE(scene.Record(scene.OutcomeOf(1, false)).ok());
  ASSERT_TRUE(scene.Redeliver(0).ok());
  const OutcomeRecord in_flight = scene.OutcomeOf(2, true);
  scene.subject().DropExpired(kThirtyDays);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(scene.Show(i), "unknown");
  EXPECT_EQ(scene.Show(3), kLeased);
  EXPECT_TRUE(absl::IsAborted(scene.Record(in_flight)));
  ASSERT_TRUE(scene.RecordLate(in_flight).ok());
  EXPECT_EQ(scene.Show(2), "unknown");
  EXPECT_THAT(*scene.subject().dispatch().LeasesAwaited({scene.LeaseOf(2)}), IsEmpty());
  EXPECT_TRUE(absl::IsNotFound(scene.subject().Cancel(scene.IdOf(0))));
  EXPECT_TRUE(absl::IsNotFound(scene.Redeliver(0)));
  // The redelivery is of today, but there is nothing left to send.
  EXPECT_TRUE(absl::IsFailedPrecondition(scene.Redeliver(4)));
  ASSERT_THAT(scene.Claim(0, 10, 2), ElementsAre(4));
  EXPECT_EQ(scene.claimed().at(0).body, nullptr);
  // The log of today stays.
  EXPECT_THAT(scene.LogOf(0), SizeIs(1));
}

TYPED_TEST(RetentionConformanceTest, WhatHasNoPayloadAnyMoreIsClaimedWithoutAndExpires) {
  auto& scene = this->scene_;
  scene.AddEndpoint();
  RetentionOptions options;
  options.payload_retention = kDay;
  scene.Accept(scene.MakeOldEvent("t", 2 * kDay));
  scene.Accept(scene.MakeEvent("t"));
  scene.subject().DropExpired(options);
  EXPECT_TRUE(absl::IsFailedPrecondition(scene.Redeliver(0)));
  ASSERT_THAT(scene.Claim(0, 1, 1), ElementsAre(0));
  EXPECT_EQ(scene.claimed().at(0).body, nullptr);
  DispatchStore& dispatch = scene.subject().dispatch();
  LeaseRef other = scene.LeaseOf(0);
  ++other.token;
  ASSERT_TRUE(dispatch.Expire({other}).ok());
  EXPECT_EQ(scene.Show(0), kLeased);
  ASSERT_TRUE(dispatch.Expire({scene.LeaseOf(0)}).ok());
  EXPECT_EQ(scene.Show(0), "state 5 reason 7 attempts 0");
  // Nothing was sent, so nothing is awaited.
  EXPECT_THAT(*dispatch.LeasesAwaited({scene.LeaseOf(0)}), IsEmpty());
  ASSERT_THAT(scene.Claim(0, 1, 1), ElementsAre(1));
  EXPECT_NE(scene.claimed().at(0).body, nullptr);
}

}  // namespace
}  // namespace postrider

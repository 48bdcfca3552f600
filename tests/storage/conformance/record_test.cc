// What both sets of stores do with outcomes, in time and late.

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
class RecordConformanceTest : public ConformanceTest<Subject> {};
TYPED_TEST_SUITE(RecordConformanceTest, Subjects);

TYPED_TEST(RecordConformanceTest, AttemptsAreNumberedUntilTheDeliveryEnds) {
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

TYPED_TEST(RecordConformanceTest, AnOutcomeWithoutItsLeaseRefusesTheWholeBatch) {
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

TYPED_TEST(RecordConformanceTest, AnOutcomeIsAwaitedUntilItIsRecorded) {
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

TYPED_TEST(RecordConformanceTest, ALateOutcomeCompletesItsRowOnceAndASuccessEndsWhatIsOpen) {
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

TYPED_TEST(RecordConformanceTest, ABatchIsRecordedWholeAndEachOfItsLeasesOnce) {
  auto& scene = this->scene_;
  scene.AddEndpoint();
  for (int i = 0; i < 3; ++i) scene.Accept(scene.MakeEvent("t"), 1);
  EXPECT_TRUE(absl::IsAborted(scene.Record(
      {scene.OutcomeOf(0, true), scene.OutcomeOf(1, true), scene.OutcomeOf(1, true)}, 0)));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(scene.Show(i), kLeased);
  ASSERT_TRUE(scene
                  .Record({scene.OutcomeOf(0, Ending::kExhausted),
                           scene.OutcomeOf(2, Ending::kRetry), scene.OutcomeOf(1, true)},
                          0)
                  .ok());
  EXPECT_EQ(scene.Show(0), "state 4 reason 1 attempts 1 1:2");
  EXPECT_EQ(scene.Show(1), "state 3 reason 0 attempts 1 1:1");
  EXPECT_EQ(scene.Show(2), "state 1 reason 0 attempts 1 1:2");
  EXPECT_EQ(Describe(scene.LogOf(2).at(0)),
            "1: outcome 2 origin 1 status 500 sends 1 body 'answer'");
}

TYPED_TEST(RecordConformanceTest, ARetryWaitsForItsTime) {
  auto& scene = this->scene_;
  scene.AddEndpoint();
  scene.Accept(scene.MakeEvent("t"), 1);
  ASSERT_TRUE(scene.Record(scene.OutcomeOf(0, Ending::kRetry, absl::Minutes(10))).ok());
  scene.Pass(absl::Minutes(9));
  EXPECT_THAT(scene.Claim(0, 1, 1), IsEmpty());
  scene.Pass(absl::Minutes(2));
  EXPECT_THAT(scene.Claim(0, 1, 1), ElementsAre(0));
}

TYPED_TEST(RecordConformanceTest, ALateSuccessEndsWhatAnotherNodeHasAndThatOnesAttemptIsLogged) {
  auto& scene = this->scene_;
  scene.AddEndpoint();
  const int32_t dead = scene.DeadNode(false);
  scene.Accept(scene.MakeEvent("t"), dead);
  const OutcomeRecord late = scene.OutcomeOf(0, true);
  scene.TakeOver({dead});
  ASSERT_THAT(scene.Claim(0, 1, 2), ElementsAre(0));
  const OutcomeRecord in_flight = scene.OutcomeOf(0, false);
  ASSERT_TRUE(scene.RecordLate(late).ok());
  EXPECT_EQ(scene.Show(0), "state 3 reason 0 attempts 1 1:1");
  EXPECT_TRUE(absl::IsAborted(scene.Record(in_flight)));
  ASSERT_TRUE(scene.RecordLate(in_flight).ok());
  EXPECT_EQ(scene.Show(0), "state 3 reason 0 attempts 2 1:1 2:2");
  EXPECT_EQ(scene.ShowEndpoint(0), "state 1 reason 0 failures 1");
}

TYPED_TEST(RecordConformanceTest, ALateOutcomeOfAnErasedEventKeepsNothingOfTheAnswer) {
  auto& scene = this->scene_;
  scene.AddEndpoint();
  const int32_t dead = scene.DeadNode(false);
  scene.Accept(scene.MakeEvent("t"), dead);
  const OutcomeRecord late = scene.OutcomeOf(0, false);
  scene.TakeOver({dead});
  scene.subject().DropExpired({.payload_retention = absl::ZeroDuration()});
  ASSERT_TRUE(scene.RecordLate(late).ok());
  EXPECT_EQ(Describe(scene.LogOf(0).at(0)), "1: outcome 2 origin 1 status 500 sends 1 body '' cut");
}

TYPED_TEST(RecordConformanceTest, TotalsAreAddedUpByHourNodeOutcomeAndDuration) {
  auto& scene = this->scene_;
  for (int i = 0; i < 2; ++i) scene.AddEndpoint();
  const EndpointId first = scene.EndpointAt(0);
  const EndpointId second = scene.EndpointAt(1);
  const absl::Time hour = absl::FromUnixSeconds(1000 * 3600);
  DispatchStore& dispatch = scene.subject().dispatch();
  ASSERT_TRUE(dispatch
                  .AddTotals({{first, hour, AttemptOutcome::kSucceeded, 3, 5},
                              {first, hour, AttemptOutcome::kTimeout, 3, 1},
                              {second, hour, AttemptOutcome::kSucceeded, 3, 2}},
                             1)
                  .ok());
  ASSERT_TRUE(dispatch
                  .AddTotals({{first, hour, AttemptOutcome::kSucceeded, 3, 4},
                              {first, hour, AttemptOutcome::kSucceeded, 4, 1},
                              {first, hour + absl::Hours(1), AttemptOutcome::kSucceeded, 3, 6}},
                             1)
                  .ok());
  ASSERT_TRUE(dispatch.AddTotals({{first, hour, AttemptOutcome::kSucceeded, 3, 7}}, 2).ok());
  EXPECT_THAT(scene.subject().Totals(first),
              ElementsAre("1000 1 1 3: 9", "1000 1 1 4: 1", "1000 1 3 3: 1", "1000 2 1 3: 7",
                          "1001 1 1 3: 6"));
  EXPECT_THAT(scene.subject().Totals(second), ElementsAre("1000 1 1 3: 2"));
}

}  // namespace
}  // namespace postrider

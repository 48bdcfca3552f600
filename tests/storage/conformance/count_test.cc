// What both sets of stores do to the counters of endpoints (SEMANTICS, "Auto-disable", and 410), as
// far as the order in a batch and the thresholds decide.
// tests/storage/postgres/record_count_test.cc goes through all small batches.

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
class CountConformanceTest : public ConformanceTest<Subject> {
 protected:
  // Counts such a batch ("++-": a failure is "-", a success "+", a 410 "x") against an endpoint.
  // Tells what it has come to by the answer: "counts 2", "disabled (3) at 4", or nothing.
  std::string Count(const std::string& batch, int32_t threshold, int endpoint = 0) {
    std::vector<AttemptOutcome> outcomes;
    for (char c : batch) {
      outcomes.push_back(c == '+' ? AttemptOutcome::kSucceeded : AttemptOutcome::kHttpStatus);
    }
    const policy::Tally tally = policy::TallyOf(outcomes);
    const auto counts = this->scene_.subject().dispatch().Record(
        {}, {{this->scene_.EndpointAt(endpoint), tally.leading_failures, tally.longest_run,
              tally.trailing_failures, tally.has_success, threshold,
              batch.find('x') != std::string::npos}});
    EXPECT_TRUE(counts.ok()) << counts.status();
    if (!counts.ok() || counts->empty()) return "";
    const EndpointCount& count = counts->at(0);
    EXPECT_EQ(count.endpoint_id, this->scene_.EndpointAt(endpoint));
    return count.disabled_reason == DisabledReason::kNone
               ? absl::StrCat("counts ", count.consecutive_failures)
               : absl::StrCat("disabled (", static_cast<int>(count.disabled_reason), ") at ",
                              count.consecutive_failures);
  }
};
TYPED_TEST_SUITE(CountConformanceTest, Subjects);

TYPED_TEST(CountConformanceTest, FailuresInARowDisableAnEndpointAndItsWorkIsHeld) {
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

TYPED_TEST(CountConformanceTest,
           TheFirstFailuresOfABatchGoOnFromTheCountAndASuccessBehindThemIsTooLate) {
  auto& scene = this->scene_;
  for (int i = 0; i < 3; ++i) scene.AddEndpoint();
  EXPECT_EQ(this->Count("--", 4, 0), "counts 2");
  EXPECT_EQ(this->Count("--+", 4, 0), "disabled (2) at 4");
  EXPECT_EQ(scene.ShowEndpoint(0), "state 2 reason 2 failures 4");
  EXPECT_EQ(this->Count("----+++", 4, 1), "disabled (2) at 4");
  // One less does not do.
  EXPECT_EQ(this->Count("--", 4, 2), "counts 2");
  EXPECT_EQ(this->Count("-+", 4, 2), "counts 0");
  EXPECT_EQ(scene.ShowEndpoint(2), "state 1 reason 0 failures 0");
}

TYPED_TEST(CountConformanceTest, TheLongestRunOfABatchDisablesWhereverItStands) {
  auto& scene = this->scene_;
  for (int i = 0; i < 3; ++i) scene.AddEndpoint();
  EXPECT_EQ(this->Count("-+---+-", 3, 0), "disabled (2) at 3");
  EXPECT_EQ(scene.ShowEndpoint(0), "state 2 reason 2 failures 3");
  EXPECT_EQ(this->Count("+---", 3, 1), "disabled (2) at 3");
  // What the success ended is no part of it.
  EXPECT_EQ(this->Count("--", 3, 2), "counts 2");
  EXPECT_EQ(this->Count("+--", 3, 2), "counts 2");
  EXPECT_EQ(this->Count("+-+-", 3, 2), "counts 1");
}

TYPED_TEST(CountConformanceTest, ASuccessSetsTheCountToZeroAndNothingIsSaidOfOneThatStaysThere) {
  auto& scene = this->scene_;
  scene.AddEndpoint();
  EXPECT_EQ(this->Count("+", 3), "");
  EXPECT_EQ(this->Count("--", 3), "counts 2");
  EXPECT_EQ(this->Count("", 3), "counts 2");
  EXPECT_EQ(this->Count("+", 3), "counts 0");
  EXPECT_EQ(this->Count("++", 3), "");
}

TYPED_TEST(CountConformanceTest, ALoweredThresholdAppliesAtTheNextFailure) {
  auto& scene = this->scene_;
  for (int i = 0; i < 3; ++i) scene.AddEndpoint();
  for (int i = 0; i < 3; ++i) ASSERT_EQ(this->Count("-----", 50, i), "counts 5");
  EXPECT_EQ(this->Count("", 3, 0), "counts 5");
  EXPECT_EQ(this->Count("-", 3, 0), "disabled (2) at 6");
  EXPECT_EQ(this->Count("-+", 3, 1), "disabled (2) at 6");
  EXPECT_EQ(this->Count("+--", 3, 2), "counts 2");
}

TYPED_TEST(CountConformanceTest, ThresholdZeroCountsAndNeverDisables) {
  auto& scene = this->scene_;
  scene.AddEndpoint();
  EXPECT_EQ(this->Count(std::string(60, '-'), 0), "counts 60");
  EXPECT_EQ(this->Count(std::string(60, '-'), 0), "counts 120");
  EXPECT_EQ(this->Count("+" + std::string(60, '-'), 0), "counts 60");
  EXPECT_EQ(scene.ShowEndpoint(0), "state 1 reason 0 failures 60");
  // Until there is one again.
  EXPECT_EQ(this->Count("-", 50), "disabled (2) at 61");
}

TYPED_TEST(CountConformanceTest, ThresholdOneDisablesAtTheFirstFailure) {
  auto& scene = this->scene_;
  for (int i = 0; i < 2; ++i) scene.AddEndpoint();
  EXPECT_EQ(this->Count("-+", 1, 0), "disabled (2) at 1");
  EXPECT_EQ(this->Count("+-+", 1, 1), "disabled (2) at 1");
}

TYPED_TEST(CountConformanceTest, WhatIsDisabledOrDeletedStandsStillAndIsDisabledOnce) {
  auto& scene = this->scene_;
  for (int i = 0; i < 3; ++i) scene.AddEndpoint();
  ASSERT_EQ(this->Count("---", 3, 0), "disabled (2) at 3");
  ASSERT_EQ(this->Count("--", 3, 1), "counts 2");
  ASSERT_TRUE(scene.subject().Disable(scene.EndpointAt(1)).ok());
  ASSERT_TRUE(scene.subject().Delete(scene.EndpointAt(2)).ok());
  for (int i = 0; i < 3; ++i) {
    for (const char* batch : {"---", "+", "x"}) EXPECT_EQ(this->Count(batch, 3, i), "");
  }
  EXPECT_EQ(scene.ShowEndpoint(0), "state 2 reason 2 failures 3");
  EXPECT_EQ(scene.ShowEndpoint(1), "state 2 reason 1 failures 2");
  EXPECT_EQ(scene.ShowEndpoint(2), "deleted");
  // It keeps its reason, and starts anew when it is enabled.
  ASSERT_TRUE(scene.subject().Disable(scene.EndpointAt(0)).ok());
  EXPECT_EQ(scene.ShowEndpoint(0), "state 2 reason 2 failures 3");
  ASSERT_TRUE(scene.subject().Enable(scene.EndpointAt(0), false).ok());
  EXPECT_EQ(this->Count("--", 3, 0), "counts 2");
}

TYPED_TEST(CountConformanceTest, EachEndpointOfABatchHasItsOwnCount) {
  auto& scene = this->scene_;
  for (int i = 0; i < 3; ++i) scene.AddEndpoint();
  ASSERT_EQ(this->Count("-", 3, 2), "counts 1");
  const auto counts =
      scene.subject().dispatch().Record({}, {{scene.EndpointAt(0), 3, 3, 3, false, 3, false},
                                             {scene.EndpointAt(1), 2, 2, 2, false, 3, false},
                                             {scene.EndpointAt(2), 0, 0, 0, true, 3, false}});
  ASSERT_TRUE(counts.ok()) << counts.status();
  EXPECT_THAT(*counts, SizeIs(3));
  EXPECT_EQ(scene.ShowEndpoint(0), "state 2 reason 2 failures 3");
  EXPECT_EQ(scene.ShowEndpoint(1), "state 1 reason 0 failures 2");
  EXPECT_EQ(scene.ShowEndpoint(2), "state 1 reason 0 failures 0");
}

TYPED_TEST(CountConformanceTest, OutcomesCountWithTheBatchThatRecordsThem) {
  auto& scene = this->scene_;
  scene.AddEndpoint();
  for (int i = 0; i < 4; ++i) scene.Accept(scene.MakeEvent("t"), 1);
  std::vector<OutcomeRecord> batch;
  for (int i = 0; i < 3; ++i) batch.push_back(scene.OutcomeOf(i, false));
  batch.push_back(scene.OutcomeOf(3, true));
  ++batch[3].lease_token;
  EXPECT_TRUE(absl::IsAborted(scene.Record(batch, 3)));
  EXPECT_EQ(scene.ShowEndpoint(0), "state 1 reason 0 failures 0");
  --batch[3].lease_token;
  ASSERT_TRUE(scene.Record(batch, 3).ok());
  EXPECT_EQ(scene.ShowEndpoint(0), "state 2 reason 2 failures 3");
  EXPECT_EQ(scene.Show(3), "state 3 reason 0 attempts 1 1:1");
}

TYPED_TEST(CountConformanceTest, GoneFailsTheDeliveryAndDisablesItsEndpointWhoseWorkIsHeld) {
  auto& scene = this->scene_;
  for (int i = 0; i < 2; ++i) scene.AddEndpoint();
  scene.Accept(scene.MakeEvent("t"), 1);
  scene.Accept(scene.MakeEvent("t"));
  ASSERT_TRUE(scene.Record(scene.OutcomeOf(0, Ending::kGone)).ok());
  EXPECT_EQ(scene.Show(0), "state 4 reason 2 attempts 1 1:2");
  EXPECT_EQ(scene.ShowEndpoint(0), "state 2 reason 3 failures 1");
  EXPECT_EQ(scene.ShowEndpoint(1), "state 1 reason 0 failures 0");
  EXPECT_EQ(scene.Show(2), kWaits);
  EXPECT_FALSE(scene.subject().dispatch().FindDue({}, 10)->at(0).due);
  EXPECT_EQ(scene.Accept(scene.MakeEvent("t")).delivery_count, 1);
  ASSERT_TRUE(scene.subject().Enable(scene.EndpointAt(0), false).ok());
  EXPECT_EQ(scene.ShowEndpoint(0), "state 1 reason 0 failures 0");
  EXPECT_THAT(scene.Claim(0, 10, 1), ElementsAre(2));
}

TYPED_TEST(CountConformanceTest, GoneDisablesWhateverTheThresholdAndTheRestOfTheBatch) {
  auto& scene = this->scene_;
  for (int i = 0; i < 4; ++i) scene.AddEndpoint();
  EXPECT_EQ(this->Count("x", 0, 0), "disabled (3) at 1");
  EXPECT_EQ(this->Count("x++", 50, 1), "disabled (3) at 0");
  // It says more than a count.
  EXPECT_EQ(this->Count("--x", 3, 2), "disabled (3) at 3");
  // Of one that is disabled already it says nothing.
  ASSERT_TRUE(scene.subject().Disable(scene.EndpointAt(3)).ok());
  EXPECT_EQ(this->Count("x", 50, 3), "");
  EXPECT_EQ(scene.ShowEndpoint(3), "state 2 reason 1 failures 0");
}

TYPED_TEST(CountConformanceTest, TheOutcomeOfACanceledDeliveryCountsWhenItComes) {
  auto& scene = this->scene_;
  scene.AddEndpoint();
  for (int i = 0; i < 3; ++i) scene.Accept(scene.MakeEvent("t"), 1);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(scene.subject().Cancel(scene.IdOf(i)).ok());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(scene.RecordLate(scene.OutcomeOf(i, false)).ok());
  EXPECT_EQ(scene.ShowEndpoint(0), "state 2 reason 2 failures 3");
}

}  // namespace
}  // namespace postrider

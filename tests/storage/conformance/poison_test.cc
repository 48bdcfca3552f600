// What both sets of stores do about deliveries that kill the node that has them.

#include <algorithm>
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
class PoisonConformanceTest : public ConformanceTest<Subject> {};
TYPED_TEST_SUITE(PoisonConformanceTest, Subjects);

TYPED_TEST(PoisonConformanceTest, FiveUncleanDeathsPoisonADeliveryAndCleanEndsDoNot) {
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

TYPED_TEST(PoisonConformanceTest, ADeliveryRemembersTheUncleanDeathsInARow) {
  auto& scene = this->scene_;
  scene.AddEndpoint();
  scene.Accept(scene.MakeEvent("t"));
  const auto die = [&](bool clean) {
    const int32_t dead = scene.DeadNode(clean);
    EXPECT_THAT(scene.Claim(0, 1, dead), ElementsAre(0));
    EXPECT_EQ(scene.TakeOver({dead}).count, 1);
    const OpenMarks marks = scene.MarksOf(0);
    return absl::StrCat(marks.lost_claims, " ", marks.alone_deaths);
  };
  EXPECT_EQ(die(false), "1 0");
  EXPECT_EQ(die(true), "1 0");
  EXPECT_EQ(die(false), "2 0");
  EXPECT_EQ(die(false), "3 1");
  // Giving it back says nothing about it; nor does a lease that ran out.
  ASSERT_THAT(scene.Claim(0, 1, 1), ElementsAre(0));
  ASSERT_TRUE(scene.subject().dispatch().Release({scene.LeaseOf(0)}).ok());
  ASSERT_THAT(scene.Claim(0, 1, 1, -absl::Seconds(1)), ElementsAre(0));
  ASSERT_EQ(scene.TakeOver({}, {1}).count, 1);
  EXPECT_EQ(die(false), "4 2");
  // An attempt that is recorded shows that it kills nobody.
  ASSERT_THAT(scene.Claim(0, 1, 1), ElementsAre(0));
  ASSERT_TRUE(scene.Record(scene.OutcomeOf(0, false)).ok());
  EXPECT_EQ(die(false), "1 0");
}

TYPED_TEST(PoisonConformanceTest, ANodeHasOneSuspectAtATimeAndTheRestGoesOn) {
  auto& scene = this->scene_;
  scene.AddEndpoint({"a"});
  scene.AddEndpoint({"b"});
  for (const char* type : {"a", "a", "b", "b"}) scene.Accept(scene.MakeEvent(type));
  for (int death = 0; death < 2; ++death) {
    const int32_t dead = scene.DeadNode(false);
    ASSERT_THAT(scene.Claim(0, 10, dead), SizeIs(2));
    ASSERT_THAT(scene.Claim(1, 10, dead), SizeIs(2));
    ASSERT_EQ(scene.TakeOver({dead}).count, 4);
  }
  for (int i = 0; i < 3; ++i) scene.Accept(scene.MakeEvent("a"));
  const auto is_suspect = [](int number) { return number < 4; };
  const auto suspects_of = [&](const std::vector<int>& numbers) {
    return std::count_if(numbers.begin(), numbers.end(), is_suspect);
  };

  const std::vector<int> first = scene.Claim(0, 10, 1);
  EXPECT_THAT(first, SizeIs(4));
  EXPECT_EQ(suspects_of(first), 1);
  // While it has that one it gets no other, of whatever endpoint.
  EXPECT_THAT(scene.Claim(0, 10, 1), IsEmpty());
  EXPECT_THAT(scene.Claim(1, 10, 1), IsEmpty());
  scene.Accept(scene.MakeEvent("b"));
  EXPECT_THAT(scene.Claim(1, 10, 1), ElementsAre(7));
  // Another node may have one as well.
  EXPECT_THAT(scene.Claim(1, 10, 2), SizeIs(1));
  // A suspect needs no room of its own.
  EXPECT_THAT(scene.Claim(1, 0, 3), SizeIs(1));
  // When it is done with, the next follows.
  const int done = *std::find_if(first.begin(), first.end(), is_suspect);
  ASSERT_TRUE(scene.Record(scene.OutcomeOf(done, true)).ok());
  EXPECT_THAT(scene.Claim(0, 10, 1), ElementsAre(1 - done));
}

TYPED_TEST(PoisonConformanceTest, OneClaimOfManyEndpointsBringsOneSuspect) {
  auto& scene = this->scene_;
  scene.AddEndpoint({"a"});
  scene.AddEndpoint({"b"});
  for (const char* type : {"a", "b"}) scene.Accept(scene.MakeEvent(type));
  for (int death = 0; death < 2; ++death) {
    const int32_t dead = scene.DeadNode(false);
    for (int i = 0; i < 2; ++i) ASSERT_THAT(scene.Claim(i, 10, dead), SizeIs(1));
    ASSERT_EQ(scene.TakeOver({dead}).count, 2);
  }
  const auto claimed = scene.subject().dispatch().Claim(
      {{scene.EndpointAt(0), 10}, {scene.EndpointAt(1), 10}}, 1, kLease);
  ASSERT_TRUE(claimed.ok()) << claimed.status();
  EXPECT_THAT(*claimed, SizeIs(1));
}

TYPED_TEST(PoisonConformanceTest, AnOutcomeThatCannotBeStoredEndsItsDelivery) {
  auto& scene = this->scene_;
  scene.AddEndpoint();
  DispatchStore& dispatch = scene.subject().dispatch();
  scene.Accept(scene.MakeEvent("t"), 1);
  const OutcomeRecord outcome = scene.OutcomeOf(0, true);
  OutcomeRecord other = outcome;
  ++other.lease_token;
  ASSERT_TRUE(dispatch.Poison(other).ok());
  EXPECT_EQ(scene.Show(0), kLeased);
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(dispatch.Poison(outcome).ok());
    EXPECT_EQ(scene.Show(0), "state 4 reason 3 attempts 1 1:8");
  }
  // With nothing of what the receiver sent, and nothing that could still come.
  EXPECT_EQ(Describe(scene.LogOf(0).at(0)), "1: outcome 8 origin 1 status 0 sends 0 body ''");
  EXPECT_THAT(*dispatch.LeasesAwaited({scene.LeaseOf(0)}), IsEmpty());
  ASSERT_TRUE(scene.RecordLate(outcome).ok());
  EXPECT_EQ(scene.Show(0), "state 4 reason 3 attempts 1 1:8");
  EXPECT_TRUE(absl::IsFailedPrecondition(scene.subject().Cancel(scene.IdOf(0))));
  EXPECT_EQ(scene.ShowEndpoint(0), "state 1 reason 0 failures 0");
}

TYPED_TEST(PoisonConformanceTest, ALateOutcomeCompletesTheRowOfAPoisonedDeliveryAndNothingElse) {
  auto& scene = this->scene_;
  scene.AddEndpoint();
  scene.Accept(scene.MakeEvent("t"));
  OutcomeRecord last;
  for (int death = 0; death < 5; ++death) {
    const int32_t dead = scene.DeadNode(false);
    ASSERT_THAT(scene.Claim(0, 1, dead), ElementsAre(0));
    last = scene.OutcomeOf(0, true);
    scene.TakeOver({dead});
  }
  EXPECT_EQ(scene.Show(0), "state 4 reason 3 attempts 5 1:8 2:8 3:8 4:8 5:8");
  EXPECT_THAT(*scene.subject().dispatch().LeasesAwaited({scene.LeaseOf(0)}), SizeIs(1));
  ASSERT_TRUE(scene.RecordLate(last).ok());
  EXPECT_EQ(scene.Show(0), "state 4 reason 3 attempts 5 1:8 2:8 3:8 4:8 5:1");
}

}  // namespace
}  // namespace postrider

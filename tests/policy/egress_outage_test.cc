#include "server/policy/egress_outage.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace postrider::policy {
namespace {

constexpr Instant kNow = absl::Seconds(1000);

class EgressOutageTest : public ::testing::Test {
 protected:
  // Hosts `first` to `first + count - 1` were tried.
  void Tried(int first, int count, bool unreachable, Instant now = kNow) {
    for (int n = first; n < first + count; ++n)
      outage_.Add(absl::StrCat("h", n), absl::StrCat("org", n), unreachable, now);
  }

  EgressOutage outage_;
};

TEST_F(EgressOutageTest, TenHostsOfTenAreAnOutageAndNineAreNone) {
  Tried(0, 9, true);
  EXPECT_FALSE(outage_.InOutage(kNow));
  Tried(9, 1, true);
  EXPECT_TRUE(outage_.InOutage(kNow));
}

TEST_F(EgressOutageTest, OneHostThatFailsManyTimesIsOneHost) {
  for (int i = 0; i < 100; ++i) Tried(0, 1, true);
  EXPECT_FALSE(outage_.InOutage(kNow));
}

TEST_F(EgressOutageTest, NinetyPercentAreEnoughAndLessAreNot) {
  Tried(0, 18, true);
  Tried(18, 2, false);
  EXPECT_TRUE(outage_.InOutage(kNow));
  EgressOutage other;
  for (int n = 0; n < 20; ++n)
    other.Add(absl::StrCat("h", n), absl::StrCat("org", n), n < 17, kNow);
  EXPECT_FALSE(other.InOutage(kNow));
}

TEST_F(EgressOutageTest, WhatAHostDidLastCounts) {
  Tried(0, 10, false);
  Tried(0, 10, true);
  EXPECT_TRUE(outage_.InOutage(kNow));
}

TEST_F(EgressOutageTest, OnlyTheLastTenSecondsCount) {
  Tried(0, 5, true);
  Tried(5, 5, true, kNow + absl::Seconds(10));
  EXPECT_TRUE(outage_.InOutage(kNow + absl::Seconds(10)));
  EgressOutage other;
  for (int n = 0; n < 10; ++n) {
    other.Add(absl::StrCat("h", n), absl::StrCat("org", n), true,
              n < 5 ? kNow : kNow + absl::Seconds(10));
  }
  EXPECT_FALSE(other.InOutage(kNow + absl::Seconds(10) + absl::Nanoseconds(1)));
}

TEST_F(EgressOutageTest, ItIsOverWhenMoreThanATenthOfThoseTriedAnswer) {
  Tried(0, 20, true);
  ASSERT_TRUE(outage_.InOutage(kNow));
  Tried(0, 2, false, kNow + absl::Seconds(1));
  EXPECT_TRUE(outage_.InOutage(kNow + absl::Seconds(1)));
  Tried(2, 1, false, kNow + absl::Seconds(1));
  EXPECT_FALSE(outage_.InOutage(kNow + absl::Seconds(1)));
}

TEST_F(EgressOutageTest, ProbesKeepItAlive) {
  Tried(0, 20, true);
  ASSERT_TRUE(outage_.InOutage(kNow));
  Instant now = kNow;
  for (int probe = 0; probe < 3000; ++probe) {
    now += kProbeInterval;
    Tried(probe % 20, 1, true, now);
    ASSERT_TRUE(outage_.InOutage(now)) << probe;
  }
}

TEST_F(EgressOutageTest, ItStaysWhileNothingIsTriedForAWhile) {
  Tried(0, 10, true);
  ASSERT_TRUE(outage_.InOutage(kNow));
  EXPECT_TRUE(outage_.InOutage(kNow + absl::Seconds(59)));
  EXPECT_FALSE(outage_.InOutage(kNow + absl::Seconds(61)));
}

TEST_F(EgressOutageTest, AFewHostsThatStayDownDoNotKeepItAlive) {
  Tried(0, 10, true);
  ASSERT_TRUE(outage_.InOutage(kNow));
  Tried(0, 3, true, kNow + absl::Seconds(55));
  EXPECT_FALSE(outage_.InOutage(kNow + absl::Seconds(62)));
}

TEST_F(EgressOutageTest, OneOrgWhoseHostsDoNotExistIsNoOutageOfOthers) {
  for (int n = 0; n < 1000; ++n) outage_.Add(absl::StrCat("x", n), "mischief", true, kNow);
  Tried(0, 3, false);
  EXPECT_FALSE(outage_.InOutage(kNow));
  // Alone, it cannot be told from an outage; another org's first answer ends that.
  EgressOutage alone;
  for (int n = 0; n < 1000; ++n) alone.Add(absl::StrCat("x", n), "mischief", true, kNow);
  EXPECT_TRUE(alone.InOutage(kNow));
  alone.Add("well", "other", false, kNow + absl::Seconds(1));
  EXPECT_FALSE(alone.InOutage(kNow + absl::Seconds(1)));
}

TEST_F(EgressOutageTest, NobodyWaitsForAVerdictWhereFewHostsAreKnown) {
  Tried(0, 9, false);
  EXPECT_FALSE(outage_.Wary(kNow));
  Tried(9, 1, false);
  EXPECT_TRUE(outage_.Wary(kNow));
  EXPECT_TRUE(outage_.Wary(kNow + kHostMemory));
  EXPECT_FALSE(outage_.Wary(kNow + kHostMemory + absl::Nanoseconds(1)));
}

TEST_F(EgressOutageTest, HostsThatAreStillExpectedToAnswerMakeOneWary) {
  for (int n = 0; n < 10; ++n) outage_.Expect(absl::StrCat("h", n), "org", kNow);
  EXPECT_TRUE(outage_.Wary(kNow));
  // But they say nothing yet.
  Tried(0, 1, true);
  EXPECT_FALSE(outage_.InOutage(kNow));
  Tried(1, 8, true);
  EXPECT_FALSE(outage_.InOutage(kNow));
  Tried(9, 1, true);
  EXPECT_TRUE(outage_.InOutage(kNow));
}

TEST_F(EgressOutageTest, AFailureIsTheHostsOwnOnceTwoOthersAnsweredSince) {
  Tried(0, 10, false, kNow - absl::Seconds(1));
  Tried(0, 1, true, kNow);
  EXPECT_FALSE(outage_.Cleared(kNow));
  Tried(1, 1, false, kNow + absl::Seconds(1));
  EXPECT_FALSE(outage_.Cleared(kNow));
  Tried(2, 1, false, kNow + absl::Seconds(1));
  EXPECT_TRUE(outage_.Cleared(kNow));
}

TEST_F(EgressOutageTest, TwoAnswersAmongTwentyFailuresClearNothing) {
  Tried(0, 18, true);
  Tried(18, 2, false);
  EXPECT_FALSE(outage_.Cleared(kNow));
}

TEST_F(EgressOutageTest, HostsAreRememberedUpToABound) {
  Tried(0, static_cast<int>(kMaxHostsRemembered) + 100, true);
  EXPECT_TRUE(outage_.InOutage(kNow));
  EXPECT_TRUE(outage_.Wary(kNow));
}

TEST(IsUnreachableTest, OnlyWhatACutOffNodeWouldSee) {
  using O = AttemptOutcome;
  for (O outcome : {O::kDns, O::kConnection, O::kTimeout}) EXPECT_TRUE(IsUnreachable(outcome));
  for (O outcome : {O::kSucceeded, O::kHttpStatus, O::kTls, O::kBlocked, O::kAbandoned}) {
    EXPECT_FALSE(IsUnreachable(outcome));
  }
}

}  // namespace
}  // namespace postrider::policy

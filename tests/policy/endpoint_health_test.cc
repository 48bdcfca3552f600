#include "server/policy/endpoint_health.h"

#include <algorithm>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace postrider::policy {

void PrintTo(const Tally& t, std::ostream* os) {
  *os << "{leading " << t.leading_failures << ", longest " << t.longest_run << ", trailing "
      << t.trailing_failures << (t.has_success ? ", success}" : "}");
}
void PrintTo(const Health& h, std::ostream* os) {
  *os << h.consecutive_failures << (h.disable ? " disabled" : "");
}

namespace {

// F any failure, S a success, A an abandoned attempt.
std::vector<AttemptOutcome> Outcomes(const std::string& letters) {
  static constexpr AttemptOutcome kFailures[] = {
      AttemptOutcome::kHttpStatus, AttemptOutcome::kTimeout, AttemptOutcome::kConnection,
      AttemptOutcome::kDns,        AttemptOutcome::kTls,     AttemptOutcome::kBlocked};
  std::vector<AttemptOutcome> outcomes;
  for (char letter : letters) {
    outcomes.push_back(letter == 'S'   ? AttemptOutcome::kSucceeded
                       : letter == 'A' ? AttemptOutcome::kAbandoned
                                       : kFailures[outcomes.size() % std::size(kFailures)]);
  }
  return outcomes;
}

std::string Many(int count, char letter) { return std::string(static_cast<size_t>(count), letter); }

Health After(int before, const std::string& letters, int threshold = 50) {
  return AfterBatch(before, TallyOf(Outcomes(letters)), threshold);
}

TEST(TallyTest, CountsLeadingLongestAndTrailingFailures) {
  EXPECT_EQ(TallyOf({}), (Tally{0, 0, 0, false}));
  EXPECT_EQ(TallyOf(Outcomes("F")), (Tally{1, 1, 1, false}));
  EXPECT_EQ(TallyOf(Outcomes("FFF")), (Tally{3, 3, 3, false}));
  EXPECT_EQ(TallyOf(Outcomes("S")), (Tally{0, 0, 0, true}));
  EXPECT_EQ(TallyOf(Outcomes("SFF")), (Tally{0, 2, 2, true}));
  EXPECT_EQ(TallyOf(Outcomes("FFS")), (Tally{2, 2, 0, true}));
  EXPECT_EQ(TallyOf(Outcomes("FSFFFSFF")), (Tally{1, 3, 2, true}));
  EXPECT_EQ(TallyOf(Outcomes("FFFFSSF")), (Tally{4, 4, 1, true}));
}

TEST(TallyTest, AbandonedAttemptsNeitherCountNorReset) {
  EXPECT_EQ(TallyOf(Outcomes("A")), (Tally{0, 0, 0, false}));
  EXPECT_EQ(TallyOf(Outcomes("FAF")), (Tally{2, 2, 2, false}));
  EXPECT_EQ(TallyOf(Outcomes("AFASAFFA")), (Tally{1, 2, 2, true}));
}

TEST(TallyTest, EveryKindOfFailureCounts) {
  for (AttemptOutcome outcome :
       {AttemptOutcome::kHttpStatus, AttemptOutcome::kTimeout, AttemptOutcome::kConnection,
        AttemptOutcome::kDns, AttemptOutcome::kTls, AttemptOutcome::kBlocked}) {
    EXPECT_EQ(TallyOf({outcome}), (Tally{1, 1, 1, false})) << static_cast<int>(outcome);
  }
}

TEST(HealthTest, FiftyConsecutiveFailuresDisable) {
  EXPECT_EQ(After(0, "F"), (Health{1, false}));
  EXPECT_EQ(After(48, "F"), (Health{49, false}));
  EXPECT_EQ(After(49, "F"), (Health{50, true}));
  EXPECT_EQ(After(0, Many(49, 'F')), (Health{49, false}));
  EXPECT_EQ(After(0, Many(50, 'F')), (Health{50, true}));
}

TEST(HealthTest, AnySuccessSetsTheCounterToZero) {
  EXPECT_EQ(After(49, "S"), (Health{0, false}));
  EXPECT_EQ(After(30, "FFS"), (Health{0, false}));
  EXPECT_EQ(After(0, "S"), (Health{0, false}));
}

TEST(HealthTest, TheCounterGoesOnFromTheLastSuccess) {
  EXPECT_EQ(After(49, "SF"), (Health{1, false}));
  EXPECT_EQ(After(10, "FSFFSFFF"), (Health{3, false}));
}

TEST(HealthTest, ReachingItAcrossBatchesDisablesEvenIfASuccessFollows) {
  EXPECT_EQ(After(49, "FS"), (Health{50, true}));
  EXPECT_EQ(After(45, "FFFFFSF"), (Health{50, true}));
  EXPECT_EQ(After(45, "FFFFS"), (Health{0, false}));
}

TEST(HealthTest, ReachingItInsideABatchDisablesEvenIfSuccessesStandAround) {
  EXPECT_EQ(After(0, "S" + Many(50, 'F') + "S"), (Health{50, true}));
  EXPECT_EQ(After(7, "FS" + Many(60, 'F') + "SF"), (Health{50, true}));
  EXPECT_EQ(After(0, "S" + Many(49, 'F') + "S"), (Health{0, false}));
  // The run inside counts alone, not on top of what was before.
  EXPECT_EQ(After(40, "S" + Many(49, 'F')), (Health{49, false}));
}

TEST(HealthTest, TheCounterStopsWhereTheThresholdWasReached) {
  EXPECT_EQ(After(48, "FFFFFF"), (Health{50, true}));
  EXPECT_EQ(After(0, Many(80, 'F')), (Health{50, true}));
}

TEST(HealthTest, ThresholdZeroNeverDisables) {
  EXPECT_EQ(After(0, Many(500, 'F'), 0), (Health{500, false}));
  EXPECT_EQ(After(9000, "F", 0), (Health{9001, false}));
  EXPECT_EQ(After(9000, "FSF", 0), (Health{1, false}));
}

TEST(HealthTest, ThresholdOneDisablesAtTheFirstFailure) {
  EXPECT_EQ(After(0, "F", 1), (Health{1, true}));
  EXPECT_EQ(After(0, "SFS", 1), (Health{1, true}));
  EXPECT_EQ(After(0, "SS", 1), (Health{0, false}));
}

TEST(HealthTest, ALoweredThresholdAppliesAtTheNextFailure) {
  EXPECT_EQ(After(30, "F", 10), (Health{31, true}));
  EXPECT_EQ(After(30, "FFFF", 10), (Health{31, true}));
  EXPECT_EQ(After(30, "FS", 10), (Health{31, true}));
  // Nothing failed yet.
  EXPECT_EQ(After(30, "", 10), (Health{30, false}));
  EXPECT_EQ(After(30, "A", 10), (Health{30, false}));
  EXPECT_EQ(After(30, "S", 10), (Health{0, false}));
  EXPECT_EQ(After(30, "SF", 10), (Health{1, false}));
  EXPECT_EQ(After(10, "", 10), (Health{10, false}));
}

TEST(HealthTest, ARaisedThresholdGivesMoreRoom) {
  EXPECT_EQ(After(49, "F", 60), (Health{50, false}));
  EXPECT_EQ(After(59, "F", 60), (Health{60, true}));
}

TEST(HealthTest, AbandonedAttemptsLeaveTheCounterAlone) {
  EXPECT_EQ(After(49, "AAA"), (Health{49, false}));
  EXPECT_EQ(After(49, "AFA"), (Health{50, true}));
}

// The rule told attempt by attempt: what the batch must come to.
Health OneByOne(int counter, const std::vector<AttemptOutcome>& outcomes, int threshold) {
  for (AttemptOutcome outcome : outcomes) {
    if (outcome == AttemptOutcome::kAbandoned) continue;
    if (outcome == AttemptOutcome::kSucceeded) {
      counter = 0;
      continue;
    }
    ++counter;
    if (threshold > 0 && counter >= threshold) return {counter, true};
  }
  return {counter, false};
}

std::string RandomLetters(std::mt19937& random) {
  std::string letters;
  const size_t one_in = 2 + random() % 20;
  for (size_t n = random() % 40; n > 0; --n) {
    letters += random() % one_in == 0 ? 'S' : random() % 9 == 0 ? 'A' : 'F';
  }
  return letters;
}

TEST(HealthTest, ABatchComesToWhatItsAttemptsComeToOneByOne) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  int disabled = 0;
  for (int i = 0; i < 20000; ++i) {
    const std::string letters = RandomLetters(random);
    const int threshold = static_cast<int>(random() % 25);
    const int before = static_cast<int>(random() % 30);
    const Health expected = OneByOne(before, Outcomes(letters), threshold);
    ASSERT_EQ(After(before, letters, threshold), expected)
        << letters << " threshold " << threshold << " before " << before;
    disabled += expected.disable ? 1 : 0;
  }
  EXPECT_GT(disabled, 1000);
}

TEST(HealthTest, CuttingABatchInTwoChangesNothing) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (int i = 0; i < 10000; ++i) {
    const std::string letters = RandomLetters(random);
    const size_t cut = letters.empty() ? 0 : random() % letters.size();
    const int threshold = static_cast<int>(random() % 25);
    const int before = static_cast<int>(random() % 30);
    Health in_two = After(before, letters.substr(0, cut), threshold);
    // While disabled the counter stands still.
    if (!in_two.disable) {
      in_two = After(in_two.consecutive_failures, letters.substr(cut), threshold);
    }
    ASSERT_EQ(After(before, letters, threshold), in_two)
        << letters << " cut " << cut << " threshold " << threshold << " before " << before;
  }
}

}  // namespace
}  // namespace postrider::policy

// When the next may start: pacing of a failing endpoint, rates, and how long an outage takes to
// disable an endpoint.

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "server/policy/admission.h"

namespace postrider::policy {
namespace {

constexpr Instant kStart = absl::Seconds(1000);

AdmissionRules Rules(int max_in_flight, int threshold = 0, double rate = 0) {
  AdmissionRules rules;
  rules.max_in_flight = max_in_flight;
  rules.disable_threshold = threshold;
  rules.rate_per_second = rate;
  return rules;
}

// When an attempt that wants to start at `now` may, looking again when it is told to.
Instant StartTime(const Admission& admission, const AdmissionRules& rules, Instant now) {
  Instant retry_at;
  while (!admission.MayStart(rules, now, &retry_at)) {
    if (retry_at == absl::InfiniteDuration()) return retry_at;
    now = retry_at;
  }
  return now;
}

TEST(PacingTest, AtOneThePauseDoublesFromATenthToTwoSeconds) {
  Admission admission;
  const AdmissionRules rules = Rules(1);
  Instant now = kStart;
  for (double seconds : {0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0}) {
    admission.OnStart(rules, now);
    admission.OnFailure(rules, now);
    const Instant next = StartTime(admission, rules, now);
    EXPECT_EQ(next - now, absl::Seconds(seconds));
    now = next;
  }
}

TEST(PacingTest, ThePauseCountsFromTheEndOfTheAttempt) {
  Admission admission;
  const AdmissionRules rules = Rules(1);
  admission.OnStart(rules, kStart);
  admission.OnFailure(rules, kStart + absl::Seconds(15));
  EXPECT_EQ(StartTime(admission, rules, kStart + absl::Seconds(15)), kStart + absl::Seconds(15.1));
}

TEST(PacingTest, AboveOneNothingIsPaced) {
  Admission admission;
  const AdmissionRules rules = Rules(32);
  for (int i = 0; i < 4; ++i) {  // 16, 8, 4, 2
    admission.OnStart(rules, kStart);
    admission.OnFailure(rules, kStart);
    EXPECT_EQ(StartTime(admission, rules, kStart), kStart);
  }
  admission.OnStart(rules, kStart);
  admission.OnFailure(rules, kStart);
  EXPECT_EQ(StartTime(admission, rules, kStart), kStart + absl::Milliseconds(100));
}

TEST(PacingTest, AttemptsThatFailTogetherMakeOnePause) {
  Admission admission;
  const AdmissionRules rules = Rules(20);
  for (int i = 0; i < 20; ++i) admission.OnStart(rules, kStart);
  for (int i = 0; i < 20; ++i) admission.OnFailure(rules, kStart + absl::Milliseconds(i));
  // At one from the fifth failure on.
  EXPECT_EQ(StartTime(admission, rules, kStart + absl::Milliseconds(20)),
            kStart + absl::Milliseconds(103));
}

TEST(PacingTest, ASuccessEndsThePauseAndTheNextBeginsSmall) {
  Admission admission;
  const AdmissionRules rules = Rules(1);
  for (int i = 0; i < 5; ++i) {
    const Instant now = kStart + absl::Seconds(10 * i);
    admission.OnStart(rules, now);
    admission.OnFailure(rules, now);
  }
  const Instant later = kStart + absl::Seconds(100);
  admission.OnStart(rules, later);
  admission.OnSuccess(rules);
  EXPECT_EQ(StartTime(admission, rules, later), later);
  admission.OnStart(rules, later);
  admission.OnFailure(rules, later);
  EXPECT_EQ(StartTime(admission, rules, later), later + absl::Milliseconds(100));
}

TEST(PacingTest, AfterAPauseTheNextFailurePausesLonger) {
  Admission admission;
  const AdmissionRules rules = Rules(1);
  Instant now = kStart;
  admission.OnStart(rules, now);
  admission.OnFailure(rules, now);
  now += absl::Hours(1);  // nothing to send meanwhile
  EXPECT_EQ(StartTime(admission, rules, now), now);
  admission.OnStart(rules, now);
  admission.OnFailure(rules, now);
  EXPECT_EQ(StartTime(admission, rules, now), now + absl::Milliseconds(200));
}

struct Outage {
  absl::Duration until_disabled;
  int failures_at_once = 0;  // at the first instant
  int most_in_flight = 0;
};

// A busy endpoint that fails every attempt `answer_time` (not zero) after its start, until the
// threshold.
Outage Simulate(AdmissionRules rules, absl::Duration answer_time) {
  Admission admission;
  std::vector<Instant> ends;  // of those in flight, in order
  Outage outage;
  Instant now = kStart;
  for (int failures = 0;;) {
    while (StartTime(admission, rules, now) == now) {
      admission.OnStart(rules, now);
      ends.push_back(now + answer_time);
      outage.most_in_flight = std::max(outage.most_in_flight, admission.in_flight());
    }
    const Instant next_start = StartTime(admission, rules, now);
    if (!ends.empty() && ends.front() <= next_start) {
      now = ends.front();
      ends.erase(ends.begin());
      admission.OnFailure(rules, now);
      if (++failures == rules.disable_threshold) {
        outage.until_disabled = now - kStart;
        return outage;
      }
      if (now == kStart + answer_time) outage.failures_at_once = failures;
    } else {
      now = next_start;
    }
  }
}

TEST(OutageTest, ARefusingEndpointReachesFiftyInAboutHalfAMinute) {
  const Outage outage = Simulate(Rules(32, 50), absl::Milliseconds(1));
  // Half of 50 go out at once and fail together: one pause.
  EXPECT_EQ(outage.most_in_flight, 25);
  EXPECT_EQ(outage.failures_at_once, 25);
  // The other 25 one by one: 0.1, 0.2, 0.4, 0.8 and 1.6 s apart, then 2 s, and 1 ms each.
  EXPECT_EQ(outage.until_disabled, absl::Seconds(3.1 + 20 * 2) + absl::Milliseconds(26));
}

TEST(OutageTest, ATimingOutEndpointTakesMinutes) {
  const Outage outage = Simulate(Rules(32, 50), absl::Seconds(15));
  EXPECT_EQ(outage.failures_at_once, 25);
  // 26 answers of 15 s, the pauses between them included.
  EXPECT_EQ(outage.until_disabled, absl::Seconds(26 * 15 + 3.1 + 20 * 2));
}

TEST(OutageTest, AShortOutageDoesNotUseUpTheFifty) {
  // Refusing for ten seconds, then well again.
  const AdmissionRules rules = Rules(32, 50);
  Admission admission;
  for (int i = 0; i < 25; ++i) admission.OnStart(rules, kStart);
  for (int i = 0; i < 25; ++i) admission.OnFailure(rules, kStart);
  int failures = 25;
  Instant now = StartTime(admission, rules, kStart);
  while (now < kStart + absl::Seconds(10)) {
    admission.OnStart(rules, now);
    admission.OnFailure(rules, now);
    ++failures;
    now = StartTime(admission, rules, now);
  }
  EXPECT_EQ(failures, 25 + 8);
  admission.OnStart(rules, now);
  admission.OnSuccess(rules);
  EXPECT_EQ(admission.consecutive_failures(), 0);
  EXPECT_EQ(admission.Limit(rules), 2);
}

TEST(OutageTest, ThresholdZeroPacesJustTheSame) {
  const AdmissionRules rules = Rules(32);
  Admission admission;
  Instant now = kStart;
  int attempts = 0;
  for (; now < kStart + absl::Minutes(10); ++attempts) {
    admission.OnStart(rules, now);
    admission.OnFailure(rules, now);
    now = StartTime(admission, rules, now);
  }
  // Five at once down to one, four more up to 3.1 s, and one every 2 s.
  EXPECT_EQ(attempts, 5 + 5 + 298);
}

// Starts of one simulated minute of an endpoint that has always more to send and answers at once.
// `late` is how much later than told each look is.
std::vector<Instant> StartsOfAMinute(const AdmissionRules& rules, absl::Duration late) {
  Admission admission;
  std::vector<Instant> starts;
  Instant now = kStart;
  while (now < kStart + absl::Minutes(1)) {
    Instant retry_at;
    if (admission.MayStart(rules, now, &retry_at)) {
      admission.OnStart(rules, now);
      admission.OnSuccess(rules);
      starts.push_back(now);
    } else {
      now = retry_at + late;
    }
  }
  return starts;
}

constexpr double kRates[] = {0.5, 1, 3, 7.5, 10, 20, 25, 50, 100, 333, 1000, 5000};

TEST(RateTest, AMinuteHoldsTheRateWithinFivePercent) {
  for (double rate : kRates) {
    const auto count = static_cast<double>(StartsOfAMinute(Rules(32, 0, rate), {}).size());
    EXPECT_NEAR(count, 60 * rate, std::max(1.0, 0.05 * 60 * rate)) << rate;
  }
}

TEST(RateTest, LooksThatAreAMillisecondLateKeepTheRate) {
  for (double rate : kRates) {
    const auto count =
        static_cast<double>(StartsOfAMinute(Rules(32, 0, rate), absl::Milliseconds(1)).size());
    EXPECT_NEAR(count, 60 * rate, std::max(1.0, 0.05 * 60 * rate)) << rate;
  }
}

TEST(RateTest, NoSecondHoldsMoreThanATwentiethMore) {
  for (double rate : kRates) {
    for (absl::Duration late : {absl::ZeroDuration(), absl::Milliseconds(3)}) {
      const std::vector<Instant> starts = StartsOfAMinute(Rules(32, 0, rate), late);
      size_t first = 0;
      for (size_t i = 0; i < starts.size(); ++i) {
        while (starts[i] - starts[first] >= absl::Seconds(1)) ++first;
        ASSERT_LE(static_cast<double>(i - first + 1), std::ceil(1.05 * rate)) << rate;
      }
    }
  }
}

TEST(RateTest, StartsAreSpacedEvenly) {
  const std::vector<Instant> starts = StartsOfAMinute(Rules(32, 0, 10), {});
  ASSERT_EQ(starts.size(), 600u);
  for (size_t i = 0; i < starts.size(); ++i) {
    ASSERT_EQ(starts[i], kStart + static_cast<int64_t>(i) * absl::Milliseconds(100));
  }
}

TEST(RateTest, AnIdleTimeSavesUpNothing) {
  Admission admission;
  const AdmissionRules rules = Rules(32, 0, 2);
  admission.OnStart(rules, kStart);
  admission.OnSuccess(rules);
  const Instant later = kStart + absl::Hours(1);
  EXPECT_EQ(StartTime(admission, rules, later), later);
  admission.OnStart(rules, later);
  EXPECT_EQ(StartTime(admission, rules, later), later + absl::Milliseconds(500));
}

TEST(RateTest, SharesOfAllNodesAddUpToTheClustersRate) {
  for (int nodes : {1, 2, 3, 7}) {
    AdmissionRules rules = Rules(32, 0, 42);
    rules.nodes = nodes;
    double count = 0;
    for (rules.rank = 0; rules.rank < nodes; ++rules.rank) {
      count += static_cast<double>(StartsOfAMinute(rules, {}).size());
    }
    EXPECT_NEAR(count, 60 * 42, 0.05 * 60 * 42) << nodes;
  }
}

TEST(RateTest, ARateAndAPauseBothHold) {
  Admission admission;
  const AdmissionRules rules = Rules(1, 0, 4);
  admission.OnStart(rules, kStart);
  admission.OnFailure(rules, kStart);
  // The pause of 0.1 s is over before the rate's 0.25 s.
  EXPECT_EQ(StartTime(admission, rules, kStart), kStart + absl::Milliseconds(250));
  Instant now = kStart + absl::Milliseconds(250);
  for (int i = 0; i < 3; ++i) {
    admission.OnStart(rules, now);
    admission.OnFailure(rules, now);
    now = StartTime(admission, rules, now);
  }
  // And of the pauses of 0.2, 0.4 and 0.8 s the later ones are longer than the rate's.
  EXPECT_EQ(now, kStart + absl::Milliseconds(250 + 250 + 400 + 800));
}

}  // namespace
}  // namespace postrider::policy

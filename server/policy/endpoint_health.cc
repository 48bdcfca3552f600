#include "server/policy/endpoint_health.h"

#include <algorithm>

#include "server/policy/transition.h"

namespace postrider::policy {

Tally TallyOf(const std::vector<AttemptOutcome>& outcomes) {
  Tally tally;
  for (AttemptOutcome outcome : outcomes) {
    if (outcome == AttemptOutcome::kSucceeded) {
      tally.has_success = true;
      tally.trailing_failures = 0;
    } else if (IsFailure(outcome)) {
      ++tally.trailing_failures;
      if (!tally.has_success) ++tally.leading_failures;
      tally.longest_run = std::max(tally.longest_run, tally.trailing_failures);
    }
  }
  return tally;
}

Health AfterBatch(int consecutive_failures, const Tally& tally, int threshold) {
  const int reached = consecutive_failures + tally.leading_failures;
  if (threshold > 0 && tally.leading_failures > 0 && reached >= threshold) {
    return {std::max(consecutive_failures + 1, threshold), true};
  }
  if (threshold > 0 && tally.longest_run >= threshold) return {threshold, true};
  return {tally.has_success ? tally.trailing_failures : reached, false};
}

}  // namespace postrider::policy

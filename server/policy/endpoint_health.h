// Auto-disable: consecutive failures of an endpoint, counted over all its events (SEMANTICS,
// "Auto-disable").

#pragma once

#include <vector>

#include "storage/model/records.h"

namespace postrider::policy {

// One batch of an endpoint's finished attempts in order of completion, boiled down.
struct Tally {
  int leading_failures = 0;   // before the first success
  int longest_run = 0;        // of failures
  int trailing_failures = 0;  // after the last success; all of them when there is none
  bool has_success = false;

  bool operator==(const Tally&) const = default;
};

// Abandoned attempts neither count nor reset.
Tally TallyOf(const std::vector<AttemptOutcome>& outcomes);

struct Health {
  int consecutive_failures = 0;
  bool disable = false;

  bool operator==(const Health&) const = default;
};

// The counter after a batch, and whether the batch disables the endpoint: with c before it,
// c + leading or the longest run reaches the threshold, even if a success follows. `threshold` 0:
// never. The counter stops where the threshold was reached. storage/sql/record.sql does the same on
// the row, so that it is exact with any number of nodes; a test holds the two to each other.
Health AfterBatch(int consecutive_failures, const Tally& tally, int threshold);

}  // namespace postrider::policy

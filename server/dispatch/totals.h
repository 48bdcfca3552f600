// Attempts counted by endpoint, hour, outcome and duration between two writes to storage.
// Statistics: a crash loses what was not written yet.

#pragma once

#include <cstdint>
#include <map>
#include <tuple>
#include <vector>

#include "server/dispatch/work.h"
#include "storage/dispatch_store.h"

namespace postrider::dispatch {

class Totals {
 public:
  void Add(const std::vector<FinishedAttempt>& batch);
  // What was counted, in the order of the table's key; nothing is counted twice.
  std::vector<EndpointTotal> Take();
  bool empty() const { return counts_.empty(); }
  size_t size() const { return counts_.size(); }

 private:
  using Key = std::tuple<EndpointId, absl::Time, AttemptOutcome, int32_t>;
  std::map<Key, int64_t> counts_;
};

// 0 for less than 1 ms, i for less than 2^i ms; 20 at most.
int32_t DurationBucket(absl::Duration duration);

}  // namespace postrider::dispatch

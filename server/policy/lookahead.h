// How many leased deliveries of an endpoint wait in memory behind those in flight. A lease says
// that its attempt may have started, so what waits should be about to start: as many as the
// endpoint is likely to finish while the next ones are being claimed, and no more.
//
// Values in, values out. Not thread-safe.

#pragma once

#include "absl/time/time.h"

namespace postrider::policy {

// Time since an arbitrary start, of the node's monotonic clock (server/runtime/clock.h).
using Instant = absl::Duration;

// How often attempts of an endpoint end, over about the last second.
class CompletionRate {
 public:
  void Add(Instant now);
  double PerSecond(Instant now) const;

 private:
  double rate_ = 0;  // as of last_
  Instant last_ = -absl::InfiniteDuration();
};

// Covers a claim with room to spare.
inline constexpr absl::Duration kLookaheadTime = absl::Milliseconds(100);
inline constexpr int kMaxLookahead = 1024;

// What may wait: what ends within kLookaheadTime, at least half of the limit (and 1), so that a
// first burst is not sent back to the database. 0 when the limit is 0: other nodes have the
// endpoint.
int Lookahead(int limit, double completions_per_second);

}  // namespace postrider::policy

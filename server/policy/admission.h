// How many attempts of one endpoint may run at once, and when the next one may start. A failing
// endpoint is slowed down before it is disabled (SEMANTICS, "Delivery"), a rate limit spaces the
// starts, and nothing here is ever early.
//
// Values in, values out: monotonic time is passed in. Not thread-safe.

#pragma once

#include "absl/time/time.h"

namespace postrider::policy {

inline constexpr int kDefaultMaxInFlight = 32;
inline constexpr absl::Duration kFirstPause = absl::Milliseconds(100);
inline constexpr absl::Duration kLongestPause = absl::Seconds(2);

// What holds for an endpoint now. Limits are the cluster's: every live node takes its share of
// them, and where there is less than one each, the nodes of the lowest ranks have it.
struct AdmissionRules {
  int max_in_flight = kDefaultMaxInFlight;
  double rate_per_second = 0;  // 0: no limit
  int disable_threshold = 50;  // 0: none
  int nodes = 1;               // alive
  int rank = 0;                // of this node for this endpoint, 0 to nodes - 1
};

// Time since an arbitrary start, of the node's monotonic clock (server/runtime/clock.h).
using Instant = absl::Duration;

class Admission {
 public:
  // Whether an attempt may start now. When not, `*retry_at` is when to ask again (infinite: when
  // one of those in flight ends).
  bool MayStart(const AdmissionRules& rules, Instant now, Instant* retry_at) const;
  void OnStart(const AdmissionRules& rules, Instant now);
  void OnSuccess(const AdmissionRules& rules);
  void OnFailure(const AdmissionRules& rules, Instant now);
  // An attempt that counts neither way ended.
  void OnNeutral();
  // One that was to start did not get its turn in time: no more at once than those that did, until
  // successes raise the limit again.
  void OnNotStarted();
  // What the database says the counter is (it counts for the whole cluster).
  void SetConsecutiveFailures(int count) { consecutive_failures_ = count; }

  int in_flight() const { return in_flight_; }
  int consecutive_failures() const { return consecutive_failures_; }
  // The limit that holds on this node now: its share of what the cluster may have in flight, which
  // is never above half of what is left to the threshold, at least 1. 0: other nodes have it.
  int Limit(const AdmissionRules& rules) const;

 private:
  int in_flight_ = 0;
  int consecutive_failures_ = 0;
  int adaptive_limit_ = 1 << 20;  // halves with failures, grows with successes
  absl::Duration pause_;          // after a failure at limit 1; zero: none
  Instant paused_until_ = -absl::InfiniteDuration();
  // Rate: the time at which the next start would be exactly on schedule; a short burst may run
  // ahead of it.
  Instant next_slot_ = -absl::InfiniteDuration();
};

}  // namespace postrider::policy

// How many events go into one transaction. While several orgs publish, as many as are stored in
// kSharedTime: a call waits for the transaction under way and then for its own, however much
// another org publishes. An org alone has none to hold up, and large transactions cost less an
// event.
//
// Values in, values out. Not thread-safe.

#pragma once

#include <cstddef>
#include <string>

#include "absl/time/time.h"
#include "server/runtime/clock.h"

namespace postrider::publish {

inline constexpr absl::Duration kSharedTime = absl::Milliseconds(20);
// Never fewer, and what fewer events took is not looked at: that is the transaction's own cost.
inline constexpr size_t kMinShared = 50;
// For so long after two orgs published one after the other.
inline constexpr absl::Duration kSharedFor = absl::Seconds(1);

class BatchBound {
 public:
  // At most, shared or not.
  explicit BatchBound(size_t most) : most_(most) {}

  // A call of this org is in a transaction.
  void OnCall(const std::string& org, Instant now);
  // A transaction was committed.
  void OnStored(size_t events, absl::Duration took);
  // What the next one may have.
  size_t Events(Instant now) const;

 private:
  const size_t most_;
  std::string last_org_;
  Instant shared_until_ = -absl::InfiniteDuration();
  absl::Duration per_event_;  // smoothed; zero: not known yet
};

}  // namespace postrider::publish

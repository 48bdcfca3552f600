// Whose a failure is, and when that is known. One that may be our own (policy/egress_outage.h)
// waits for its verdict before it is recorded; one that ended when news of endpoints was old waits
// for news, because the schedule in force counts.
//
// Monotonic time is passed in. Not thread-safe.

#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "server/dispatch/target.h"
#include "server/dispatch/work.h"
#include "server/http/request.h"
#include "server/policy/egress_outage.h"
#include "server/runtime/clock.h"
#include "storage/model/records.h"

namespace postrider::dispatch {

// An attempt under way.
struct Flight {
  WorkItem item;  // without its body
  std::shared_ptr<const Target> target;
  absl::Time start_time;
  bool failing = false;  // as it was told to policy::NodeSlots
};

// An attempt that ended, before it is known what that means.
struct Ended {
  Flight flight;
  http::Result result;  // of an attempt that was started
  Instant end;
  absl::Time end_time;
};

class Verdicts {
 public:
  // What was read of endpoints holds for that long.
  explicit Verdicts(absl::Duration max_target_age) : max_target_age_(max_target_age) {}

  // An attempt there begins.
  void Expect(const Target& target, Instant now) {
    outage_.Expect(target.url.host(), target.org_id, now);
  }
  // Nothing when it waits for its verdict; otherwise it comes back, and is nobody's but the
  // endpoint's. `validated_at`: when endpoints were known to be as they are here.
  std::optional<Ended> Add(Ended ended, AttemptOutcome outcome, Instant validated_at);

  struct Judged {
    Ended ended;
    Blame blame = Blame::kEndpoint;
  };
  // Those of which it is known by now, in order of their end; also notices when an outage begins
  // and ends. `last_call`: nothing waits for other hosts any more.
  std::vector<Judged> Judge(Instant now, Instant validated_at, bool last_call);
  // Something was heard that may have been waited for: the next Judge looks.
  void LookAt(Instant now) { next_look_ = now; }

  // Sending is paused to probes, because it is us who are cut off.
  bool in_outage() const { return in_outage_; }
  size_t waiting() const { return held_.size(); }
  // When to ask again; infinite when nothing waits.
  Instant next_look() const { return held_.empty() ? absl::InfiniteDuration() : next_look_; }

 private:
  // Whether endpoints are here as they stood then, but for changes of the last moment.
  bool KnewEndpointsAt(Instant time, Instant validated_at) const {
    return time - validated_at <= max_target_age_;
  }

  const absl::Duration max_target_age_;
  policy::EgressOutage outage_;
  std::deque<Ended> held_;  // in order of their end
  bool in_outage_ = false;
  Instant next_look_ = -absl::InfiniteDuration();
};

// Between two looks at what waits.
inline constexpr absl::Duration kVerdictInterval = absl::Milliseconds(20);

}  // namespace postrider::dispatch

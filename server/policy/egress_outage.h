// Our own outage is not the endpoints' (SEMANTICS, "Delivery"): when at least 90 % of 10 or more
// different hosts cannot be reached within 10 s, it is our egress or our DNS; unless all of them
// are one org's, while others' are well: nobody can stop the rest by naming hosts that do not
// exist. Then sending pauses to probes, and those failures count for nothing.
//
// Values in, values out: monotonic time is passed in. Not thread-safe.

#pragma once

#include <cstddef>
#include <list>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "storage/model/records.h"

namespace postrider::policy {

// Time since an arbitrary start, of the node's monotonic clock (server/runtime/clock.h).
using Instant = absl::Duration;

inline constexpr size_t kOutageMinHosts = 10;
inline constexpr int kOutagePercent = 90;
inline constexpr absl::Duration kOutageWindow = absl::Seconds(10);
// Between two probes while sending is paused.
inline constexpr absl::Duration kProbeInterval = absl::Milliseconds(200);
// An outage that fewer than kOutageMinHosts different hosts confirmed within this time is over.
inline constexpr absl::Duration kOutageConfirmedWithin = absl::Minutes(1);
// Hosts that were heard of within this time are the ones that could be missed.
inline constexpr absl::Duration kHostMemory = absl::Minutes(10);
inline constexpr size_t kMaxHostsRemembered = 4096;

// Whether an outcome can mean that we are the ones who are cut off.
bool IsUnreachable(AttemptOutcome outcome);

class EgressOutage {
 public:
  // An attempt at a host begins.
  void Expect(const std::string& host, const std::string& org_id, Instant now);
  // It ended.
  void Add(const std::string& host, const std::string& org_id, bool unreachable, Instant now);

  // Whether there is an outage now.
  bool InOutage(Instant now);

  // Whether a failure to reach a host may turn out to be part of an outage: enough different hosts
  // were heard of, or expected to be, lately. If not, no verdict needs to be waited for.
  bool Wary(Instant now);

  // Whether a host that could not be reached at `end` is to blame itself: since then at least two
  // hosts answered, and they were more than a tenth of those that were tried.
  bool Cleared(Instant end) const;

 private:
  struct Host {
    std::string name;
    std::string org_id;  // whose endpoint was tried there last
    Instant last;        // heard of, or expected to be
    bool tried = false;
    bool unreachable = false;
  };
  struct Count {
    size_t hosts = 0;
    size_t unreachable = 0;
    size_t orgs = 0;
    size_t unreachable_orgs = 0;  // all of whose hosts are

    bool Mostly() const {
      return unreachable * 100 >= hosts * kOutagePercent &&
             unreachable_orgs * 100 >= orgs * kOutagePercent;
    }
  };
  Host& Touch(const std::string& name, const std::string& org_id, Instant now);
  // Of hosts whose attempts ended at `from` or later.
  Count Since(Instant from) const;
  void Forget(Instant now);

  std::list<Host> hosts_;  // heard of last first
  absl::flat_hash_map<std::string, std::list<Host>::iterator> by_name_;
  bool outage_ = false;
};

}  // namespace postrider::policy

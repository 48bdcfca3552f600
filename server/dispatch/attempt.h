// One attempt: the request that is sent, and the record that is made of what came back.

#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "server/dispatch/target.h"
#include "server/dispatch/work.h"
#include "server/http/request.h"
#include "storage/dispatch_store.h"

namespace postrider::dispatch {

// The POST of an attempt. Headers in the order of Standard Webhooks, the endpoint's own in front.
http::Request MakeRequest(uint64_t flight, const WorkItem& item, const Target& target,
                          absl::Time database_now, std::string signature);

// What the attempt came to. None: its turn never came, so it was none.
std::optional<AttemptOutcome> OutcomeOf(const http::Result& result);

struct AttemptTimes {
  absl::Time start;
  absl::Time end;
};

// The record of an attempt that ended, with what becomes of its delivery. `random` is uniform in
// [0, 1).
FinishedAttempt FinishAttempt(const WorkItem& item, const Target& target, AttemptTimes times,
                              http::Result result, Blame blame, AttemptId id, double random);

}  // namespace postrider::dispatch

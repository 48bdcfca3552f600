// What goes through the dispatcher: leased deliveries in, ended attempts out.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "server/runtime/clock.h"
#include "storage/dispatch_store.h"

namespace postrider::dispatch {

// A leased delivery on its way.
struct WorkItem {
  DeliveryId id;
  EventId event_id;
  EndpointId endpoint_id;
  DeliveryOrigin origin = DeliveryOrigin::kPublish;
  int32_t attempt_count = 0;
  int32_t failure_count = 0;
  int64_t lease_token = 0;
  std::shared_ptr<const std::string> body;
  Instant leased_at;      // before its lease was asked for
  Instant hold_until;     // not started by then, inside the HTTP loop included: given back
  bool in_order = false;  // the next of its endpoint's queue waits until its outcome is stored
};

// Whose a failure is. One of ours counts for nothing and uses up no retry.
enum class Blame { kEndpoint, kUs };

// An attempt that ended, for the recorder.
struct FinishedAttempt {
  OutcomeRecord record;
  int disable_threshold = 0;
  bool disables_endpoint = false;  // 410
  bool counts = true;              // for the endpoint's counter and statistics
  bool in_order = false;           // WorkItem
};

// Outcomes that are done with.
struct Recorded {
  int count = 0;
  std::vector<EndpointCount> counts;  // what they left of endpoints' counters
  std::vector<EndpointId> in_order;   // of each that went in order
};

}  // namespace postrider::dispatch

// Erasing for good: the payload of one event, or all that an org has. And how much an org has.

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "storage/model/records.h"

namespace postrider {

// What one call of PurgeEvent erased. Of a repeated call: what the ones before had left.
struct EventErasure {
  bool payload = false;             // was there
  int64_t canceled_deliveries = 0;  // were open
  int64_t responses = 0;            // attempts whose response headers and body were erased
};

// What one call of PurgeOrg erased.
struct OrgErasure {
  int64_t api_keys = 0;   // revoked
  int64_t endpoints = 0;  // those deleted before included, if anything of them was left
  int64_t events = 0;
  int64_t deliveries = 0;
  int64_t attempts = 0;
};

struct OrgStats {
  int64_t endpoints = 0;  // disabled ones included
  int64_t disabled_endpoints = 0;
  int64_t events = 0;
  std::map<DeliveryState, int64_t> deliveries;
  std::map<AttemptOutcome, int64_t> attempts;
};

// Thread-safe. Errors besides those named: session.h.
class PurgeStore {
 public:
  virtual ~PurgeStore() = default;

  // Erases the payload of an event and whatever repeats it: the digest under its idempotency key,
  // response headers and bodies in the log. Open deliveries of it are CANCELED (EXPIRED). An
  // attempt in flight is still logged, without its response. NOT_FOUND. In small transactions, the
  // payload first: after an error, or a crash, the next call erases the rest.
  virtual absl::StatusOr<EventErasure> PurgeEvent(EventId id) = 0;

  // Erases all that the org has, in transactions of a few thousand rows; OK also if that is
  // nothing. What is accepted for the org meanwhile may stay. The names of the org and its
  // environments stay, the audit records, and for a while the ids of its endpoints and API keys.
  // CANCELLED: `go_on`, asked between transactions, said no; what was erased is gone, and the next
  // call erases the rest.
  virtual absl::StatusOr<OrgErasure> PurgeOrg(const std::string& org_id,
                                              const std::function<bool()>& go_on) = 0;

  // Of an org, or of one environment of it (env_id not empty). All zeros for an unknown one.
  virtual absl::StatusOr<OrgStats> StatsOf(const Tenant& tenant) = 0;
};

}  // namespace postrider

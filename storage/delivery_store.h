// Deliveries and attempts as people see them.

#pragma once

#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/endpoint_store.h"
#include "storage/model/records.h"

namespace postrider {

struct DeliveryFilter {
  Tenant tenant;  // empty strings: any
  std::optional<EndpointId> endpoint_id;
  std::optional<EventId> event_id;
  std::optional<DeliveryState> state;
  std::optional<absl::Time> start_time;  // inclusive, by creation
  std::optional<absl::Time> end_time;    // exclusive
};

struct AttemptFilter {
  std::optional<DeliveryId> delivery_id;  // one of the two is set
  std::optional<EndpointId> endpoint_id;
  std::optional<AttemptOutcome> outcome;
  std::optional<absl::Time> start_time;  // inclusive, by the start of the attempt
  std::optional<absl::Time> end_time;    // exclusive
};

// Thread-safe. Errors besides those named: session.h.
class DeliveryStore {
 public:
  virtual ~DeliveryStore() = default;

  virtual absl::StatusOr<Delivery> Get(DeliveryId id) = 0;  // NOT_FOUND
  virtual absl::StatusOr<Page<Delivery>> List(const DeliveryFilter& filter,
                                              const PageRequest& page) = 0;
  // At most page.size rows, newest first, and no more than `max_bytes` of answers (one at least).
  virtual absl::StatusOr<Page<Attempt>> ListAttempts(const AttemptFilter& filter,
                                                     const PageRequest& page,
                                                     int64_t max_bytes) = 0;

  // A new delivery of the same event to the same endpoint, due at once, with the id `new_id`.
  // NOT_FOUND; FAILED_PRECONDITION: the payload is gone or the endpoint deleted.
  virtual absl::StatusOr<Delivery> Redeliver(DeliveryId id, DeliveryId new_id,
                                             const RequestId& request_id) = 0;
  // NOT_FOUND; FAILED_PRECONDITION: it ended otherwise already. No-op on a canceled one.
  virtual absl::StatusOr<Delivery> Cancel(DeliveryId id) = 0;
};

}  // namespace postrider

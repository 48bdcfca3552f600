// Events: accepting them, with their fan-out, and reading them back.

#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/model/records.h"

namespace postrider {

struct NewEvent {
  EventId id;
  Tenant tenant;
  std::string type;
  absl::Time event_time;
  absl::Time create_time;
  std::string idempotency_key;  // empty: none
  std::string traceparent;      // empty: none
  std::shared_ptr<const std::string> body;
  std::string content_digest;  // SHA-256 over type and data
  std::optional<absl::Time> given_event_time;
};

// Where the deliveries of an accepted event go.
struct FanOutLease {
  static constexpr int32_t kNobody = 0;
  int32_t node_no = kNobody;
  absl::Duration duration;
  std::vector<EndpointId> congested;  // not leased to the node: whoever claims next takes them
};

struct NewDelivery {
  DeliveryId id;
  EndpointId endpoint_id;
  int64_t lease_token = 0;
  bool leased = false;  // never to an ordered endpoint
};

struct AcceptResult {
  enum class Status {
    kAccepted,
    kDuplicate,  // its key was stored before with the same content: event_id is the first one's
    kConflict,   // its key was stored before with other content
    kRefused,    // another event of its batch is a conflict
  };
  Status status = Status::kAccepted;
  EventId event_id;
  absl::Time create_time;
  int32_t delivery_count = 0;
  std::vector<NewDelivery> deliveries;
};

// What is remembered under an idempotency key.
struct StoredKey {
  EventId event_id;
  absl::Time create_time;
  int32_t delivery_count = 0;
  std::string content_digest;  // empty: the payload was erased, and any content is the same
  std::optional<absl::Time> given_event_time;
};

struct EventFilter {
  Tenant tenant;  // empty strings: any
  std::vector<std::string> types;
  std::optional<absl::Time> start_time;  // inclusive, by acceptance
  std::optional<absl::Time> end_time;    // exclusive
  bool include_body = false;
};

// Deliveries that one transaction may make: about two seconds of work for PostgreSQL.
inline constexpr int64_t kMaxFanOut = 200000;
// Events of one transaction: what the place of an event takes of a sequence is 16 bits.
inline constexpr size_t kMaxEventsAtOnce = 1 << 16;

// Thread-compatible.
class EventAcceptor {
 public:
  virtual ~EventAcceptor() = default;

  // Stores events and one delivery for each matching enabled endpoint, in one transaction;
  // `batches` gives every event the number of its all-or-nothing batch. One result an event, in
  // order. Keys may not repeat within a call. Errors (session.h) leave nothing behind, but UNKNOWN:
  // they may be stored, now or in a while, and leased (DispatchStore::ReleaseUntold). ABORTED:
  // somebody took one of the keys meanwhile, run again; OUT_OF_RANGE: they would make more than
  // kMaxFanOut deliveries, or are more than kMaxEventsAtOnce. What goes to an ordered endpoint is
  // put behind everything that was accepted for it before this call began, in the order given.
  virtual absl::StatusOr<std::vector<AcceptResult>> Accept(const std::vector<NewEvent>& events,
                                                           const std::vector<int32_t>& batches,
                                                           const FanOutLease& lease) = 0;
};

// Thread-safe.
class EventStore {
 public:
  virtual ~EventStore() = default;

  // Enabled endpoints that an event of this type would go to now.
  virtual absl::StatusOr<std::vector<EndpointId>> Match(const Tenant& tenant,
                                                        const std::string& type) = 0;
  // NOT_FOUND.
  virtual absl::StatusOr<Event> Get(EventId id) = 0;
  // The latest under a key, which may be past the idempotency window.
  virtual absl::StatusOr<StoredKey> FindKey(const Tenant& tenant, const std::string& key) = 0;
  // At most page.size rows, newest first, and no more than `max_bytes` of bodies (one row at
  // least).
  virtual absl::StatusOr<Page<Event>> List(const EventFilter& filter, const PageRequest& page,
                                           int64_t max_bytes) = 0;
};

}  // namespace postrider

// What a run leaves for the checker besides the tables: what publishers were told, what receivers
// saw, and what people did to endpoints. All times are the database's.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "storage/model/records.h"

namespace postrider::simulation {

// One event that a publisher wants stored, by however many calls.
struct Publication {
  Tenant tenant;
  std::string type;
  std::string key;
  size_t call = 0;  // those of one call are published together
  absl::Time first_call;
  bool maybe_stored = false;  // a call was accepted, or its outcome is unknown
  struct Told {
    EventId event_id;
    int32_t delivery_count = 0;
    absl::Time time;
  };
  std::vector<Told> told;  // OK
};

// One request that was sent.
struct WireAttempt {
  DeliveryId delivery_id;
  EventId event_id;
  EndpointId endpoint_id;
  int number = 0;
  int32_t node_no = 0;
  std::string url;
  absl::Time start;
  absl::Time handed_out;   // by the engine; until its turn came it waited for a connection
  absl::Time signed_time;  // whole seconds
  bool received = false;
  bool unplugged = false;  // the node was cut off: says nothing of the receiver
  int status = 0;          // that the receiver answered with; 0: none
  bool answered = false;   // the sender got that answer in time
  absl::Duration retry_after;
  absl::Time end = absl::InfiniteFuture();  // the sender knew; infinite: its node was gone
};

struct Operation {
  enum class Kind { kUpdate, kEnable, kDiscard, kDisable, kDelete, kCancel, kRedeliver };
  Kind kind = Kind::kUpdate;
  EndpointId endpoint_id;
  DeliveryId delivery_id;  // kCancel, kRedeliver
  absl::Time time;         // when it was answered
};

struct NodeLife {
  absl::Time start;
  absl::Time end = absl::InfiniteFuture();
  bool clean = false;  // drained, and nothing was in flight or unrecorded
};

struct Journal {
  std::vector<Publication> publications;
  std::vector<WireAttempt> wire;
  std::vector<Operation> operations;
  std::map<int32_t, NodeLife> lives;  // by node_no
  bool quiet = false;                 // the run ended because there was nothing left to do
};

}  // namespace postrider::simulation

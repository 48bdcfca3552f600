// Who is alive: one row an incarnation of a server, renewed by heartbeats.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace postrider {

struct NodeRegistration {
  int32_t node_no = 0;
  int32_t epoch = 0;
  int32_t unclean_deaths = 0;     // of this node_id in a row
  std::vector<int32_t> previous;  // earlier incarnations of the same node_id: gone for certain
};

inline constexpr absl::Duration kLongestGap = absl::Seconds(4);

struct NodeRow {
  int32_t node_no = 0;
  std::string node_id;
  absl::Duration silence;  // since its last heartbeat
  bool stopped = false;    // cleanly
  // Before its last heartbeat it had renewed itself for so long without a gap of more than
  // kLongestGap: the database was in reach all the time.
  absl::Duration steady_for;
};

struct HeartbeatAnswer {
  absl::Time database_time;
  std::vector<NodeRow> nodes;  // every incarnation that is not forgotten yet, this one included
};

// Thread-compatible. Errors: session.h.
class NodeStore {
 public:
  virtual ~NodeStore() = default;
  virtual absl::StatusOr<NodeRegistration> Register(const std::string& node_id) = 0;
  // Of the node registered through this store. One that was forgotten after a long silence comes
  // back. NOT_FOUND: a later incarnation under its node_id was registered meanwhile.
  virtual absl::StatusOr<HeartbeatAnswer> Heartbeat(int32_t node_no) = 0;
  virtual absl::Status MarkStopped(int32_t node_no) = 0;
  // Rows of nodes that hold no lease any more.
  virtual absl::Status Forget(const std::vector<int32_t>& node_nos) = 0;
};

}  // namespace postrider

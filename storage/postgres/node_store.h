// Node rows in PostgreSQL: see storage/node_store.h.

#pragma once

#include <string>
#include <vector>

#include "storage/node_store.h"
#include "storage/postgres/session.h"

namespace postrider {

class PgNodeStore : public NodeStore {
 public:
  explicit PgNodeStore(const SessionOptions& options) : session_(options) {}

  absl::StatusOr<NodeRegistration> Register(const std::string& node_id) override;
  absl::StatusOr<HeartbeatAnswer> Heartbeat(int32_t node_no) override;
  absl::Status MarkStopped(int32_t node_no) override;
  absl::Status Forget(const std::vector<int32_t>& node_nos) override;

 private:
  Session session_;
  std::string node_id_;
  int32_t epoch_ = 0;
};

}  // namespace postrider

#include "storage/postgres/node_store.h"

#include "sql_text.h"

namespace postrider {

absl::StatusOr<NodeRegistration> PgNodeStore::Register(const std::string& node_id) {
  absl::StatusOr<Result> rows = session_.Run(sql::kNodesRegister, Params().Text(node_id));
  if (!rows.ok()) return rows.status();
  NodeRegistration node;
  node_id_ = node_id;
  node.node_no = static_cast<int32_t>(rows->Int(0, 0));
  node.epoch = static_cast<int32_t>(rows->Int(0, 1));
  node.unclean_deaths = static_cast<int32_t>(rows->Int(0, 2));
  epoch_ = node.epoch;
  for (int64_t previous : rows->IntArray(0, 3)) {
    node.previous.push_back(static_cast<int32_t>(previous));
  }
  return node;
}

absl::StatusOr<HeartbeatAnswer> PgNodeStore::Heartbeat(int32_t node_no) {
  absl::StatusOr<Result> rows =
      session_.Run(sql::kNodesHeartbeat, Params().Int4(node_no).Text(node_id_).Int4(epoch_));
  if (!rows.ok()) return rows.status();
  HeartbeatAnswer answer;
  answer.database_time = rows->Time(0, 4);
  if (rows->Int(0, 0) == 0) {
    return absl::NotFoundError("another server runs under the node id of this one");
  }
  for (int row = 1; row < rows->rows(); ++row) {
    answer.nodes.push_back({static_cast<int32_t>(rows->Int(row, 0)), rows->Text(row, 1),
                            absl::Seconds(rows->Float8(row, 2)), rows->Bool(row, 3),
                            absl::Seconds(rows->Float8(row, 5))});
  }
  return answer;
}

absl::Status PgNodeStore::MarkStopped(int32_t node_no) {
  return session_.Run(sql::kNodesStop, Params().Int4(node_no)).status();
}

absl::Status PgNodeStore::Forget(const std::vector<int32_t>& node_nos) {
  return session_
      .Run(sql::kNodesForget, Params().Int4Array(node_nos, [](int32_t value) { return value; }))
      .status();
}

}  // namespace postrider

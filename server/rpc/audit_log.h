// Writes down what callers with scope ADMIN do: a record before the call acts, so that nothing is
// done without one, and what came of it after.

#pragma once

#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "google/protobuf/message.h"
#include "grpcpp/support/status.h"
#include "server/rpc/caller.h"
#include "server/rpc/rights.h"
#include "server/runtime/clock.h"
#include "storage/audit_store.h"

namespace postrider::rpc {

// What a call is about: the tenant and the id of the resource that its request names, and after a
// creating call that of what it made. Found by the contract's field names, so every rpc has it.
struct AuditSubject {
  Tenant tenant;
  std::string resource_id;
};
AuditSubject SubjectOf(const google::protobuf::Message& message);

// Thread-safe. Waits for the database.
class AuditLog {
 public:
  AuditLog(AuditStore& store, const DatabaseClock& clock,
           std::function<AuditRecordId(absl::Time)> new_id)
      : store_(store), clock_(clock), new_id_(std::move(new_id)) {}

  // The record of a call that begins. An error: it must not go on.
  absl::StatusOr<AuditRecord> Begin(const Caller& caller, const std::string& peer, const Rpc& rpc,
                                    const google::protobuf::Message& request);
  // An error is only logged: the call has acted.
  void End(AuditRecord record, const grpc::Status& status,
           const google::protobuf::Message& response);

 private:
  AuditStore& store_;
  const DatabaseClock& clock_;
  const std::function<AuditRecordId(absl::Time)> new_id_;
};

}  // namespace postrider::rpc

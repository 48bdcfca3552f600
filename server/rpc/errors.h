// Errors as callers see them: a code, one plain sentence, and google.rpc details. Every bad field
// of a request is named, not just the first.

#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "grpcpp/support/status.h"

namespace postrider::rpc {

// ErrorInfo.domain of every error.
inline constexpr char kErrorDomain[] = "postrider";

// Stable reasons, ErrorInfo.reason.
namespace reason {
inline constexpr char kInvalidRequest[] = "INVALID_REQUEST";
inline constexpr char kMalformedMessage[] = "MALFORMED_MESSAGE";
inline constexpr char kNotFound[] = "NOT_FOUND";
inline constexpr char kIdempotencyConflict[] = "IDEMPOTENCY_KEY_REUSED";
inline constexpr char kRequestIdConflict[] = "REQUEST_ID_REUSED";
inline constexpr char kCertificateTaken[] = "CERTIFICATE_TAKEN";
inline constexpr char kEtagMismatch[] = "ETAG_MISMATCH";
inline constexpr char kFailedPrecondition[] = "FAILED_PRECONDITION";
inline constexpr char kUnauthenticated[] = "UNAUTHENTICATED";
inline constexpr char kPermissionDenied[] = "PERMISSION_DENIED";
inline constexpr char kRateLimited[] = "RATE_LIMITED";
inline constexpr char kOverloaded[] = "OVERLOADED";
inline constexpr char kTooManyEndpoints[] = "TOO_MANY_ENDPOINTS";
inline constexpr char kTooManyOpenDeliveries[] = "TOO_MANY_OPEN_DELIVERIES";
inline constexpr char kUnavailable[] = "DATABASE_UNAVAILABLE";
inline constexpr char kDeadline[] = "DEADLINE_EXCEEDED";
inline constexpr char kConflict[] = "CONCURRENT_CHANGE";
inline constexpr char kUnimplemented[] = "NOT_AVAILABLE_YET";
inline constexpr char kInternal[] = "INTERNAL";
}  // namespace reason

// What is wrong with a request, field by field. Field names are paths from the request's root, as
// in `requests[3].data_json`.
class FieldErrors {
 public:
  // `description` follows the field's name: "must be ...", "is ...".
  void Add(std::string field, std::string description);
  // The caller may not give this field this value.
  void Forbid(std::string field, std::string description);
  bool empty() const { return violations_.empty() && forbidden_.empty(); }
  // INVALID_ARGUMENT with BadRequest; PERMISSION_DENIED where a field is forbidden, whatever else
  // is wrong.
  grpc::Status ToStatus() const;

 private:
  struct Violation {
    std::string field;
    std::string description;
  };
  std::vector<Violation> violations_;
  size_t bytes_ = 0;       // of all that was added
  bool more_ = false;      // than fits into an answer
  std::string forbidden_;  // the first one, and why
};

grpc::Status Error(grpc::StatusCode code, const char* reason, const std::string& message);
// With RetryInfo.
grpc::Status RetryLater(grpc::StatusCode code, const char* reason, const std::string& message,
                        absl::Duration wait);
grpc::Status Malformed();
// INVALID_ARGUMENT for a request of more bytes than its rpc takes.
grpc::Status TooLarge(size_t bytes, size_t most);
grpc::Status Unimplemented(const std::string& what);

// What a store or the committer said. Messages of the database are for the log alone: a caller gets
// a sentence of ours for them.
grpc::Status FromStore(const absl::Status& status);

}  // namespace postrider::rpc

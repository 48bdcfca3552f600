#include "server/rpc/errors.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "server/observe/log.h"

namespace postrider::rpc {
namespace {

google::rpc::Status Start(grpc::StatusCode code, const char* reason, const std::string& message) {
  google::rpc::Status status;
  status.set_code(static_cast<int>(code));
  status.set_message(message);
  google::rpc::ErrorInfo info;
  info.set_reason(reason);
  info.set_domain(kErrorDomain);
  status.add_details()->PackFrom(info);
  return status;
}

grpc::Status Finish(const google::rpc::Status& status) {
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), status.message(),
                      status.SerializeAsString());
}

}  // namespace

void FieldErrors::Add(std::string field, std::string description) {
  // A batch could name any number, but callers take no more than 8 KiB of metadata by default and
  // would see RESOURCE_EXHAUSTED instead.
  constexpr size_t kMaxBytes = 4000;
  bytes_ += field.size() + description.size() + 8;
  if (violations_.empty() || bytes_ <= kMaxBytes) {
    violations_.push_back({std::move(field), std::move(description)});
  } else {
    more_ = true;
  }
}

void FieldErrors::Forbid(std::string field, std::string description) {
  if (forbidden_.empty()) forbidden_ = absl::StrCat(field, " ", description);
}

grpc::Status FieldErrors::ToStatus() const {
  if (!forbidden_.empty()) {
    return Error(grpc::StatusCode::PERMISSION_DENIED, reason::kPermissionDenied, forbidden_);
  }
  std::string message;
  google::rpc::BadRequest details;
  for (const Violation& violation : violations_) {
    constexpr size_t kMaxMessage = 700;
    if (message.size() + violation.field.size() + violation.description.size() < kMaxMessage ||
        message.empty()) {
      absl::StrAppend(&message, message.empty() ? "" : "; ", violation.field, " ",
                      violation.description);
    }
    auto* field = details.add_field_violations();
    field->set_field(violation.field);
    field->set_description(violation.description);
  }
  if (more_) absl::StrAppend(&message, "; and more");
  google::rpc::Status status =
      Start(grpc::StatusCode::INVALID_ARGUMENT, reason::kInvalidRequest, message);
  status.add_details()->PackFrom(details);
  return Finish(status);
}

grpc::Status Error(grpc::StatusCode code, const char* reason, const std::string& message) {
  return Finish(Start(code, reason, message));
}

grpc::Status RetryLater(grpc::StatusCode code, const char* reason, const std::string& message,
                        absl::Duration wait) {
  google::rpc::Status status = Start(code, reason, message);
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(absl::ToInt64Seconds(wait));
  retry.mutable_retry_delay()->set_nanos(
      static_cast<int32_t>(absl::ToInt64Nanoseconds(wait % absl::Seconds(1))));
  status.add_details()->PackFrom(retry);
  return Finish(status);
}

grpc::Status Malformed() {
  return Error(grpc::StatusCode::INVALID_ARGUMENT, reason::kMalformedMessage,
               "the request is not a valid message of its type: it is cut short, holds a string "
               "that is not UTF-8, or is nested too deep");
}

grpc::Status TooLarge(size_t bytes, size_t most) {
  return Error(grpc::StatusCode::INVALID_ARGUMENT, reason::kInvalidRequest,
               absl::StrCat("the request has ", bytes, " bytes, and this call takes at most ", most,
                            ": only those that publish take more"));
}

grpc::Status Unimplemented(const std::string& what) {
  return Error(grpc::StatusCode::UNIMPLEMENTED, reason::kUnimplemented,
               absl::StrCat(what, " is not available in this version of postriderd yet"));
}

grpc::Status FromStore(const absl::Status& status) {
  const std::string message(status.message());
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return grpc::Status::OK;
    case absl::StatusCode::kNotFound:
      return Error(grpc::StatusCode::NOT_FOUND, reason::kNotFound, message);
    case absl::StatusCode::kFailedPrecondition:
      return Error(grpc::StatusCode::FAILED_PRECONDITION, reason::kFailedPrecondition, message);
    case absl::StatusCode::kAlreadyExists:
      return Error(grpc::StatusCode::ALREADY_EXISTS, reason::kRequestIdConflict, message);
    case absl::StatusCode::kAborted:
      return Error(grpc::StatusCode::ABORTED, reason::kConflict,
                   "somebody else was changing the same thing: nothing was stored, try again");
    case absl::StatusCode::kResourceExhausted:
      return RetryLater(grpc::StatusCode::RESOURCE_EXHAUSTED, reason::kOverloaded, message,
                        absl::Seconds(1));
    case absl::StatusCode::kDeadlineExceeded:
      return Error(grpc::StatusCode::DEADLINE_EXCEEDED, reason::kDeadline, message);
    case absl::StatusCode::kUnavailable:
      POSTRIDER_LOG_RARELY(observe::Severity::kWarning, "a call met no database",
                           {{"error", message}});
      return RetryLater(grpc::StatusCode::UNAVAILABLE, reason::kUnavailable,
                        "the database cannot be reached just now, and whether the call took effect "
                        "is unknown: try again with the same idempotency key or request_id",
                        absl::Seconds(1));
    default:
      break;
  }
  observe::Log(observe::Severity::kError, "a call failed in storage", {{"error", message}});
  return Error(grpc::StatusCode::INTERNAL, reason::kInternal,
               "an error inside postriderd: its log says more");
}

}  // namespace postrider::rpc

// Checks that many requests share.

#pragma once

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "google/protobuf/timestamp.pb.h"
#include "server/envelope/names.h"
#include "server/rpc/errors.h"
#include "server/rpc/times.h"
#include "storage/model/records.h"

namespace postrider::rpc {

// A zero id beside an error.
template <typename IdType>
IdType CheckId(const std::string& text, const char* field, FieldErrors& errors) {
  if (const std::optional<IdType> id = IdType::Parse(text)) return *id;
  errors.Add(field, text.empty() ? std::string("must be set")
                                 : absl::StrCat("must be an id like ", IdType{}.ToText()));
  return IdType{};
}

// An id that may be empty.
template <typename IdType>
std::optional<IdType> CheckOptionalId(const std::string& text, const char* field,
                                      FieldErrors& errors) {
  if (text.empty()) return std::nullopt;
  return CheckId<IdType>(text, field, errors);
}

// org_id and env_id of a filter: empty ones are any.
inline void CheckTenantFilter(const Tenant& tenant, FieldErrors& errors) {
  if (!tenant.org_id.empty()) {
    absl::Status status = envelope::CheckTenantId(tenant.org_id);
    if (!status.ok()) errors.Add("org_id", std::string(status.message()));
  }
  if (!tenant.env_id.empty()) {
    absl::Status status = envelope::CheckTenantId(tenant.env_id);
    if (!status.ok()) errors.Add("env_id", std::string(status.message()));
  }
}

// request_id: up to 128 bytes of printable ASCII; empty is none.
inline void CheckRequestId(const std::string& text, FieldErrors& errors) {
  bool printable = text.size() <= 128;
  for (char c : text) printable = printable && c >= ' ' && c <= '~';
  if (!printable) errors.Add("request_id", "must be at most 128 bytes of printable ASCII");
}

// start_time and end_time of a filter, where set.
template <typename Request>
void CheckTimes(const Request& request, std::optional<absl::Time>& start,
                std::optional<absl::Time>& end, FieldErrors& errors) {
  constexpr char kRange[] = "must be between the years 1 and 9999, with 0 to 999999999 nanos";
  if (request.has_start_time() && !(start = FromProto(request.start_time()))) {
    errors.Add("start_time", kRange);
  }
  if (request.has_end_time() && !(end = FromProto(request.end_time()))) {
    errors.Add("end_time", kRange);
  }
  if (start && end && *end < *start) errors.Add("end_time", "must not be before start_time");
}

}  // namespace postrider::rpc

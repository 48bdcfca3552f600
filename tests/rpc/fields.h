// What a FieldErrors says, read back from the details that a caller gets.

#pragma once

#include <string>
#include <utility>
#include <vector>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpcpp/support/status.h"
#include "server/rpc/errors.h"

namespace postrider::rpc {

// The detail of that type, empty when there is none.
template <typename Detail>
Detail DetailOf(const grpc::Status& status) {
  google::rpc::Status parsed;
  Detail detail;
  if (!parsed.ParseFromString(status.error_details())) return detail;
  for (const auto& any : parsed.details()) {
    if (any.UnpackTo(&detail)) return detail;
  }
  return detail;
}

// Names of the fields at fault, in order.
std::vector<std::string> FieldsOf(const FieldErrors& errors);
// The description of a field, "" when it is not at fault.
std::string DescriptionOf(const FieldErrors& errors, const std::string& field);

}  // namespace postrider::rpc

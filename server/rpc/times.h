// Times and spans of the wire.

#pragma once

#include <optional>

#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"

namespace postrider::rpc {

// None when out of the range that the message may hold (years 1 to 9999, nanos 0 to 999999999).
std::optional<absl::Time> FromProto(const google::protobuf::Timestamp& time);
std::optional<absl::Duration> FromProto(const google::protobuf::Duration& span);

void ToProto(absl::Time time, google::protobuf::Timestamp* out);
void ToProto(absl::Duration span, google::protobuf::Duration* out);

}  // namespace postrider::rpc

// Values of flags as messages, and messages as text.

#ifndef POSTRIDER_TOOLS_POSTRIDER_VALUES_H_
#define POSTRIDER_TOOLS_POSTRIDER_VALUES_H_

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace postrider::cli {

// Reads `30s`, `2m`, `1h30m`, `500ms` or whole days as `7d`. INVALID_ARGUMENT for anything else,
// infinite and negative ones included. Thread-safe.
absl::StatusOr<absl::Duration> ParseSpan(absl::string_view text);

// Reads a time of RFC 3339 such as `2025-01-31T12:00:00Z`. INVALID_ARGUMENT for anything else.
// Thread-safe.
absl::StatusOr<google::protobuf::Timestamp> ParseTimestamp(absl::string_view text);

google::protobuf::Duration ToProto(absl::Duration span);

// `2025-01-31T12:00:00.000Z`: UTC, in milliseconds. Thread-safe.
std::string FormatTimestamp(const google::protobuf::Timestamp& time);
std::string FormatTimestamp(absl::Time time);

// `1m30s`, to a tenth of a millisecond. Thread-safe.
std::string FormatSpan(const google::protobuf::Duration& span);

}  // namespace postrider::cli

#endif  // POSTRIDER_TOOLS_POSTRIDER_VALUES_H_

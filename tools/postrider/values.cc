#include "tools/postrider/values.h"

#include <google/protobuf/util/time_util.h>

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace postrider::cli {
namespace {

constexpr absl::Duration kLongestSpan = absl::Hours(24 * 365 * 100);

}  // namespace

absl::StatusOr<absl::Duration> ParseSpan(absl::string_view text) {
  absl::Duration span;
  absl::string_view days = text;
  int32_t day_count = 0;
  if (absl::ConsumeSuffix(&days, "d") && absl::SimpleAtoi(days, &day_count)) {
    span = day_count * absl::Hours(24);
  } else if (!absl::ParseDuration(text, &span)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' is not a time span: write it as 30s, 2m, 1h30m or 7d"));
  }
  if (span < absl::ZeroDuration() || span > kLongestSpan) {
    return absl::InvalidArgumentError(absl::StrCat("'", text, "' is out of range for a time span"));
  }
  return span;
}

absl::StatusOr<google::protobuf::Timestamp> ParseTimestamp(absl::string_view text) {
  google::protobuf::Timestamp time;
  if (!google::protobuf::util::TimeUtil::FromString(std::string(text), &time)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' is not a time: write it as 2025-01-31T12:00:00Z"));
  }
  return time;
}

google::protobuf::Duration ToProto(absl::Duration span) {
  google::protobuf::Duration result;
  result.set_seconds(absl::IDivDuration(span, absl::Seconds(1), &span));
  result.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(span)));
  return result;
}

std::string FormatTimestamp(const google::protobuf::Timestamp& time) {
  return FormatTimestamp(absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos()));
}

std::string FormatTimestamp(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", time, absl::UTCTimeZone());
}

std::string FormatSpan(const google::protobuf::Duration& span) {
  return absl::FormatDuration(absl::Trunc(
      absl::Seconds(span.seconds()) + absl::Nanoseconds(span.nanos()), absl::Microseconds(100)));
}

}  // namespace postrider::cli

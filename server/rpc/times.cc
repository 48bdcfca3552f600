#include "server/rpc/times.h"

#include <cstdint>

namespace postrider::rpc {
namespace {

constexpr int64_t kFirstSecond = -62135596800;  // 0001-01-01T00:00:00Z
constexpr int64_t kLastSecond = 253402300799;   // 9999-12-31T23:59:59Z
constexpr int64_t kMaxSpanSeconds = 315576000000;
constexpr int32_t kNanos = 1000000000;

}  // namespace

std::optional<absl::Time> FromProto(const google::protobuf::Timestamp& time) {
  if (time.seconds() < kFirstSecond || time.seconds() > kLastSecond || time.nanos() < 0 ||
      time.nanos() >= kNanos) {
    return std::nullopt;
  }
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

std::optional<absl::Duration> FromProto(const google::protobuf::Duration& span) {
  if (span.seconds() < -kMaxSpanSeconds || span.seconds() > kMaxSpanSeconds ||
      span.nanos() <= -kNanos || span.nanos() >= kNanos ||
      (span.seconds() > 0 && span.nanos() < 0) || (span.seconds() < 0 && span.nanos() > 0)) {
    return std::nullopt;
  }
  return absl::Seconds(span.seconds()) + absl::Nanoseconds(span.nanos());
}

void ToProto(absl::Time time, google::protobuf::Timestamp* out) {
  const int64_t seconds = absl::ToUnixSeconds(time);
  out->set_seconds(seconds);
  out->set_nanos(
      static_cast<int32_t>(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds))));
}

void ToProto(absl::Duration span, google::protobuf::Duration* out) {
  const int64_t seconds = absl::ToInt64Seconds(span);
  out->set_seconds(seconds);
  out->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(span - absl::Seconds(seconds))));
}

}  // namespace postrider::rpc

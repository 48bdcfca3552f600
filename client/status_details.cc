#include "client/status_details.h"

#include <algorithm>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"

namespace postrider::client {
namespace {

template <class Detail>
std::optional<Detail> FindDetail(const absl::Status& status) {
  const absl::optional<absl::Cord> payload =
      status.GetPayload(absl::StrCat(kTypeUrlPrefix, Detail::descriptor()->full_name()));
  Detail detail;
  if (!payload.has_value() || !detail.ParseFromString(std::string(*payload))) return std::nullopt;
  return detail;
}

}  // namespace

std::optional<absl::Duration> RetryDelay(const absl::Status& status) {
  const std::optional<google::rpc::RetryInfo> retry = FindDetail<google::rpc::RetryInfo>(status);
  if (!retry.has_value() || !retry->has_retry_delay()) return std::nullopt;
  return std::max(absl::ZeroDuration(), absl::Seconds(retry->retry_delay().seconds()) +
                                            absl::Nanoseconds(retry->retry_delay().nanos()));
}

std::string ErrorReason(const absl::Status& status) {
  const std::optional<google::rpc::ErrorInfo> error = FindDetail<google::rpc::ErrorInfo>(status);
  return error.has_value() ? error->reason() : "";
}

}  // namespace postrider::client

#include "client/status_from_grpc.h"

#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "client/status_details.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace postrider::client {
namespace {

absl::string_view WithoutFullStop(absl::string_view text) {
  return absl::StripSuffix(absl::StripAsciiWhitespace(text), ".");
}

std::string Fields(const google::rpc::BadRequest& bad_request) {
  std::vector<std::string> fields;
  for (const auto& violation : bad_request.field_violations()) {
    const absl::string_view description = WithoutFullStop(violation.description());
    if (violation.field().empty()) {
      fields.emplace_back(description);
    } else if (description.empty()) {
      fields.push_back(violation.field());
    } else {
      // Descriptions are predicates: "must not be empty".
      fields.push_back(absl::StrCat(violation.field(), " ", description));
    }
  }
  return absl::StrJoin(fields, "; ");
}

}  // namespace

absl::Status StatusFromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  const auto code = static_cast<absl::StatusCode>(status.error_code());
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) details.Clear();

  std::string fields;
  for (const google::protobuf::Any& detail : details.details()) {
    google::rpc::BadRequest bad_request;
    if (detail.UnpackTo(&bad_request)) fields = Fields(bad_request);
  }
  std::string sentence =
      fields.empty() ? std::string(WithoutFullStop(status.error_message())) : std::move(fields);
  if (sentence.empty()) {
    sentence = absl::StrCat("the call ended as ", absl::StatusCodeToString(code),
                            " without an explanation");
  }

  absl::Status result(code, sentence);
  for (const google::protobuf::Any& detail : details.details()) {
    result.SetPayload(detail.type_url(), absl::Cord(detail.value()));
  }
  const std::string reason = ErrorReason(result);
  if (reason.empty()) return result;

  absl::Status with_reason(code, absl::StrCat(sentence, " [", reason, "]"));
  result.ForEachPayload([&](absl::string_view type_url, const absl::Cord& payload) {
    with_reason.SetPayload(type_url, payload);
  });
  return with_reason;
}

}  // namespace postrider::client

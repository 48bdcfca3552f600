#include "tests/support/expect.h"

#include <grpcpp/support/status.h>

namespace postrider::testing {

::testing::AssertionResult RefusedWith(const char* status_text, const char* code_text,
                                       const grpc::Status& status, grpc::StatusCode code) {
  if (status.error_code() != code) {
    return ::testing::AssertionFailure()
           << status_text << " is " << ToText(status) << "\n  expected " << code_text;
  }
  const ErrorDetails details = DetailsOf(status);
  if (details.info.domain() != "postrider" || details.info.reason().empty()) {
    return ::testing::AssertionFailure()
           << ToText(status) << "\n  has no google.rpc.ErrorInfo of domain postrider: "
           << details.info.ShortDebugString();
  }
  if (status.error_message().empty()) {
    return ::testing::AssertionFailure() << ToText(status) << "\n  has no text";
  }
  return ::testing::AssertionSuccess();
}

::testing::AssertionResult NamesFields(const char* status_text, const char* fields_text,
                                       const grpc::Status& status,
                                       const std::set<std::string>& fields) {
  ::testing::AssertionResult refused =
      RefusedWith(status_text, "INVALID_ARGUMENT", status, grpc::StatusCode::INVALID_ARGUMENT);
  if (!refused) return refused;
  const ErrorDetails details = DetailsOf(status);
  if (details.fields != fields) {
    return ::testing::AssertionFailure()
           << ToText(status) << "\n  names other fields than " << fields_text;
  }
  for (const auto& violation : details.bad_request.field_violations()) {
    if (violation.description().empty()) {
      return ::testing::AssertionFailure() << "nothing is said about " << violation.field();
    }
  }
  return ::testing::AssertionSuccess();
}

std::string DescriptionOf(const grpc::Status& status, const std::string& field) {
  const ErrorDetails details = DetailsOf(status);
  for (const auto& violation : details.bad_request.field_violations()) {
    if (violation.field() == field) return violation.description();
  }
  return "";
}

}  // namespace postrider::testing

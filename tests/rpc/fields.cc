#include "tests/rpc/fields.h"

namespace postrider::rpc {

std::vector<std::string> FieldsOf(const FieldErrors& errors) {
  std::vector<std::string> fields;
  if (errors.empty()) return fields;
  const auto details = DetailOf<google::rpc::BadRequest>(errors.ToStatus());
  for (const auto& violation : details.field_violations()) {
    fields.push_back(violation.field());
  }
  return fields;
}

std::string DescriptionOf(const FieldErrors& errors, const std::string& field) {
  const auto details = DetailOf<google::rpc::BadRequest>(errors.ToStatus());
  for (const auto& violation : details.field_violations()) {
    if (violation.field() == field) return violation.description();
  }
  return "";
}

}  // namespace postrider::rpc

#include "tests/support/json_fields.h"

#include "absl/strings/str_cat.h"

namespace postrider::testing {

std::string JsonString(const std::string& text, const std::string& name) {
  const std::string opening = absl::StrCat("\"", name, "\":\"");
  const size_t found = text.find(opening);
  if (found == std::string::npos) return "";
  const size_t begin = found + opening.size();
  return text.substr(begin, text.find('"', begin) - begin);
}

std::string EnvelopeData(const std::string& body) {
  const std::string opening = "\",\"data\":";
  const size_t found = body.find(opening);
  if (found == std::string::npos || body.back() != '}') return "";
  const size_t begin = found + opening.size();
  return body.substr(begin, body.size() - 1 - begin);
}

}  // namespace postrider::testing

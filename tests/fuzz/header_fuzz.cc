// The headers of an endpoint, one "name: value" a line: those that pass are harmless on the wire
// and come back from storage as they went in.

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "server/envelope/header_names.h"
#include "server/security/endpoint_seal.h"
#include "tests/fuzz/fuzz_target.h"

namespace {

using postrider::envelope::HeaderView;

// The same headers with other letters and digits in their values, which are as good or as bad.
absl::Status CheckOthers(const std::vector<HeaderView>& headers) {
  std::vector<std::string> values;
  for (const HeaderView& header : headers) {
    std::string& value = values.emplace_back(header.value);
    for (char& c : value) {
      if (c >= 'a' && c <= 'z') c = static_cast<char>('a' + (c - 'a' + 7) % 26);
      if (c >= 'A' && c <= 'Z') c = static_cast<char>('A' + (c - 'A' + 7) % 26);
      if (c >= '0' && c <= '9') c = static_cast<char>('0' + (c - '0' + 3) % 10);
    }
  }
  std::vector<HeaderView> others = headers;
  for (size_t i = 0; i < others.size(); ++i) others[i].value = values[i];
  return postrider::envelope::CheckHeaders(others);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view rest = postrider::fuzz::TextOf(data, size);
  std::vector<HeaderView> headers;
  while (!rest.empty() && headers.size() <= 64) {
    // A zero byte ends a header, so that line ends are tried inside of one.
    const std::string_view line = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    const size_t colon = line.find(": ");
    if (colon == std::string_view::npos) {
      headers.push_back({line, ""});
    } else {
      headers.push_back({line.substr(0, colon), line.substr(colon + 2)});
    }
  }
  const absl::Status status = postrider::envelope::CheckHeaders(headers);
  if (!status.ok()) {
    FUZZ_EXPECT(status.code() == absl::StatusCode::kInvalidArgument);
    // Values are secrets: what is said of headers does not depend on them.
    FUZZ_EXPECT(CheckOthers(headers) == status);
    return 0;
  }
  FUZZ_EXPECT(headers.size() <= postrider::envelope::kMaxEndpointHeaders);
  size_t bytes = 0;
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const HeaderView& header : headers) {
    bytes += header.name.size() + header.value.size();
    FUZZ_EXPECT(!header.name.empty() && !header.value.empty());
    for (const char c : header.name) FUZZ_EXPECT(c > ' ' && c < 0x7f && c != ':');
    for (const char c : header.value) FUZZ_EXPECT(c >= ' ' && c < 0x7f);
    pairs.emplace_back(header.name, header.value);
  }
  FUZZ_EXPECT(bytes <= postrider::envelope::kMaxEndpointHeaderBytes);
  FUZZ_EXPECT(postrider::security::UnpackHeaders(postrider::security::PackHeaders(pairs)) == pairs);
  return 0;
}

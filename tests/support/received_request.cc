#include "tests/support/received_request.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace postrider::testing {

std::string ReceivedRequest::Header(absl::string_view name) const {
  for (const auto& [other, value] : headers) {
    if (absl::EqualsIgnoreCase(other, name)) return value;
  }
  return "";
}

size_t ReceivedRequest::CountHeaders(absl::string_view name) const {
  size_t count = 0;
  for (const auto& [other, value] : headers) count += absl::EqualsIgnoreCase(other, name) ? 1 : 0;
  return count;
}

int ReceivedRequest::AttemptNumber() const {
  int number = 0;
  return absl::SimpleAtoi(Header("postrider-attempt"), &number) ? number : 0;
}

std::optional<ParsedRequest> ParseRequest(absl::string_view bytes, bool* malformed) {
  // A TLS greeting, say: nothing that will become a request.
  *malformed = !bytes.empty() && !absl::ascii_isupper(static_cast<unsigned char>(bytes[0]));
  if (*malformed) return std::nullopt;
  const size_t head_end = bytes.find("\r\n\r\n");
  if (head_end == absl::string_view::npos) return std::nullopt;
  ParsedRequest parsed;
  const std::vector<std::string> lines =
      absl::StrSplit(bytes.substr(0, head_end), absl::ByString("\r\n"));
  const std::vector<std::string> first = absl::StrSplit(lines[0], ' ');
  if (first.size() != 3 || first[2] != "HTTP/1.1") {
    *malformed = true;
    return std::nullopt;
  }
  parsed.request.method = first[0];
  parsed.request.target = first[1];
  for (size_t i = 1; i < lines.size(); ++i) {
    const std::pair<std::string, std::string> header =
        absl::StrSplit(lines[i], absl::MaxSplits(':', 1));
    parsed.request.headers.emplace_back(header.first,
                                        std::string(absl::StripAsciiWhitespace(header.second)));
  }
  size_t length = 0;
  const std::string given = parsed.request.Header("content-length");
  if (!given.empty() && !absl::SimpleAtoi(given, &length)) {
    *malformed = true;
    return std::nullopt;
  }
  parsed.size = head_end + 4 + length;
  if (bytes.size() < parsed.size) return std::nullopt;
  parsed.request.body = std::string(bytes.substr(head_end + 4, length));
  return parsed;
}

}  // namespace postrider::testing

#include "tools/postrider/http_request.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace postrider::cli {
namespace {

bool IsTokenCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
         absl::string_view("!#$%&'*+-.^_`|~").find(c) != absl::string_view::npos;
}

bool IsToken(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), IsTokenCharacter);
}

bool HasControl(absl::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    return c != '\t' && (static_cast<unsigned char>(c) < 0x20 || c == 0x7f);
  });
}

std::optional<Refused> ReadRequestLine(absl::string_view line, HttpRequest* request) {
  const std::vector<absl::string_view> parts = absl::StrSplit(line, ' ');
  if (parts.size() != 3 || !IsToken(parts[0]) || parts[1].empty() || HasControl(parts[1]) ||
      !absl::StartsWith(parts[2], "HTTP/")) {
    return Refused{400, "the first line is no HTTP request line"};
  }
  if (parts[2] != "HTTP/1.1" && parts[2] != "HTTP/1.0") {
    return Refused{505, "only HTTP/1.0 and HTTP/1.1 are understood"};
  }
  request->method = std::string(parts[0]);
  request->target = std::string(parts[1]);
  request->keep_alive = parts[2] == "HTTP/1.1";
  return std::nullopt;
}

std::optional<Refused> ReadHeaders(absl::string_view lines, HttpRequest* request) {
  if (lines.empty()) return std::nullopt;
  for (absl::string_view line : absl::StrSplit(lines, "\r\n")) {
    const size_t colon = line.find(':');
    if (colon == absl::string_view::npos || !IsToken(line.substr(0, colon)) ||
        HasControl(line.substr(colon + 1))) {
      return Refused{400, "a header line is malformed"};
    }
    request->headers.emplace_back(absl::AsciiStrToLower(line.substr(0, colon)),
                                  absl::StripAsciiWhitespace(line.substr(colon + 1)));
  }
  return std::nullopt;
}

// The length of the body by the headers.
std::optional<Refused> ReadLength(const HttpRequest& request, size_t* length) {
  *length = 0;
  bool is_given = false;
  for (const auto& [name, value] : request.headers) {
    if (name == "transfer-encoding") {
      return Refused{411, "the body has no Content-Length"};
    }
    if (name != "content-length") continue;
    uint64_t number = 0;
    if (value.empty() || !absl::ascii_isdigit(static_cast<unsigned char>(value[0])) ||
        !absl::SimpleAtoi(value, &number) || (is_given && number != *length)) {
      return Refused{400, "Content-Length is malformed"};
    }
    if (number > kMaxBodyBytes) {
      return Refused{413, absl::StrCat("the body is larger than ", kMaxBodyBytes, " bytes")};
    }
    *length = number;
    is_given = true;
  }
  return std::nullopt;
}

absl::string_view ReasonPhrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 400:
      return "Bad Request";
    case 405:
      return "Method Not Allowed";
    case 410:
      return "Gone";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
  }
  return "";  // allowed, and its place is still there
}

}  // namespace

absl::string_view HttpRequest::Header(absl::string_view name) const {
  for (const auto& [header_name, value] : headers) {
    if (header_name == name) return value;
  }
  return {};
}

std::variant<NeedMore, Refused, Complete> ReadRequest(absl::string_view buffer) {
  if (buffer.empty()) return NeedMore{};
  // At once, so that nobody who speaks something else, such as TLS, waits for an answer.
  if (!IsTokenCharacter(buffer[0])) return Refused{400, "this is not HTTP"};
  const size_t head_size = buffer.substr(0, kMaxHeadBytes).find("\r\n\r\n");
  if (head_size == absl::string_view::npos) {
    if (buffer.size() < kMaxHeadBytes) return NeedMore{};
    return Refused{431, absl::StrCat("the headers are larger than ", kMaxHeadBytes, " bytes")};
  }
  const absl::string_view head = buffer.substr(0, head_size);
  const size_t line_end = std::min(head.find("\r\n"), head.size());

  Complete result;
  HttpRequest& request = result.request;
  if (auto refused = ReadRequestLine(head.substr(0, line_end), &request)) return *refused;
  const absl::string_view header_lines =
      line_end == head.size() ? absl::string_view() : head.substr(line_end + 2);
  if (auto refused = ReadHeaders(header_lines, &request)) return *refused;
  size_t length = 0;
  if (auto refused = ReadLength(request, &length)) return *refused;

  const absl::string_view rest = buffer.substr(head_size + 4);
  if (rest.size() < length) {
    return NeedMore{absl::EqualsIgnoreCase(request.Header("expect"), "100-continue")};
  }
  request.body = std::string(rest.substr(0, length));
  if (absl::EqualsIgnoreCase(request.Header("connection"), "close")) request.keep_alive = false;
  result.bytes = head_size + 4 + length;
  return result;
}

std::string FormatResponse(int status, absl::string_view body, bool close) {
  const bool has_body = status != 204 && status != 304;
  std::string text = absl::StrCat("HTTP/1.1 ", status, " ", ReasonPhrase(status), "\r\n");
  if (status == 405) absl::StrAppend(&text, "Allow: POST\r\n");
  if (has_body) {
    absl::StrAppend(
        &text, "Content-Type: text/plain; charset=utf-8\r\nContent-Length: ", body.size(), "\r\n");
  }
  if (close) absl::StrAppend(&text, "Connection: close\r\n");
  absl::StrAppend(&text, "\r\n", has_body ? body : "");
  return text;
}

}  // namespace postrider::cli

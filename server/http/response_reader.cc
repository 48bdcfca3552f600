#include "server/http/response_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"

namespace postrider::http {

ResponseReader::ResponseReader(size_t max_header_bytes, size_t max_body_bytes)
    : max_header_bytes_(max_header_bytes), max_body_bytes_(max_body_bytes) {}

void ResponseReader::Clear() {
  header_bytes_ = 0;
  header_bytes_kept_ = 0;
  in_header_block_ = false;
  final_response_ = false;
  headers_.clear();
  body_bytes_ = 0;
  body_.clear();
}

bool ResponseReader::AddHeaderLine(absl::string_view line) {
  header_bytes_ += line.size();
  if (header_bytes_ > max_header_bytes_) return false;
  line = absl::StripTrailingAsciiWhitespace(line);
  if (in_header_block_) {
    if (line.empty()) {
      in_header_block_ = false;
    } else if (final_response_) {
      Keep(line);
    }
  } else if (!final_response_) {  // What comes after the final response's headers is a trailer.
    in_header_block_ = true;
    const size_t space = line.find(' ');
    final_response_ = space == absl::string_view::npos || line.substr(space + 1, 1) != "1";
  }
  return true;
}

void ResponseReader::Keep(absl::string_view field) {
  const size_t colon = field.find(':');
  if (colon == 0 || colon == absl::string_view::npos || absl::ascii_isspace(field[0])) return;
  if (headers_.size() >= kMaxKeptHeaders ||
      header_bytes_kept_ + field.size() > kMaxKeptHeaderBytes) {
    return;
  }
  header_bytes_kept_ += field.size();
  headers_.emplace_back(std::string(field.substr(0, colon)),
                        std::string(absl::StripLeadingAsciiWhitespace(field.substr(colon + 1))));
}

bool ResponseReader::AddBody(absl::string_view bytes) {
  body_.append(bytes.data(), std::min(bytes.size(), kMaxKeptBodyBytes - body_.size()));
  body_bytes_ += bytes.size();
  return body_bytes_ <= max_body_bytes_;
}

void ResponseReader::MoveTo(Result* result) {
  result->headers = std::move(headers_);
  result->body = std::move(body_);
  result->body_truncated = body_bytes_ > result->body.size();
}

}  // namespace postrider::http

// HTTP/1.1 requests out of bytes, as far as a receiver of webhooks needs them. Pure.

#ifndef POSTRIDER_TOOLS_POSTRIDER_HTTP_REQUEST_H_
#define POSTRIDER_TOOLS_POSTRIDER_HTTP_REQUEST_H_

#include <cstddef>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"

namespace postrider::cli {

inline constexpr size_t kMaxHeadBytes = 64 * 1024;    // request line and headers
inline constexpr size_t kMaxBodyBytes = 1024 * 1024;  // four times what a server sends by default

struct HttpRequest {
  std::string method;
  std::string target;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;
  bool keep_alive = true;

  // The first header of that name (in lower case); empty if there is none. Valid while this lives.
  absl::string_view Header(absl::string_view name) const;
};

// What the bytes received so far amount to.
struct NeedMore {
  bool expects_continue = false;  // the head is whole, and the sender waits for a 100
};
struct Refused {
  int status = 400;
  std::string reason;  // one sentence; the connection is of no use after it
};
struct Complete {
  HttpRequest request;
  size_t bytes = 0;  // what the request takes up at the front of the buffer
};

// Reads the request at the front of `buffer`. Refuses what is not HTTP (400), other versions (505),
// a head over kMaxHeadBytes (431), a body over kMaxBodyBytes (413) and transfer codings (411: the
// length must be told beforehand). Thread-safe.
std::variant<NeedMore, Refused, Complete> ReadRequest(absl::string_view buffer);

// A whole response with `body` as plain text. `close` says in it that the connection ends.
// Thread-safe.
std::string FormatResponse(int status, absl::string_view body, bool close);

}  // namespace postrider::cli

#endif  // POSTRIDER_TOOLS_POSTRIDER_HTTP_REQUEST_H_

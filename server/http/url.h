#ifndef POSTRIDER_SERVER_HTTP_URL_H_
#define POSTRIDER_SERVER_HTTP_URL_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "server/http/destination.h"

struct Curl_URL;  // libcurl's CURLU

namespace postrider::http {

// Longest URL, in bytes.
inline constexpr size_t kMaxUrlBytes = 2048;

// A URL that CheckUrl() let pass. A value: copying it copies one pointer, and it is safe to share
// between threads. A default-constructed one is empty and can only be assigned to; a transfer with
// it fails.
class ParsedUrl {
 public:
  ParsedUrl() = default;

  bool empty() const { return parts_ == nullptr; }

  // The canonical URL: what is stored, shown and requested.
  const std::string& text() const;
  // Lower-case name, dotted quad, or IPv6 address in brackets.
  const std::string& host() const;
  // "host:port", the port always given: transfers with the same origin and scheme can share a
  // connection.
  const std::string& origin() const;
  int port() const;
  bool is_https() const;
  // Whether the host is an address, so that no name has to be looked up.
  bool is_address() const;
  // Whether the host is `localhost` or a name below it: loopback by rule (RFC 6761), which no name
  // server is asked for.
  bool is_localhost() const;

  // The parsed form, for the transfer: what was checked and what is requested come out of one
  // parser, run once. Never changed after CheckUrl(); lives as long as any copy of this value.
  Curl_URL* handle() const;

 private:
  friend absl::StatusOr<ParsedUrl> CheckUrl(std::string_view url, const DestinationPolicy& policy);

  struct Parts;
  std::shared_ptr<const Parts> parts_;
};

// Checks the URL of an endpoint, and parses it. Anything it does not accept is kInvalidArgument
// with one plain sentence that does not repeat the URL.
//
// Accepted is `https://host[:port][/path][?query]` (and `http://` when the policy allows it), of
// printable ASCII without space and backslash, at most kMaxUrlBytes, in canonical form. The
// deviations from the canonical form that are accepted and repaired are: upper-case letters in the
// host, a default port that is spelt out (":443" is dropped), and an empty path (becomes "/").
// A host is
//   - a name: labels of letters, digits and inner hyphens, 1 to 63 bytes each, 253 bytes in all, no
//     trailing dot. Other scripts are written in their "xn--" form. `localhost` and names below it
//     are loopback (RFC 6761) and need a policy that allows 127.0.0.1.
//   - an address: a dotted quad without leading zeros, or IPv6 in brackets in RFC 5952 form; the
//     policy must allow it. Decimal, octal, hexadecimal and shortened forms are refused.
// Refused are user and password, fragments, "." and ".." as path segments, and ports that belong to
// other protocols or usual internal services (a webhook must not speak to a mail server or a
// database).
//
// What a name resolves to is judged when a transfer connects, every time (see loop.h).
absl::StatusOr<ParsedUrl> CheckUrl(std::string_view url, const DestinationPolicy& policy);

}  // namespace postrider::http

#endif  // POSTRIDER_SERVER_HTTP_URL_H_

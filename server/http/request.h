#ifndef POSTRIDER_SERVER_HTTP_REQUEST_H_
#define POSTRIDER_SERVER_HTTP_REQUEST_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "server/http/url.h"
#include "server/runtime/clock.h"

namespace postrider::http {

using Headers = std::vector<std::pair<std::string, std::string>>;

// What is kept of a response.
inline constexpr size_t kMaxKeptBodyBytes = 4 * 1024;
inline constexpr size_t kMaxKeptHeaders = 64;
inline constexpr size_t kMaxKeptHeaderBytes = 8 * 1024;

// Timeouts are clamped to 1 ms .. 10 min.
inline constexpr absl::Duration kMaxTimeout = absl::Minutes(10);

// One POST to be sent.
struct Request {
  // The caller's own; comes back in the result. Need not be unique.
  uint64_t id = 0;
  ParsedUrl url;
  // Sent as they are, in this order. The loop adds Host, Content-Length and User-Agent, and nothing
  // else. Names must be tokens and values free of control characters, and names that frame the
  // message (Host, Content-Length, Transfer-Encoding, Connection, Expect, TE, Trailer, Upgrade) are
  // the loop's: a request that breaks this is not sent and ends as kConnection.
  Headers headers;
  // Null is an empty body. Shared, so that one body can be under way to many endpoints.
  std::shared_ptr<const std::string> body;
  // From the start of the transfer to the end of the response. Waiting for a free connection slot
  // or for another transfer's lookup of the same name does not count.
  absl::Duration timeout = absl::Seconds(15);
  // The part of it for name lookup, TCP connect and TLS handshake.
  absl::Duration connect_timeout = absl::Seconds(5);
  // The latest start of the transfer. A request that still waits then, for a connection slot or for
  // a lookup that is not its own, comes back as kNotStarted.
  Instant start_by = absl::InfiniteDuration();
};

// Why there is no complete response.
enum class TransferError {
  kNone,        // There is one; its status says the rest.
  kTimeout,     // One of the two timeouts.
  kConnection,  // Refused, unreachable or broken, or the response was not proper HTTP/1.x.
  kDns,         // The host has no address.
  kTls,         // The handshake failed or the certificate is not good for the host.
  kBlocked,     // The destination policy denied an address; nothing was sent.
  kNotStarted,  // Its turn did not come by Request::start_by, or this process has no more file
                // descriptors: nothing was sent, and this says nothing about the receiver.
};

// "NONE", "TIMEOUT", ...
std::string_view TransferErrorName(TransferError error);

// How long the parts of a transfer took; zero for parts that did not take place (all but
// `first_byte` when an open connection was used again).
struct Phases {
  absl::Duration dns;         // name lookup
  absl::Duration connect;     // TCP connect, after the lookup
  absl::Duration tls;         // TLS handshake, after the connect
  absl::Duration first_byte;  // from then to the first byte of the response
};

// What became of one request.
struct Result {
  uint64_t id = 0;
  TransferError error = TransferError::kNone;
  // Of the final response (never 1xx), 0 if there was none. May be set beside an error: a 200 whose
  // body broke off is not a success.
  int status = 0;
  // A few plain words, empty with kNone. Names no address when the error is kBlocked.
  std::string error_text;
  // "192.0.2.1:443" or "[2001:db8::1]:443": where the request went. Empty when nothing was
  // connected, when blocked, and with a proxy, which alone knows.
  std::string remote_address;
  // How many times the request was put on a connection: 0 or 1. With 0 the receiver has not seen
  // it, with 1 it may have.
  int send_count = 0;
  // Of the final response, as received (bytes, not necessarily UTF-8), without trailers; the first
  // kMaxKeptHeaders, as far as names and values fit in kMaxKeptHeaderBytes.
  Headers headers;
  // The first kMaxKeptBodyBytes of the body, as received and not decoded.
  std::string body;
  // Whether the body was longer than what is kept.
  bool body_truncated = false;
  absl::Duration duration;
  Phases phases;
};

}  // namespace postrider::http

#endif  // POSTRIDER_SERVER_HTTP_REQUEST_H_

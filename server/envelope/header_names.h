// The headers that an endpoint may add to its requests. Every check answers OK or INVALID_ARGUMENT;
// no text repeats a value, as values are secrets. Thread-safe.

#ifndef POSTRIDER_SERVER_ENVELOPE_HEADER_NAMES_H_
#define POSTRIDER_SERVER_ENVELOPE_HEADER_NAMES_H_

#include <cstddef>
#include <string_view>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace postrider::envelope {

inline constexpr size_t kMaxEndpointHeaders = 20;
inline constexpr size_t kMaxEndpointHeaderNameBytes = 128;
inline constexpr size_t kMaxEndpointHeaderBytes = 4096;  // names and values of one endpoint, summed

struct HeaderView {
  std::string_view name;
  std::string_view value;
};

// A token (RFC 9110, section 5.6.2) that is not ours to give away. Refused in any case of letters:
// what belongs to one connection (RFC 9110 section 7.6.1, RFC 9113 section 8.2.2), `host`,
// `user-agent`, `expect`, `accept-encoding`, `traceparent`, and what begins with `content-`,
// `webhook-` or `postrider-`.
absl::Status CheckHeaderName(std::string_view name);

// Printable ASCII, not empty, without a space at either end (RFC 9110 section 5.5 would have it
// dropped on the way). Tabs and other bytes are refused: receivers disagree on them.
absl::Status CheckHeaderValue(std::string_view value);

// All headers of one endpoint: each name and value as above, no name twice (in any case of
// letters), and the two limits. The message begins with the position, `[2]: …`, where one header is
// at fault.
absl::Status CheckHeaders(absl::Span<const HeaderView> headers);

}  // namespace postrider::envelope

#endif  // POSTRIDER_SERVER_ENVELOPE_HEADER_NAMES_H_

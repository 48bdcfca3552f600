// The Retry-After header of a 429 or 503 answer.

#pragma once

#include <optional>
#include <string_view>

#include "absl/time/time.h"

namespace postrider::policy {

// The wait that a Retry-After value asks for, seen at `now` (the end of the attempt): whole seconds
// or an HTTP date in any of the three forms of RFC 9110, section 5.6.7. Never negative: a date in
// the past is a wait of zero. Nonsense is none. The caller bounds it.
std::optional<absl::Duration> ParseRetryAfter(std::string_view value, absl::Time now);

}  // namespace postrider::policy

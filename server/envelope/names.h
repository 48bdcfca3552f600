// The grammar of names that callers choose. Every check answers OK or INVALID_ARGUMENT with a text
// that follows a field's name ("type" + " " + message) and never repeats the value. Thread-safe.

#ifndef POSTRIDER_SERVER_ENVELOPE_NAMES_H_
#define POSTRIDER_SERVER_ENVELOPE_NAMES_H_

#include <cstddef>
#include <string_view>

#include "absl/status/status.h"

namespace postrider::envelope {

inline constexpr size_t kMaxEventTypeBytes = 128;
inline constexpr size_t kMaxTenantIdBytes = 64;
inline constexpr size_t kMaxIdempotencyKeyBytes = 255;

// Types that begin so are Postrider's own events; callers may subscribe to them, not publish them.
inline constexpr std::string_view kReservedTypePrefix = "postrider.";

enum class ReservedTypes {
  kRefuse,  // what a caller publishes
  kAllow,   // what the server itself publishes, and what an endpoint subscribes to
};

// True if `type` begins with kReservedTypePrefix: to tell this reason from bad grammar. The word
// `postrider` alone is free.
bool IsReservedEventType(std::string_view type);

// `[a-z0-9_]+(\.[a-z0-9_]+)*`, at most kMaxEventTypeBytes. A reserved type is refused with a text
// of its own if asked for; bad grammar is reported first.
absl::Status CheckEventType(std::string_view type, ReservedTypes reserved = ReservedTypes::kRefuse);

// One entry of an endpoint's `events`: an event type, or a prefix pattern, which is an event type
// followed by `.*`; at most kMaxEventTypeBytes together. A bare `*` is refused, as an empty list
// says the same. Reserved types and patterns are allowed.
absl::Status CheckSubscriptionPattern(std::string_view pattern);

// `org_id` and `env_id`: `[A-Za-z0-9_-]{1,64}`, opaque otherwise.
absl::Status CheckTenantId(std::string_view id);

// 1 to 255 bytes of printable ASCII, the space included.
absl::Status CheckIdempotencyKey(std::string_view key);

}  // namespace postrider::envelope

#endif  // POSTRIDER_SERVER_ENVELOPE_NAMES_H_

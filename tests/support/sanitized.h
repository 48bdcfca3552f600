// What a build with a sanitizer cannot be asked for: its programs take several times the time, and
// AddressSanitizer keeps what was freed. Bounds on a server's time and memory are for the others.

#pragma once

namespace postrider::testing {

#ifdef POSTRIDER_SANITIZED
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

// How many times longer a bound on time is.
inline constexpr int kSlowness = kSanitized ? 4 : 1;

}  // namespace postrider::testing

// Retry-After: whatever a receiver says, the wait is none, or one that can be bounded.

#include <algorithm>
#include <cstring>

#include "server/policy/retry_after.h"
#include "tests/fuzz/fuzz_target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // The first bytes are the time at which it is seen.
  uint32_t seconds = 0;
  const size_t head = std::min(size, sizeof(seconds));
  std::memcpy(&seconds, data, head);
  const std::string_view value = postrider::fuzz::TextOf(data + head, size - head);
  const absl::Time now = absl::FromUnixSeconds(seconds);
  const std::optional<absl::Duration> wait = postrider::policy::ParseRetryAfter(value, now);
  if (!wait) return 0;
  FUZZ_EXPECT(*wait >= absl::ZeroDuration());
  FUZZ_EXPECT(std::min(*wait, absl::Hours(24)) <= absl::Hours(24));
  FUZZ_EXPECT(!value.empty());
  // Whatever the clock says, a number of seconds is that number.
  const bool digits =
      std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (digits) {
    FUZZ_EXPECT(wait == postrider::policy::ParseRetryAfter(value, absl::UnixEpoch()));
  }
  return 0;
}

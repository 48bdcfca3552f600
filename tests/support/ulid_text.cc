#include "tests/support/ulid_text.h"

#include <cstdint>

namespace postrider::testing {

std::optional<absl::Time> TimeOfUlid(const std::string& text) {
  static constexpr char kAlphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  constexpr size_t kLength = 26;
  constexpr size_t kTimeLength = 10;
  if (text.size() != kLength || text[0] > '7') return std::nullopt;
  int64_t milliseconds = 0;
  for (size_t i = 0; i < kLength; ++i) {
    const size_t digit = std::string(kAlphabet).find(text[i]);
    if (digit == std::string::npos) return std::nullopt;
    if (i < kTimeLength) milliseconds = milliseconds * 32 + static_cast<int64_t>(digit);
  }
  return absl::FromUnixMillis(milliseconds);
}

}  // namespace postrider::testing

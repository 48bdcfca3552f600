#include "server/policy/retry_after.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <string>

namespace postrider::policy {
namespace {

constexpr int64_t kManySeconds = int64_t{100} * 365 * 24 * 3600;

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

std::optional<absl::Duration> ParseRetryAfter(std::string_view value, absl::Time now) {
  value = Trim(value);
  if (value.empty() || value.size() > 64) return std::nullopt;
  if (std::all_of(value.begin(), value.end(), [](unsigned char c) { return std::isdigit(c); })) {
    int64_t seconds = 0;
    for (char c : value) seconds = std::min(seconds * 10 + (c - '0'), kManySeconds);
    return absl::Seconds(seconds);
  }
  // IMF-fixdate, RFC 850 and asctime.
  for (const char* format :
       {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"}) {
    absl::Time date;
    // Abseil reads its own words for infinity in any format.
    if (absl::ParseTime(format, std::string(value), &date, nullptr) &&
        date < absl::InfiniteFuture() && date > absl::InfinitePast()) {
      return std::max(date - now, absl::ZeroDuration());
    }
  }
  return std::nullopt;
}

}  // namespace postrider::policy

// PostgreSQL's timestamptz in binary: microseconds since 2000-01-01 UTC, and the two infinities.

#pragma once

#include <cstdint>
#include <limits>

#include "absl/time/time.h"

namespace postrider {

inline constexpr int64_t kPgEpochMicros = 946684800000000;

inline int64_t ToPgMicros(absl::Time time) {
  if (time == absl::InfiniteFuture()) return std::numeric_limits<int64_t>::max();
  if (time == absl::InfinitePast()) return std::numeric_limits<int64_t>::min();
  return absl::ToUnixMicros(time) - kPgEpochMicros;
}

inline absl::Time FromPgMicros(int64_t micros) {
  if (micros == std::numeric_limits<int64_t>::max()) return absl::InfiniteFuture();
  if (micros == std::numeric_limits<int64_t>::min()) return absl::InfinitePast();
  return absl::FromUnixMicros(micros + kPgEpochMicros);
}

}  // namespace postrider

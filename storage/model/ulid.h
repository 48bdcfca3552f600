// ULIDs: 128-bit identifiers that sort by the time they were made. 48 bits of milliseconds since
// the Unix epoch, then 80 random bits, big-endian; as text 26 characters of Crockford's base 32.
// Stored as PostgreSQL `uuid`, whose order is the same.

#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace postrider {

struct Ulid {
  std::array<uint8_t, 16> bytes{};

  auto operator<=>(const Ulid&) const = default;

  // 26 upper-case characters.
  std::string ToText() const;

  // Accepts exactly what ToText gives (upper case, no aliases); anything else is nullopt.
  static std::optional<Ulid> Parse(std::string_view text);

  // The smallest ULID of that millisecond: a bound for range scans.
  static Ulid FloorOf(absl::Time time);

  // One of that millisecond with 80 random bits: `random` gives 64 a call. In no order with others
  // of the millisecond.
  static Ulid RandomAt(absl::Time time, const std::function<uint64_t()>& random);

  // The millisecond in which it was made.
  absl::Time time() const;

  bool is_zero() const { return *this == Ulid{}; }

  template <typename H>
  friend H AbslHashValue(H h, const Ulid& id) {
    return H::combine_contiguous(std::move(h), id.bytes.data(), id.bytes.size());
  }
};

// Makes ULIDs that strictly increase within this generator, whatever the clock does: within one
// millisecond, and when time steps back, the last one is incremented. Thread-safe.
class UlidGenerator {
 public:
  // `random` fills the 80 random bits: it gives 64 random bits a call.
  explicit UlidGenerator(std::function<uint64_t()> random) : random_(std::move(random)) {}

  Ulid Next(absl::Time now);

 private:
  const std::function<uint64_t()> random_;
  absl::Mutex mutex_;
  Ulid last_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace postrider

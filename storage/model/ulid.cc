#include "storage/model/ulid.h"

#include <algorithm>

namespace postrider {
namespace {

constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr size_t kTextLength = 26;

constexpr std::array<int8_t, 256> MakeDecoder() {
  std::array<int8_t, 256> table{};
  for (auto& value : table) value = -1;
  for (size_t i = 0; i < kAlphabet.size(); ++i) {
    table[static_cast<uint8_t>(kAlphabet[i])] = static_cast<int8_t>(i);
  }
  return table;
}
constexpr std::array<int8_t, 256> kDecoder = MakeDecoder();

void SetMilliseconds(Ulid& id, uint64_t ms) {
  for (int i = 5; i >= 0; --i) {
    id.bytes[i] = static_cast<uint8_t>(ms);
    ms >>= 8;
  }
}

}  // namespace

std::string Ulid::ToText() const {
  std::string text(kTextLength, '0');
  unsigned __int128 value = 0;
  for (uint8_t byte : bytes) value = (value << 8) | byte;
  for (size_t i = kTextLength; i-- > 0;) {
    text[i] = kAlphabet[static_cast<size_t>(value & 31)];
    value >>= 5;
  }
  return text;
}

std::optional<Ulid> Ulid::Parse(std::string_view text) {
  // 26 characters hold 130 bits; the first carries only three.
  if (text.size() != kTextLength || text[0] > '7') return std::nullopt;
  unsigned __int128 value = 0;
  for (char c : text) {
    const int8_t digit = kDecoder[static_cast<uint8_t>(c)];
    if (digit < 0) return std::nullopt;
    value = (value << 5) | static_cast<uint8_t>(digit);
  }
  Ulid id;
  for (size_t i = id.bytes.size(); i-- > 0;) {
    id.bytes[i] = static_cast<uint8_t>(value);
    value >>= 8;
  }
  return id;
}

Ulid Ulid::FloorOf(absl::Time time) {
  constexpr int64_t kMaxMs = (int64_t{1} << 48) - 1;
  Ulid id;
  SetMilliseconds(id,
                  static_cast<uint64_t>(std::clamp<int64_t>(absl::ToUnixMillis(time), 0, kMaxMs)));
  return id;
}

absl::Time Ulid::time() const {
  uint64_t ms = 0;
  for (int i = 0; i < 6; ++i) ms = (ms << 8) | bytes[i];
  return absl::FromUnixMillis(static_cast<int64_t>(ms));
}

Ulid Ulid::RandomAt(absl::Time time, const std::function<uint64_t()>& random) {
  Ulid id = FloorOf(time);
  uint64_t a = random();
  uint64_t b = random();
  for (int i = 6; i < 14; ++i, a >>= 8) id.bytes[i] = static_cast<uint8_t>(a);
  for (int i = 14; i < 16; ++i, b >>= 8) id.bytes[i] = static_cast<uint8_t>(b);
  return id;
}

Ulid UlidGenerator::Next(absl::Time now) {
  Ulid id = Ulid::FloorOf(now);
  absl::MutexLock lock(&mutex_);
  if (std::equal(id.bytes.begin(), id.bytes.begin() + 6, last_.bytes.begin()) || id < last_) {
    id = last_;
    for (size_t i = id.bytes.size(); i-- > 0;) {
      if (++id.bytes[i] != 0) break;
    }
  } else {
    id = Ulid::RandomAt(now, random_);
  }
  last_ = id;
  return id;
}

}  // namespace postrider

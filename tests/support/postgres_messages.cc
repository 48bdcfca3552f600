#include "tests/support/postgres_messages.h"

#include <cstdint>

namespace postrider::testing {
namespace {

constexpr size_t kLengthBytes = 4;

// Up to the zero byte that ends it.
absl::string_view TextAt(absl::string_view bytes, size_t from) {
  if (from >= bytes.size()) return "";
  return bytes.substr(from, bytes.find('\0', from) - from);
}

}  // namespace

std::optional<PostgresMessage> FirstMessage(absl::string_view bytes, bool first) {
  const size_t type_bytes = first ? 0 : 1;
  if (bytes.size() < type_bytes + kLengthBytes) return std::nullopt;
  uint32_t length = 0;  // Counts itself, not the type.
  for (size_t i = 0; i < kLengthBytes; ++i) {
    length = length << 8 | static_cast<uint8_t>(bytes[type_bytes + i]);
  }
  if (bytes.size() < type_bytes + length) return std::nullopt;
  PostgresMessage message;
  message.type = first ? '\0' : bytes[0];
  message.size = type_bytes + length;
  message.body = bytes.substr(type_bytes + kLengthBytes, length - kLengthBytes);
  return message;
}

std::string StatementOf(const PostgresMessage& message) {
  if (message.type == 'Q') return std::string(TextAt(message.body, 0));
  if (message.type != 'B') return "";
  const size_t portal_end = TextAt(message.body, 0).size() + 1;
  return std::string(TextAt(message.body, portal_end));
}

}  // namespace postrider::testing

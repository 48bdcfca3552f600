#include "server/security/base64.h"

#include <array>
#include <cstdint>

#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"

namespace postrider::security {
namespace {

// 0..63, or -1 for a byte outside the alphabet.
int Sextet(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  if (c == '/') return 63;
  return -1;
}

}  // namespace

std::optional<SecretBytes> DecodeBase64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  const std::string_view digits = text.substr(0, text.size() - padding);
  const size_t size = digits.size() * 6 / 8;
  if (size > SecretBytes::kMaxSize) return std::nullopt;

  std::array<char, SecretBytes::kMaxSize> bytes;
  size_t written = 0;
  uint32_t bits = 0;
  int bit_count = 0;
  bool valid = true;
  for (char c : digits) {
    const int sextet = Sextet(c);
    if (sextet < 0) {
      valid = false;
      break;
    }
    bits = (bits << 6) | static_cast<uint32_t>(sextet);
    bit_count += 6;
    if (bit_count >= 8) {
      bit_count -= 8;
      bytes[written++] = static_cast<char>((bits >> bit_count) & 0xff);
    }
  }
  // What is left over after the last whole byte must be zero, or a second text would decode alike.
  if ((bits & ((1u << bit_count) - 1)) != 0) valid = false;
  std::optional<SecretBytes> result;
  if (valid) result.emplace(std::string_view(bytes.data(), written));
  Cleanse(bytes.data(), bytes.size());
  return result;
}

std::string EncodeBase64(std::string_view bytes) {
  return absl::Base64Escape(absl::string_view(bytes.data(), bytes.size()));
}

}  // namespace postrider::security

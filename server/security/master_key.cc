#include "server/security/master_key.h"

#include <openssl/sha.h>

#include <array>
#include <optional>

#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"
#include "server/security/base64.h"

namespace postrider::security {
namespace {

constexpr size_t kKeyIdBytes = 8;

std::string_view TrimWhitespace(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<SecretBytes> DecodeHex(std::string_view text) {
  std::array<char, MasterKey::kSize> bytes;
  bool valid = text.size() == 2 * bytes.size();
  for (size_t i = 0; valid && i < bytes.size(); ++i) {
    const int high = HexDigit(text[2 * i]);
    const int low = HexDigit(text[2 * i + 1]);
    valid = high >= 0 && low >= 0;
    if (valid) bytes[i] = static_cast<char>(high * 16 + low);
  }
  std::optional<SecretBytes> result;
  if (valid) result.emplace(std::string_view(bytes.data(), bytes.size()));
  Cleanse(bytes.data(), bytes.size());
  return result;
}

std::string KeyId(std::string_view key) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
  SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(), digest.data());
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(digest.data()), kKeyIdBytes));
}

}  // namespace

MasterKey::MasterKey(const SecretBytes& bytes) : bytes_(bytes), id_(KeyId(bytes.view())) {}

absl::StatusOr<MasterKey> MasterKey::Parse(std::string_view text) {
  const std::string_view trimmed = TrimWhitespace(text);
  if (trimmed.empty()) return absl::InvalidArgumentError("the master key is empty");
  // The two forms differ in length (44 and 64), so no text is valid as both.
  std::optional<SecretBytes> key = DecodeHex(trimmed);
  if (!key.has_value()) key = DecodeBase64(trimmed);
  if (!key.has_value() || key->size() != kSize) {
    return absl::InvalidArgumentError(
        "a master key is 32 bytes, written as base64 (44 characters) or as hex (64 digits)");
  }
  return MasterKey(*key);
}

std::string GenerateMasterKeyText(RandomSource random) {
  std::string bytes = random(MasterKey::kSize);
  std::string text = EncodeBase64(bytes);
  Cleanse(bytes.data(), bytes.size());
  text.push_back('\n');
  return text;
}

}  // namespace postrider::security

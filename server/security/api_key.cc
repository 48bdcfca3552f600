#include "server/security/api_key.h"

#include <array>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "server/security/digest.h"

namespace postrider::security {
namespace {

constexpr std::string_view kPrefix = "prk_";
constexpr size_t kIdBytes = 26;

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

std::optional<ApiKeyText> ParseApiKey(std::string_view text) {
  if (text.size() != kApiKeyTextBytes || text.substr(0, kPrefix.size()) != kPrefix) {
    return std::nullopt;
  }
  const std::string_view id_text = text.substr(kPrefix.size(), kIdBytes);
  const std::optional<Ulid> ulid = Ulid::Parse(id_text);
  // A ULID can be written in several ways; a key in one alone.
  if (!ulid || ulid->ToText() != id_text || text[kPrefix.size() + kIdBytes] != '_') {
    return std::nullopt;
  }
  const std::string_view hex = text.substr(kPrefix.size() + kIdBytes + 1);
  std::array<char, kApiKeySecretBytes> bytes{};
  for (size_t i = 0; i < bytes.size(); ++i) {
    const int high = HexValue(hex[2 * i]);
    const int low = HexValue(hex[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes[i] = static_cast<char>(high * 16 + low);
  }
  ApiKeyText key{ApiKeyId{*ulid}, SecretBytes(std::string_view(bytes.data(), bytes.size()))};
  Cleanse(bytes.data(), bytes.size());
  return key;
}

std::string NewApiKey(ApiKeyId id, RandomSource random) {
  std::string secret = random(kApiKeySecretBytes);
  std::string hex = absl::BytesToHexString(secret);
  std::string text = absl::StrCat(std::string(kPrefix), id.ulid.ToText(), "_", hex);
  Cleanse(secret.data(), secret.size());
  Cleanse(hex.data(), hex.size());
  return text;
}

std::string ApiKeyDigest(const SecretBytes& secret) { return Sha256({secret.view()}); }

bool MatchesDigest(const SecretBytes& secret, std::string_view digest) {
  return ConstantTimeEquals(ApiKeyDigest(secret), digest);
}

}  // namespace postrider::security

#include "server/signing/secret_text.h"

#include <utility>

#include "absl/status/status.h"
#include "server/signing/ed25519_key.h"
#include "server/signing/secret.h"

namespace postrider::signing {
namespace {

constexpr size_t kHintCharacters = 4;
constexpr size_t kMinSecretTextSize = kHmacSecretPrefix.size() + kMinHmacSecretBytes * 4 / 3;

SecretText TextsOf(const Ed25519PrivateKey& key) {
  return {key.ToText(), key.public_key().ToText()};
}

}  // namespace

SecretText GenerateSecret(SignatureScheme scheme, security::RandomSource random) {
  switch (scheme) {
    case SignatureScheme::kHmacSha256:
      return {GenerateHmacSecret(random), ""};
    case SignatureScheme::kEd25519:
      return TextsOf(Ed25519PrivateKey::Generate(random));
  }
  return {};
}

absl::StatusOr<SecretText> ReadSecret(SignatureScheme scheme, std::string_view text) {
  switch (scheme) {
    case SignatureScheme::kHmacSha256: {
      if (absl::Status status = ParseHmacSecret(text).status(); !status.ok()) return status;
      return SecretText{std::string(text), ""};
    }
    case SignatureScheme::kEd25519: {
      absl::StatusOr<Ed25519PrivateKey> key = Ed25519PrivateKey::Parse(text);
      if (!key.ok()) return key.status();
      return TextsOf(*key);
    }
  }
  return absl::InternalError("no such scheme");
}

std::string SecretHint(std::string_view text) {
  if (text.size() < kMinSecretTextSize) return "";
  return std::string(text.substr(text.size() - kHintCharacters));
}

}  // namespace postrider::signing

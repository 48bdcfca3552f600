// The text of an API key, `prk_<id>_<secret>`: the id is the ULID of the key's record, the secret
// 256 random bits in lower-case hex. Only the secret's SHA-256 is stored; a plain digest is enough
// because nobody can try 2^256 secrets.

#ifndef POSTRIDER_SERVER_SECURITY_API_KEY_H_
#define POSTRIDER_SERVER_SECURITY_API_KEY_H_

#include <optional>
#include <string>
#include <string_view>

#include "server/security/random.h"
#include "server/security/secret_bytes.h"
#include "storage/model/ids.h"

namespace postrider::security {

inline constexpr size_t kApiKeySecretBytes = 32;
// "prk_", 26 characters of id, "_" and 64 of hex.
inline constexpr size_t kApiKeyTextBytes = 4 + 26 + 1 + 2 * kApiKeySecretBytes;

struct ApiKeyText {
  ApiKeyId id;
  SecretBytes secret;
};

// Exactly the one form above; nothing for anything else. Thread-safe.
std::optional<ApiKeyText> ParseApiKey(std::string_view text);

// The text of a new key. It is a secret. Thread-safe.
std::string NewApiKey(ApiKeyId id, RandomSource random);

// What is stored of a key's secret. Thread-safe.
std::string ApiKeyDigest(const SecretBytes& secret);

// Whether `secret` is the one that `digest` was made of, in a time that depends on neither.
bool MatchesDigest(const SecretBytes& secret, std::string_view digest);

}  // namespace postrider::security

#endif  // POSTRIDER_SERVER_SECURITY_API_KEY_H_

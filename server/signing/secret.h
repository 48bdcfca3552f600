// Secrets of the symmetric scheme of Standard Webhooks: `whsec_` and base64.

#ifndef POSTRIDER_SERVER_SIGNING_SECRET_H_
#define POSTRIDER_SERVER_SIGNING_SECRET_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "server/security/random.h"
#include "server/security/secret_bytes.h"

namespace postrider::signing {

inline constexpr std::string_view kHmacSecretPrefix = "whsec_";
inline constexpr size_t kMinHmacSecretBytes = 24;  // Standard Webhooks, "Signature scheme"
inline constexpr size_t kMaxHmacSecretBytes = 64;
inline constexpr size_t kNewHmacSecretBytes = 32;

// A key for HMAC-SHA256 of 24 to 64 bytes, cleansed when it goes. It cannot be printed. Made by
// ParseHmacSecret. Thread-compatible.
class HmacSecret {
 public:
  // The decoded key, valid while this object lives.
  std::string_view bytes() const { return bytes_.view(); }

 private:
  friend absl::StatusOr<HmacSecret> ParseHmacSecret(std::string_view text);
  explicit HmacSecret(const security::SecretBytes& bytes) : bytes_(bytes) {}

  security::SecretBytes bytes_;
};

// Reads `whsec_` + canonical base64 of 24 to 64 bytes. Padding is required, whitespace and stray
// bits are refused, so one key has one text. INVALID_ARGUMENT with a sentence that repeats nothing
// of `text`. Thread-safe.
absl::StatusOr<HmacSecret> ParseHmacSecret(std::string_view text);

// `whsec_` + base64 of `bytes`, of whatever length. The result is the secret itself: it belongs in
// the answer to Create and Rotate, and sealed at rest. Thread-safe.
std::string FormatHmacSecret(std::string_view bytes);

// The text of a new secret of kNewHmacSecretBytes bytes, which ParseHmacSecret reads.
std::string GenerateHmacSecret(security::RandomSource random = security::RandomBytes);

}  // namespace postrider::signing

#endif  // POSTRIDER_SERVER_SIGNING_SECRET_H_

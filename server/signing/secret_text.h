// Secrets of either scheme as texts: what a caller brings, what a caller is given.

#ifndef POSTRIDER_SERVER_SIGNING_SECRET_TEXT_H_
#define POSTRIDER_SERVER_SIGNING_SECRET_TEXT_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "server/security/random.h"
#include "server/signing/signature.h"

namespace postrider::signing {

// An endpoint's secret: its text for the answer that shows it and for sealing, and of kEd25519 the
// `whpk_` that receivers verify with, which anybody may see.
struct SecretText {
  std::string text;
  std::string public_key;  // empty for kHmacSha256
};

// A new secret of the scheme. Thread-safe.
SecretText GenerateSecret(SignatureScheme scheme,
                          security::RandomSource random = security::RandomBytes);

// The secret that a caller brought for the scheme, in its one form: a `whsk_` of a seed alone
// becomes that of seed and public key. INVALID_ARGUMENT with a sentence that repeats nothing of
// `text`. Thread-safe.
absl::StatusOr<SecretText> ReadSecret(SignatureScheme scheme, std::string_view text);

// The last 4 characters of a secret's text, for `secret_hint`. Empty if the text is too short for a
// valid secret, as 4 characters would then give too much of it away. Thread-safe.
std::string SecretHint(std::string_view text);

}  // namespace postrider::signing

#endif  // POSTRIDER_SERVER_SIGNING_SECRET_TEXT_H_

// The key that seals secrets at rest.

#ifndef POSTRIDER_SERVER_SECURITY_MASTER_KEY_H_
#define POSTRIDER_SERVER_SECURITY_MASTER_KEY_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "server/security/random.h"
#include "server/security/secret_bytes.h"

namespace postrider::security {

// A 256-bit AES key and the public name it goes by in stored rows. Immutable, hence thread-safe.
class MasterKey {
 public:
  static constexpr size_t kSize = 32;

  // A key from the text of a key file or environment variable: 32 bytes as canonical base64 (44
  // characters) or as hex (64 digits of either case); whitespace and line ends around it are cut,
  // none inside is taken. Anything else is INVALID_ARGUMENT with a sentence that repeats nothing of
  // the text.
  static absl::StatusOr<MasterKey> Parse(std::string_view text);

  // The key's name: the first 8 bytes of its SHA-256 in lower-case hex, 16 characters. It says
  // which key is needed and nothing about the key.
  const std::string& id() const { return id_; }

  // kSize bytes.
  std::string_view bytes() const { return bytes_.view(); }

 private:
  explicit MasterKey(const SecretBytes& bytes);

  SecretBytes bytes_;
  std::string id_;
};

// The text of a new key file: base64 of MasterKey::kSize random bytes and a newline. The result is
// the key itself: write it to a file of mode 0600 and nowhere else.
std::string GenerateMasterKeyText(RandomSource random);

}  // namespace postrider::security

#endif  // POSTRIDER_SERVER_SECURITY_MASTER_KEY_H_

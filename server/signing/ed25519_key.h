// Keys of the asymmetric scheme of Standard Webhooks: Ed25519 (RFC 8032), `whsk_` and `whpk_`.

#ifndef POSTRIDER_SERVER_SIGNING_ED25519_KEY_H_
#define POSTRIDER_SERVER_SIGNING_ED25519_KEY_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "server/security/random.h"
#include "server/security/secret_bytes.h"

// OpenSSL's EVP_PKEY, named here so that this header does not pull OpenSSL's in.
struct evp_pkey_st;

namespace postrider::signing {

inline constexpr std::string_view kEd25519SecretPrefix = "whsk_";
inline constexpr std::string_view kEd25519PublicPrefix = "whpk_";
inline constexpr size_t kEd25519SeedBytes = 32;
inline constexpr size_t kEd25519PublicKeyBytes = 32;
inline constexpr size_t kEd25519PrivateKeyBytes = kEd25519SeedBytes + kEd25519PublicKeyBytes;
inline constexpr size_t kEd25519SignatureBytes = 64;

// What a receiver verifies with. No secret. Immutable, hence thread-safe; copies are cheap.
class Ed25519PublicKey {
 public:
  // Reads `whpk_` + canonical base64 of 32 bytes. INVALID_ARGUMENT.
  static absl::StatusOr<Ed25519PublicKey> Parse(std::string_view text);

  // `whpk_` and base64, which Parse reads.
  std::string ToText() const;

  // True if `signature`, its 64 bytes, was made over `message` with the private half.
  bool Verifies(std::string_view signature, std::string_view message) const;

 private:
  friend class Ed25519PrivateKey;
  explicit Ed25519PublicKey(std::shared_ptr<evp_pkey_st> key) : key_(std::move(key)) {}

  std::shared_ptr<evp_pkey_st> key_;
};

// What an attempt is signed with. The key is held by OpenSSL, which cleanses it when the last copy
// goes. It cannot be printed. Immutable, hence thread-safe.
class Ed25519PrivateKey {
 public:
  // Reads `whsk_` + canonical base64 of 64 bytes, the seed and behind it the public key, which must
  // belong to the seed; or of the seed's 32 bytes alone, as the reference library for Go writes
  // it. INVALID_ARGUMENT with a sentence that repeats nothing of `text`.
  static absl::StatusOr<Ed25519PrivateKey> Parse(std::string_view text);

  // A new key from kEd25519SeedBytes of `random`.
  static Ed25519PrivateKey Generate(security::RandomSource random = security::RandomBytes);

  // `whsk_` and base64 of 64 bytes: the secret itself. It belongs in the answer to Create and
  // Rotate, and sealed at rest.
  std::string ToText() const;

  Ed25519PublicKey public_key() const { return Ed25519PublicKey(key_); }

  // kEd25519SignatureBytes over `message`; empty if OpenSSL fails, which it does only without
  // memory.
  std::string Sign(std::string_view message) const;

 private:
  explicit Ed25519PrivateKey(std::shared_ptr<evp_pkey_st> key) : key_(std::move(key)) {}
  // Null if OpenSSL fails.
  static std::shared_ptr<evp_pkey_st> KeyOfSeed(std::string_view seed);

  std::shared_ptr<evp_pkey_st> key_;
};

}  // namespace postrider::signing

#endif  // POSTRIDER_SERVER_SIGNING_ED25519_KEY_H_

// Sealing of secrets at rest: AES-256-GCM (NIST SP 800-38D) under a master key.

#ifndef POSTRIDER_SERVER_SECURITY_SEALER_H_
#define POSTRIDER_SERVER_SECURITY_SEALER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "server/security/master_key.h"
#include "server/security/random.h"

namespace postrider::security {

inline constexpr size_t kNonceSize = 12;  // bytes, GCM's own size
inline constexpr size_t kTagSize = 16;    // bytes, the full tag

// The most that one call seals: far above any secret, far below GCM's own limit.
inline constexpr size_t kMaxSealedPlaintext = 1 << 20;  // bytes

// What is stored: nothing in it is secret without the key.
struct SealedSecret {
  std::string key_id;  // MasterKey::id of the key it was sealed under
  std::string nonce;   // kNonceSize bytes, never used twice under one key
  std::string bytes;   // ciphertext, then kTagSize bytes of tag
};

// What a sealed value is for. Part of the associated data, so the values must never change meaning.
enum class SealPurpose {
  kEndpointSecret,
  kEndpointHeaders,
  kApiKeyAnswer,
};

// The place a sealed value belongs to. A row copied to another place does not open there.
struct SealContext {
  std::string_view org_id;
  std::string_view env_id;      // empty where the value belongs to a whole org
  std::string_view subject_id;  // text of the owner's id, `ep_...` for an endpoint
  int64_t version = 0;          // of the secret, within its owner
  SealPurpose purpose = SealPurpose::kEndpointSecret;
};

// The bytes that bind a sealed value to its context: a format mark, then every field with its
// length before it, so that no two different contexts give the same bytes. Stored data depends on
// the form; a change needs a new mark. Thread-safe.
std::string AssociatedData(const SealContext& context);

// Encrypts and authenticates `plaintext`, and authenticates `associated_data` with it.
// INVALID_ARGUMENT if `nonce` is not kNonceSize bytes or `plaintext` exceeds kMaxSealedPlaintext;
// INTERNAL if OpenSSL fails. Random nonces are safe for 2^32 values under one key (SP 800-38D,
// section 8.3). Thread-safe.
absl::StatusOr<SealedSecret> Seal(const MasterKey& key, std::string_view plaintext,
                                  std::string_view associated_data, std::string_view nonce);

// The plaintext. FAILED_PRECONDITION if `sealed` names another key; DATA_LOSS if it does not
// authenticate: changed, cut, or sealed for another context. The result is a secret: move it into
// SecretBytes or cleanse it. Thread-safe.
absl::StatusOr<std::string> Open(const MasterKey& key, const SealedSecret& sealed,
                                 std::string_view associated_data);

// The master keys of a server: the current one seals, older ones still open what was sealed before
// a change of keys. Immutable, hence thread-safe.
class KeyRing {
 public:
  // INVALID_ARGUMENT if a key is given twice.
  static absl::StatusOr<KeyRing> Create(MasterKey current, std::vector<MasterKey> older);

  const MasterKey& current() const { return keys_.front(); }

  // Seals under the current key with a fresh nonce. Errors as Seal above.
  absl::StatusOr<SealedSecret> Seal(std::string_view plaintext, std::string_view associated_data,
                                    RandomSource random = RandomBytes) const;

  // Opens with the key that `sealed` names. FAILED_PRECONDITION, naming the key's id, if the ring
  // does not hold it; otherwise as Open above.
  absl::StatusOr<std::string> Open(const SealedSecret& sealed,
                                   std::string_view associated_data) const;

  // Whether one of the keys has this id.
  bool Holds(std::string_view key_id) const;

 private:
  explicit KeyRing(std::vector<MasterKey> keys) : keys_(std::move(keys)) {}

  std::vector<MasterKey> keys_;  // never empty; the current key first
};

}  // namespace postrider::security

#endif  // POSTRIDER_SERVER_SECURITY_SEALER_H_

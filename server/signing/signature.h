// Signatures of Standard Webhooks: what goes into the header `webhook-signature`.

#ifndef POSTRIDER_SERVER_SIGNING_SIGNATURE_H_
#define POSTRIDER_SERVER_SIGNING_SIGNATURE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "server/signing/ed25519_key.h"
#include "server/signing/secret.h"

// OpenSSL's EVP_MAC_CTX, named here so that this header does not pull OpenSSL's in.
struct evp_mac_ctx_st;

namespace postrider::signing {

// The most secrets that sign one attempt: the newest and those still in their overlap.
inline constexpr size_t kMaxSigningKeys = 3;

enum class SignatureScheme {
  kHmacSha256,  // `v1`
  kEd25519,     // `v1a`
};

// `v1` or `v1a`: what stands before the comma of a signature.
std::string_view SchemeVersion(SignatureScheme scheme);

// A decoded key; its type says how it signs.
using SigningKey = std::variant<HmacSecret, Ed25519PrivateKey>;

// Reads a secret's text, `whsec_` or `whsk_`. INVALID_ARGUMENT with a sentence that repeats nothing
// of `text`. Thread-safe.
absl::StatusOr<SigningKey> ParseSigningKey(std::string_view text);

// Signs the attempts of one endpoint. The work that depends on the key alone is done once, when the
// signer is made; make a new one when the endpoint's secrets change or one of them expires.
//
// Thread-compatible: Header changes the signer's scratch state. Movable.
class Signer {
 public:
  // One signature per key, in the order given (newest first by convention), each by the key's own
  // scheme. INVALID_ARGUMENT for no key or more than kMaxSigningKeys; INTERNAL if OpenSSL fails.
  static absl::StatusOr<Signer> Create(absl::Span<const SigningKey> keys);

  // The value of `webhook-signature`: the signatures over `webhook_id.unix_seconds.body`, separated
  // by single spaces. `unix_seconds` is the attempt's time, as in `webhook-timestamp`. Empty if
  // OpenSSL fails, which it does only without memory: do not send then.
  std::string Header(std::string_view webhook_id, int64_t unix_seconds, std::string_view body);

 private:
  struct MacDeleter {
    void operator()(evp_mac_ctx_st* context) const;
  };
  using MacContext = std::unique_ptr<evp_mac_ctx_st, MacDeleter>;
  using Key = std::variant<MacContext, Ed25519PrivateKey>;  // the context holds its key

  explicit Signer(std::vector<Key> keys) : keys_(std::move(keys)) {}

  std::vector<Key> keys_;
};

// One signature, `v1,` + base64 of HMAC-SHA256, for callers that sign once. Empty if OpenSSL fails.
// Thread-safe.
std::string SignV1(const HmacSecret& secret, std::string_view webhook_id, int64_t unix_seconds,
                   std::string_view body);

}  // namespace postrider::signing

#endif  // POSTRIDER_SERVER_SIGNING_SIGNATURE_H_

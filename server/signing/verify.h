// The receiving side: what the command line's `verify` and `receive` check.

#ifndef POSTRIDER_SERVER_SIGNING_VERIFY_H_
#define POSTRIDER_SERVER_SIGNING_VERIFY_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "server/signing/ed25519_key.h"
#include "server/signing/secret.h"
#include "server/signing/signature.h"

namespace postrider::signing {

// How far `webhook-timestamp` may lie from the receiver's clock, either way: the value that the
// Standard Webhooks libraries use.
inline constexpr absl::Duration kDefaultTimestampTolerance = absl::Minutes(5);

// A longer `webhook-signature` is refused unread: three signatures of either scheme take under 300.
inline constexpr size_t kMaxSignatureHeaderBytes = 4096;

// What a receiver checks with: the shared secret for `v1`, the public key for `v1a`. Immutable,
// hence thread-safe.
class VerifyingKey {
 public:
  VerifyingKey(HmacSecret secret) : key_(std::move(secret)) {}  // NOLINT: the same key
  VerifyingKey(Ed25519PublicKey key) : key_(std::move(key)) {}  // NOLINT: the same key

  // Reads `whsec_`, `whpk_`, or `whsk_` for its public half. INVALID_ARGUMENT with a sentence that
  // repeats nothing of `text`.
  static absl::StatusOr<VerifyingKey> Parse(std::string_view text);

  SignatureScheme scheme() const;

  // True if any signature in `header` (separated by spaces; other versions are passed over) was
  // made with this key's secret. Where signatures of `v1` differ does not show in the time it
  // takes.
  bool VerifiesAny(std::string_view header, std::string_view webhook_id, int64_t unix_seconds,
                   std::string_view body) const;

 private:
  std::variant<HmacSecret, Ed25519PublicKey> key_;
};

// True if any signature in `header` verifies with any of `keys`; all are tried, so which one it was
// does not show either. False for a header that is too long. Thread-safe.
bool VerifySignatures(std::string_view header, absl::Span<const VerifyingKey> keys,
                      std::string_view webhook_id, int64_t unix_seconds, std::string_view body);

// OK if `unix_seconds` is within `tolerance` of `now`, the bound included; else OUT_OF_RANGE with a
// sentence that says by how much it is too old or too new. Thread-safe.
absl::Status CheckTimestamp(int64_t unix_seconds, absl::Time now,
                            absl::Duration tolerance = kDefaultTimestampTolerance);

// The three headers of a request, as received.
struct SignatureHeaders {
  std::string_view webhook_id;
  std::string_view webhook_timestamp;
  std::string_view webhook_signature;
};

// Checks a received request, and says which check failed:
//   INVALID_ARGUMENT   a header is missing, the timestamp is no decimal number of seconds, or the
//                      signature header is too long or holds no signature that one of the keys
//                      could check
//   OUT_OF_RANGE       the timestamp is outside the tolerance
//   UNAUTHENTICATED    no signature matches: another secret, or id, timestamp or body were changed
// Thread-safe.
absl::Status VerifyRequest(const SignatureHeaders& headers, std::string_view body,
                           absl::Span<const VerifyingKey> keys, absl::Time now,
                           absl::Duration tolerance = kDefaultTimestampTolerance);

}  // namespace postrider::signing

#endif  // POSTRIDER_SERVER_SIGNING_VERIFY_H_

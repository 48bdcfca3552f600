// The receiving side: what the command line's `verify` and `receive` check.

#ifndef POSTRIDER_SERVER_SIGNING_VERIFY_H_
#define POSTRIDER_SERVER_SIGNING_VERIFY_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "server/signing/secret.h"

namespace postrider::signing {

// How far `webhook-timestamp` may lie from the receiver's clock, either way: the value that the
// Standard Webhooks libraries use.
inline constexpr absl::Duration kDefaultTimestampTolerance = absl::Minutes(5);

// A longer `webhook-signature` is refused unread: three signatures of either scheme take under 300.
inline constexpr size_t kMaxSignatureHeaderBytes = 4096;

// True if any `v1` signature in `header` (separated by spaces; other versions are passed over) was
// made with any of `secrets`. The time it takes does not depend on where signatures differ.
// Thread-safe.
bool VerifyV1(std::string_view header, absl::Span<const HmacSecret> secrets,
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
//                      signature header holds no `v1` signature or is too long
//   OUT_OF_RANGE       the timestamp is outside the tolerance
//   UNAUTHENTICATED    no signature matches: another secret, or id, timestamp or body were changed
// Thread-safe.
absl::Status VerifyRequest(const SignatureHeaders& headers, std::string_view body,
                           absl::Span<const HmacSecret> secrets, absl::Time now,
                           absl::Duration tolerance = kDefaultTimestampTolerance);

}  // namespace postrider::signing

#endif  // POSTRIDER_SERVER_SIGNING_VERIFY_H_

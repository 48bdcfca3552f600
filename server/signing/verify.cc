#include "server/signing/verify.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "server/security/secret_bytes.h"
#include "server/signing/signature.h"

namespace postrider::signing {
namespace {

// Only what a sender writes: digits, no sign, no leading zero. Another spelling would have the
// signature checked over another text than was sent.
bool ParseTimestamp(std::string_view text, int64_t* seconds) {
  if (text.empty() || text.front() < '1' || text.front() > '9') return false;
  const char* const end = text.data() + text.size();
  const std::from_chars_result read = std::from_chars(text.data(), end, *seconds);
  return read.ec == std::errc() && read.ptr == end;
}

// Takes the part up to the next space off the front of `rest`.
std::string_view NextSignature(std::string_view* rest) {
  const std::string_view signature = rest->substr(0, rest->find(' '));
  rest->remove_prefix(std::min(signature.size() + 1, rest->size()));
  return signature;
}

bool HasV1(std::string_view header) {
  while (!header.empty()) {
    if (NextSignature(&header).starts_with("v1,")) return true;
  }
  return false;
}

}  // namespace

bool VerifyV1(std::string_view header, absl::Span<const HmacSecret> secrets,
              std::string_view webhook_id, int64_t unix_seconds, std::string_view body) {
  if (header.size() > kMaxSignatureHeaderBytes) return false;
  bool matched = false;
  for (const HmacSecret& secret : secrets) {
    const std::string expected = SignV1(secret, webhook_id, unix_seconds, body);
    if (expected.empty()) continue;
    for (std::string_view rest = header; !rest.empty();) {
      // No early way out: which secret or signature matched stays out of the timing as well.
      matched |= security::ConstantTimeEquals(NextSignature(&rest), expected);
    }
  }
  return matched;
}

absl::Status CheckTimestamp(int64_t unix_seconds, absl::Time now, absl::Duration tolerance) {
  const absl::Duration age = now - absl::FromUnixSeconds(unix_seconds);
  if (age > tolerance) {
    return absl::OutOfRangeError(absl::StrCat("webhook-timestamp is ", absl::FormatDuration(age),
                                              " old, more than the ",
                                              absl::FormatDuration(tolerance), " allowed"));
  }
  if (-age > tolerance) {
    return absl::OutOfRangeError(absl::StrCat("webhook-timestamp is ", absl::FormatDuration(-age),
                                              " in the future, more than the ",
                                              absl::FormatDuration(tolerance), " allowed"));
  }
  return absl::OkStatus();
}

absl::Status VerifyRequest(const SignatureHeaders& headers, std::string_view body,
                           absl::Span<const HmacSecret> secrets, absl::Time now,
                           absl::Duration tolerance) {
  if (headers.webhook_id.empty()) {
    return absl::InvalidArgumentError("the header webhook-id is missing");
  }
  if (headers.webhook_timestamp.empty()) {
    return absl::InvalidArgumentError("the header webhook-timestamp is missing");
  }
  if (headers.webhook_signature.empty()) {
    return absl::InvalidArgumentError("the header webhook-signature is missing");
  }
  int64_t unix_seconds = 0;
  if (!ParseTimestamp(headers.webhook_timestamp, &unix_seconds)) {
    return absl::InvalidArgumentError("webhook-timestamp is not a number of seconds since 1970");
  }
  if (headers.webhook_signature.size() > kMaxSignatureHeaderBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("webhook-signature is longer than ", kMaxSignatureHeaderBytes, " bytes"));
  }
  if (!HasV1(headers.webhook_signature)) {
    return absl::InvalidArgumentError("webhook-signature holds no v1 signature");
  }
  if (absl::Status status = CheckTimestamp(unix_seconds, now, tolerance); !status.ok()) {
    return status;
  }
  if (!VerifyV1(headers.webhook_signature, secrets, headers.webhook_id, unix_seconds, body)) {
    return absl::UnauthenticatedError(
        "no signature matches: the secret is another one, or the id, timestamp or body were "
        "changed on the way");
  }
  return absl::OkStatus();
}

}  // namespace postrider::signing

#include "server/signing/verify.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "server/security/base64.h"
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

bool HasVersion(std::string_view header, std::string_view version) {
  while (!header.empty()) {
    const std::string_view signature = NextSignature(&header);
    if (signature.starts_with(version) && signature.substr(version.size()).starts_with(",")) {
      return true;
    }
  }
  return false;
}

bool AnyIsHmac(const HmacSecret& secret, std::string_view header, std::string_view webhook_id,
               int64_t unix_seconds, std::string_view body) {
  const std::string expected = SignV1(secret, webhook_id, unix_seconds, body);
  bool matched = false;
  while (!expected.empty() && !header.empty()) {
    // No early way out: which signature matched stays out of the timing as well.
    matched |= security::ConstantTimeEquals(NextSignature(&header), expected);
  }
  return matched;
}

bool AnyIsEd25519(const Ed25519PublicKey& key, std::string_view header, std::string_view webhook_id,
                  int64_t unix_seconds, std::string_view body) {
  constexpr std::string_view kVersion = "v1a,";
  std::string message(webhook_id);
  absl::StrAppend(&message, ".", unix_seconds, ".");
  message.append(body);
  while (!header.empty()) {
    const std::string_view signature = NextSignature(&header);
    if (!signature.starts_with(kVersion)) continue;
    const auto bytes = security::DecodeBase64(signature.substr(kVersion.size()));
    if (bytes.has_value() && key.Verifies(bytes->view(), message)) return true;
  }
  return false;
}

// OK if a signature is of a version that a key can check.
absl::Status CheckVersions(std::string_view header, absl::Span<const VerifyingKey> keys) {
  std::string wanted;
  for (SignatureScheme scheme : {SignatureScheme::kHmacSha256, SignatureScheme::kEd25519}) {
    const bool checkable =
        keys.empty() || std::any_of(keys.begin(), keys.end(), [scheme](const VerifyingKey& key) {
          return key.scheme() == scheme;
        });
    if (!checkable) continue;
    const std::string version(SchemeVersion(scheme));
    if (HasVersion(header, version)) return absl::OkStatus();
    absl::StrAppend(&wanted, wanted.empty() ? "" : " or ", version);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("webhook-signature holds no ", wanted, " signature"));
}

}  // namespace

absl::StatusOr<VerifyingKey> VerifyingKey::Parse(std::string_view text) {
  if (text.starts_with(kEd25519PublicPrefix)) {
    absl::StatusOr<Ed25519PublicKey> key = Ed25519PublicKey::Parse(text);
    if (!key.ok()) return key.status();
    return VerifyingKey(*std::move(key));
  }
  if (text.starts_with(kEd25519SecretPrefix)) {
    absl::StatusOr<Ed25519PrivateKey> key = Ed25519PrivateKey::Parse(text);
    if (!key.ok()) return key.status();
    return VerifyingKey(key->public_key());
  }
  if (!text.starts_with(kHmacSecretPrefix)) {
    return absl::InvalidArgumentError("a key to verify with begins with whsec_ or whpk_");
  }
  absl::StatusOr<HmacSecret> secret = ParseHmacSecret(text);
  if (!secret.ok()) return secret.status();
  return VerifyingKey(*std::move(secret));
}

SignatureScheme VerifyingKey::scheme() const {
  return std::holds_alternative<HmacSecret>(key_) ? SignatureScheme::kHmacSha256
                                                  : SignatureScheme::kEd25519;
}

bool VerifyingKey::VerifiesAny(std::string_view header, std::string_view webhook_id,
                               int64_t unix_seconds, std::string_view body) const {
  if (const auto* secret = std::get_if<HmacSecret>(&key_)) {
    return AnyIsHmac(*secret, header, webhook_id, unix_seconds, body);
  }
  return AnyIsEd25519(std::get<Ed25519PublicKey>(key_), header, webhook_id, unix_seconds, body);
}

bool VerifySignatures(std::string_view header, absl::Span<const VerifyingKey> keys,
                      std::string_view webhook_id, int64_t unix_seconds, std::string_view body) {
  if (header.size() > kMaxSignatureHeaderBytes) return false;
  bool matched = false;
  for (const VerifyingKey& key : keys) {
    matched |= key.VerifiesAny(header, webhook_id, unix_seconds, body);
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
                           absl::Span<const VerifyingKey> keys, absl::Time now,
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
  if (absl::Status status = CheckVersions(headers.webhook_signature, keys); !status.ok()) {
    return status;
  }
  if (absl::Status status = CheckTimestamp(unix_seconds, now, tolerance); !status.ok()) {
    return status;
  }
  if (!VerifySignatures(headers.webhook_signature, keys, headers.webhook_id, unix_seconds, body)) {
    return absl::UnauthenticatedError(
        "no signature matches: the secret is another one, or the id, timestamp or body were "
        "changed on the way");
  }
  return absl::OkStatus();
}

}  // namespace postrider::signing

#include "server/signing/secret.h"

#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/security/base64.h"

namespace postrider::signing {
namespace {

absl::Status WrongSize() {
  return absl::InvalidArgumentError(absl::StrCat("a signing secret holds ", kMinHmacSecretBytes,
                                                 " to ", kMaxHmacSecretBytes, " bytes"));
}

}  // namespace

absl::StatusOr<HmacSecret> ParseHmacSecret(std::string_view text) {
  if (!text.starts_with(kHmacSecretPrefix)) {
    return absl::InvalidArgumentError("a signing secret begins with whsec_");
  }
  const std::string_view encoded = text.substr(kHmacSecretPrefix.size());
  // Checked first: the decoder refuses what is too large without telling it from what is malformed.
  if (encoded.size() > (kMaxHmacSecretBytes + 2) / 3 * 4) return WrongSize();
  const std::optional<security::SecretBytes> bytes = security::DecodeBase64(encoded);
  if (!bytes.has_value()) {
    // 65 and 66 bytes fill the same number of characters as 64.
    return absl::InvalidArgumentError(
        absl::StrCat("a signing secret is whsec_ and canonical base64 of ", kMinHmacSecretBytes,
                     " to ", kMaxHmacSecretBytes, " bytes"));
  }
  if (bytes->size() < kMinHmacSecretBytes || bytes->size() > kMaxHmacSecretBytes) {
    return WrongSize();
  }
  return HmacSecret(*bytes);
}

std::string FormatHmacSecret(std::string_view bytes) {
  std::string encoded = security::EncodeBase64(bytes);
  std::string text(kHmacSecretPrefix);
  text.reserve(text.size() + encoded.size());
  text.append(encoded);
  security::Cleanse(encoded.data(), encoded.size());
  return text;
}

std::string GenerateHmacSecret(security::RandomSource random) {
  std::string bytes = random(kNewHmacSecretBytes);
  std::string text = FormatHmacSecret(bytes);
  security::Cleanse(bytes.data(), bytes.size());
  return text;
}

}  // namespace postrider::signing

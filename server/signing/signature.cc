#include "server/signing/signature.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include <array>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/security/base64.h"

namespace postrider::signing {
namespace {

constexpr size_t kMacSize = 32;        // bytes of HMAC-SHA256
constexpr size_t kSignatureSize = 47;  // characters of `v1,` and the MAC's base64

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// Fetched once and kept for the life of the process: a fetch costs more than a signature.
EVP_MAC* HmacAlgorithm() {
  static EVP_MAC* const algorithm = EVP_MAC_fetch(nullptr, OSSL_MAC_NAME_HMAC, nullptr);
  return algorithm;
}

bool SetHmacKey(EVP_MAC_CTX* context, std::string_view key) {
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end(),
  };
  return EVP_MAC_init(context, Bytes(key), key.size(), parameters) == 1;
}

// Restarts with the key of the last init (a null key keeps it), so its schedule is not done again.
bool ComputeHmac(EVP_MAC_CTX* context, std::string_view head, std::string_view body,
                 std::array<unsigned char, kMacSize>& mac) {
  size_t written = 0;
  return EVP_MAC_init(context, nullptr, 0, nullptr) == 1 &&
         EVP_MAC_update(context, Bytes(head), head.size()) == 1 &&
         EVP_MAC_update(context, Bytes(body), body.size()) == 1 &&
         EVP_MAC_final(context, mac.data(), &written, mac.size()) == 1 && written == kMacSize;
}

}  // namespace

std::string_view SchemeVersion(SignatureScheme scheme) {
  switch (scheme) {
    case SignatureScheme::kHmacSha256:
      return "v1";
    case SignatureScheme::kEd25519:
      return "v1a";
  }
  return "";
}

void Signer::MacDeleter::operator()(evp_mac_ctx_st* context) const { EVP_MAC_CTX_free(context); }

absl::StatusOr<Signer> Signer::Create(absl::Span<const SigningKey> keys) {
  if (keys.empty() || keys.size() > kMaxSigningKeys) {
    return absl::InvalidArgumentError(absl::StrCat("an attempt is signed with 1 to ",
                                                   kMaxSigningKeys, " keys, not ", keys.size()));
  }
  std::vector<Key> made;
  made.reserve(keys.size());
  for (const SigningKey& key : keys) {
    switch (key.scheme) {
      case SignatureScheme::kHmacSha256: {
        if (key.bytes.size() < kMinHmacSecretBytes || key.bytes.size() > kMaxHmacSecretBytes) {
          return absl::InvalidArgumentError(absl::StrCat("an HMAC key holds ", kMinHmacSecretBytes,
                                                         " to ", kMaxHmacSecretBytes, " bytes"));
        }
        MacContext mac(HmacAlgorithm() == nullptr ? nullptr : EVP_MAC_CTX_new(HmacAlgorithm()));
        if (mac == nullptr || !SetHmacKey(mac.get(), key.bytes.view())) {
          return absl::InternalError("OpenSSL has no usable HMAC-SHA256");
        }
        made.push_back(Key{key.scheme, std::move(mac)});
        break;
      }
      case SignatureScheme::kEd25519:
        return absl::UnimplementedError("Ed25519 signatures are not implemented yet");
    }
  }
  return Signer(std::move(made));
}

std::string Signer::Header(std::string_view webhook_id, int64_t unix_seconds,
                           std::string_view body) {
  std::string head(webhook_id);
  absl::StrAppend(&head, ".", unix_seconds, ".");
  std::string header;
  header.reserve(keys_.size() * (kSignatureSize + 1));
  for (Key& key : keys_) {
    std::array<unsigned char, kMacSize> mac;
    if (!ComputeHmac(key.mac.get(), head, body, mac)) return "";
    if (!header.empty()) header.push_back(' ');
    header.append(SchemeVersion(key.scheme));
    header.push_back(',');
    header.append(security::EncodeBase64(
        std::string_view(reinterpret_cast<const char*>(mac.data()), mac.size())));
  }
  return header;
}

std::string SignV1(const HmacSecret& secret, std::string_view webhook_id, int64_t unix_seconds,
                   std::string_view body) {
  absl::StatusOr<Signer> signer = Signer::Create({SigningKey(secret)});
  if (!signer.ok()) return "";
  return signer->Header(webhook_id, unix_seconds, body);
}

}  // namespace postrider::signing

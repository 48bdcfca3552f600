#include "server/signing/signature.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/security/base64.h"

namespace postrider::signing {
namespace {

constexpr size_t kMacSize = 32;           // bytes of HMAC-SHA256
constexpr size_t kLongestSignature = 92;  // characters of `v1a,` and base64 of 64 bytes

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
// Empty if OpenSSL fails.
std::string ComputeHmac(EVP_MAC_CTX* context, std::string_view head, std::string_view body) {
  std::string mac(kMacSize, '\0');
  size_t written = 0;
  if (EVP_MAC_init(context, nullptr, 0, nullptr) != 1 ||
      EVP_MAC_update(context, Bytes(head), head.size()) != 1 ||
      EVP_MAC_update(context, Bytes(body), body.size()) != 1 ||
      EVP_MAC_final(context, reinterpret_cast<unsigned char*>(mac.data()), &written, mac.size()) !=
          1 ||
      written != kMacSize) {
    return "";
  }
  return mac;
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

absl::StatusOr<SigningKey> ParseSigningKey(std::string_view text) {
  if (text.starts_with(kEd25519SecretPrefix)) {
    absl::StatusOr<Ed25519PrivateKey> key = Ed25519PrivateKey::Parse(text);
    if (!key.ok()) return key.status();
    return SigningKey(*std::move(key));
  }
  absl::StatusOr<HmacSecret> secret = ParseHmacSecret(text);
  if (!secret.ok()) return secret.status();
  return SigningKey(*std::move(secret));
}

absl::StatusOr<Signer> Signer::Create(absl::Span<const SigningKey> keys) {
  if (keys.empty() || keys.size() > kMaxSigningKeys) {
    return absl::InvalidArgumentError(absl::StrCat("an attempt is signed with 1 to ",
                                                   kMaxSigningKeys, " keys, not ", keys.size()));
  }
  std::vector<Key> made;
  made.reserve(keys.size());
  for (const SigningKey& key : keys) {
    if (const auto* ed25519 = std::get_if<Ed25519PrivateKey>(&key)) {
      made.emplace_back(*ed25519);
      continue;
    }
    MacContext mac(HmacAlgorithm() == nullptr ? nullptr : EVP_MAC_CTX_new(HmacAlgorithm()));
    if (mac == nullptr || !SetHmacKey(mac.get(), std::get<HmacSecret>(key).bytes())) {
      return absl::InternalError("OpenSSL has no usable HMAC-SHA256");
    }
    made.emplace_back(std::move(mac));
  }
  return Signer(std::move(made));
}

std::string Signer::Header(std::string_view webhook_id, int64_t unix_seconds,
                           std::string_view body) {
  std::string head(webhook_id);
  absl::StrAppend(&head, ".", unix_seconds, ".");
  std::string whole;  // Ed25519 takes the message in one piece
  std::string header;
  header.reserve(keys_.size() * (kLongestSignature + 1));
  for (const Key& key : keys_) {
    SignatureScheme scheme = SignatureScheme::kHmacSha256;
    std::string signature;
    if (const auto* mac = std::get_if<MacContext>(&key)) {
      signature = ComputeHmac(mac->get(), head, body);
    } else {
      scheme = SignatureScheme::kEd25519;
      if (whole.empty()) whole.append(head).append(body);
      signature = std::get<Ed25519PrivateKey>(key).Sign(whole);
    }
    if (signature.empty()) return "";
    if (!header.empty()) header.push_back(' ');
    header.append(SchemeVersion(scheme));
    header.push_back(',');
    header.append(security::EncodeBase64(signature));
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

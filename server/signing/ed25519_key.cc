#include "server/signing/ed25519_key.h"

#include <openssl/evp.h>

#include <array>
#include <cstdlib>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/security/base64.h"

namespace postrider::signing {
namespace {

using Context = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// Empty if OpenSSL fails.
std::string PublicBytes(const EVP_PKEY* key) {
  std::string bytes(kEd25519PublicKeyBytes, '\0');
  size_t size = bytes.size();
  if (EVP_PKEY_get_raw_public_key(key, reinterpret_cast<unsigned char*>(bytes.data()), &size) !=
          1 ||
      size != bytes.size()) {
    return "";
  }
  return bytes;
}

}  // namespace

absl::StatusOr<Ed25519PublicKey> Ed25519PublicKey::Parse(std::string_view text) {
  if (!text.starts_with(kEd25519PublicPrefix)) {
    return absl::InvalidArgumentError("an Ed25519 public key begins with whpk_");
  }
  const std::optional<security::SecretBytes> bytes =
      security::DecodeBase64(text.substr(kEd25519PublicPrefix.size()));
  if (!bytes.has_value() || bytes->size() != kEd25519PublicKeyBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("an Ed25519 public key is whpk_ and canonical base64 of ",
                     kEd25519PublicKeyBytes, " bytes"));
  }
  std::shared_ptr<EVP_PKEY> key(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, Bytes(bytes->view()), bytes->size()),
      EVP_PKEY_free);
  if (key == nullptr) return absl::InternalError("OpenSSL has no usable Ed25519");
  return Ed25519PublicKey(std::move(key));
}

std::string Ed25519PublicKey::ToText() const {
  return absl::StrCat(std::string(kEd25519PublicPrefix),
                      security::EncodeBase64(PublicBytes(key_.get())));
}

bool Ed25519PublicKey::Verifies(std::string_view signature, std::string_view message) const {
  const Context context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  return signature.size() == kEd25519SignatureBytes && context != nullptr &&
         EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1 &&
         EVP_DigestVerify(context.get(), Bytes(signature), signature.size(), Bytes(message),
                          message.size()) == 1;
}

std::shared_ptr<evp_pkey_st> Ed25519PrivateKey::KeyOfSeed(std::string_view seed) {
  return std::shared_ptr<EVP_PKEY>(
      EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, Bytes(seed), seed.size()),
      EVP_PKEY_free);
}

absl::StatusOr<Ed25519PrivateKey> Ed25519PrivateKey::Parse(std::string_view text) {
  if (!text.starts_with(kEd25519SecretPrefix)) {
    return absl::InvalidArgumentError("an Ed25519 secret begins with whsk_");
  }
  const std::optional<security::SecretBytes> bytes =
      security::DecodeBase64(text.substr(kEd25519SecretPrefix.size()));
  if (!bytes.has_value() ||
      (bytes->size() != kEd25519PrivateKeyBytes && bytes->size() != kEd25519SeedBytes)) {
    return absl::InvalidArgumentError(
        absl::StrCat("an Ed25519 secret is whsk_ and canonical base64 of ", kEd25519PrivateKeyBytes,
                     " bytes, the seed and the public key, or of the seed's ", kEd25519SeedBytes));
  }
  std::shared_ptr<EVP_PKEY> key = KeyOfSeed(bytes->view().substr(0, kEd25519SeedBytes));
  if (key == nullptr) return absl::InternalError("OpenSSL has no usable Ed25519");
  if (bytes->size() == kEd25519PrivateKeyBytes &&
      PublicBytes(key.get()) != bytes->view().substr(kEd25519SeedBytes)) {
    return absl::InvalidArgumentError(
        "the public key in this Ed25519 secret does not belong to its seed");
  }
  return Ed25519PrivateKey(std::move(key));
}

Ed25519PrivateKey Ed25519PrivateKey::Generate(security::RandomSource random) {
  std::string seed = random(kEd25519SeedBytes);
  std::shared_ptr<EVP_PKEY> key = KeyOfSeed(seed);
  security::Cleanse(seed.data(), seed.size());
  // As with randomness: there is no going on without keys.
  if (key == nullptr) std::abort();
  return Ed25519PrivateKey(std::move(key));
}

std::string Ed25519PrivateKey::ToText() const {
  std::string bytes(kEd25519PrivateKeyBytes, '\0');
  size_t size = kEd25519SeedBytes;
  EVP_PKEY_get_raw_private_key(key_.get(), reinterpret_cast<unsigned char*>(bytes.data()), &size);
  bytes.replace(kEd25519SeedBytes, kEd25519PublicKeyBytes, PublicBytes(key_.get()));
  std::string encoded = security::EncodeBase64(bytes);
  security::Cleanse(bytes.data(), bytes.size());
  std::string text(kEd25519SecretPrefix);
  text.reserve(text.size() + encoded.size());
  text.append(encoded);
  security::Cleanse(encoded.data(), encoded.size());
  return text;
}

std::string Ed25519PrivateKey::Sign(std::string_view message) const {
  const Context context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  std::string signature(kEd25519SignatureBytes, '\0');
  size_t size = signature.size();
  if (context == nullptr ||
      EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()) != 1 ||
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                     Bytes(message), message.size()) != 1 ||
      size != signature.size()) {
    return "";
  }
  return signature;
}

}  // namespace postrider::signing

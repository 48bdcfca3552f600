#include "server/security/sealer.h"

#include <openssl/evp.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/security/secret_bytes.h"

namespace postrider::security {
namespace {

struct CipherContextDeleter {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, CipherContextDeleter>;

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* Bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

std::string_view PurposeName(SealPurpose purpose) {
  switch (purpose) {
    case SealPurpose::kEndpointSecret:
      return "endpoint-secret";
    case SealPurpose::kApiKeyAnswer:
      return "api-key-answer";
    case SealPurpose::kEndpointHeaders:
      return "endpoint-headers";
  }
  return "unknown";
}

void AppendField(std::string_view field, std::string& out) {
  const uint32_t size = static_cast<uint32_t>(field.size());
  for (int shift = 24; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>((size >> shift) & 0xff));
  }
  out.append(field);
}

}  // namespace

std::string AssociatedData(const SealContext& context) {
  std::string out = "postrider-seal-1";
  AppendField(PurposeName(context.purpose), out);
  AppendField(context.org_id, out);
  AppendField(context.env_id, out);
  AppendField(context.subject_id, out);
  AppendField(absl::StrCat(context.version), out);
  return out;
}

absl::StatusOr<SealedSecret> Seal(const MasterKey& key, std::string_view plaintext,
                                  std::string_view associated_data, std::string_view nonce) {
  if (nonce.size() != kNonceSize) {
    return absl::InvalidArgumentError(
        absl::StrCat("a nonce is ", kNonceSize, " bytes, not ", nonce.size()));
  }
  if (plaintext.size() > kMaxSealedPlaintext) {
    return absl::InvalidArgumentError(absl::StrCat("at most ", kMaxSealedPlaintext,
                                                   " bytes can be sealed, not ", plaintext.size()));
  }
  SealedSecret sealed{key.id(), std::string(nonce), std::string(plaintext.size() + kTagSize, '\0')};
  CipherContext context(EVP_CIPHER_CTX_new());
  int written = 0;
  int finished = 0;
  if (context == nullptr ||
      EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, Bytes(key.bytes()),
                         Bytes(nonce)) != 1 ||
      EVP_EncryptUpdate(context.get(), nullptr, &written, Bytes(associated_data),
                        static_cast<int>(associated_data.size())) != 1 ||
      EVP_EncryptUpdate(context.get(), Bytes(sealed.bytes), &written, Bytes(plaintext),
                        static_cast<int>(plaintext.size())) != 1 ||
      EVP_EncryptFinal_ex(context.get(), Bytes(sealed.bytes) + written, &finished) != 1 ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, kTagSize,
                          Bytes(sealed.bytes) + plaintext.size()) != 1) {
    return absl::InternalError("sealing failed");
  }
  return sealed;
}

absl::StatusOr<std::string> Open(const MasterKey& key, const SealedSecret& sealed,
                                 std::string_view associated_data) {
  if (sealed.key_id != key.id()) {
    return absl::FailedPreconditionError(
        absl::StrCat("sealed under another master key than ", key.id()));
  }
  if (sealed.nonce.size() != kNonceSize || sealed.bytes.size() < kTagSize ||
      sealed.bytes.size() > kMaxSealedPlaintext + kTagSize) {
    return absl::DataLossError("the sealed value has an impossible size");
  }
  const std::string_view ciphertext =
      std::string_view(sealed.bytes).substr(0, sealed.bytes.size() - kTagSize);
  std::string tag = sealed.bytes.substr(ciphertext.size());
  std::string plaintext(ciphertext.size(), '\0');
  CipherContext context(EVP_CIPHER_CTX_new());
  int written = 0;
  int finished = 0;
  if (context == nullptr ||
      EVP_DecryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, Bytes(key.bytes()),
                         Bytes(sealed.nonce)) != 1 ||
      EVP_DecryptUpdate(context.get(), nullptr, &written, Bytes(associated_data),
                        static_cast<int>(associated_data.size())) != 1 ||
      EVP_DecryptUpdate(context.get(), Bytes(plaintext), &written, Bytes(ciphertext),
                        static_cast<int>(ciphertext.size())) != 1 ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, kTagSize, tag.data()) != 1 ||
      EVP_DecryptFinal_ex(context.get(), Bytes(plaintext) + written, &finished) != 1) {
    // GCM decrypts before it authenticates: what was written must not outlive the refusal.
    Cleanse(plaintext.data(), plaintext.size());
    return absl::DataLossError(
        "the sealed value does not authenticate: it was changed, or belongs to another row");
  }
  return plaintext;
}

absl::StatusOr<KeyRing> KeyRing::Create(MasterKey current, std::vector<MasterKey> older) {
  std::vector<MasterKey> keys;
  keys.reserve(1 + older.size());
  keys.push_back(std::move(current));
  for (MasterKey& key : older) {
    for (const MasterKey& known : keys) {
      if (known.id() == key.id()) {
        return absl::InvalidArgumentError(
            absl::StrCat("master key ", key.id(), " is given more than once"));
      }
    }
    keys.push_back(std::move(key));
  }
  return KeyRing(std::move(keys));
}

bool KeyRing::Holds(std::string_view key_id) const {
  return std::any_of(keys_.begin(), keys_.end(),
                     [key_id](const MasterKey& key) { return key.id() == key_id; });
}

absl::StatusOr<SealedSecret> KeyRing::Seal(std::string_view plaintext,
                                           std::string_view associated_data,
                                           RandomSource random) const {
  return security::Seal(current(), plaintext, associated_data, random(kNonceSize));
}

absl::StatusOr<std::string> KeyRing::Open(const SealedSecret& sealed,
                                          std::string_view associated_data) const {
  for (const MasterKey& key : keys_) {
    if (key.id() == sealed.key_id) return security::Open(key, sealed, associated_data);
  }
  return absl::FailedPreconditionError(
      absl::StrCat("sealed under master key ", sealed.key_id, ", which this server does not hold"));
}

}  // namespace postrider::security

#include "server/security/secret_bytes.h"

#include <openssl/crypto.h>

#include <algorithm>

namespace postrider::security {

SecretBytes::SecretBytes(std::string_view bytes) {
  if (bytes.size() > kMaxSize) return;
  std::copy(bytes.begin(), bytes.end(), bytes_.begin());
  size_ = bytes.size();
}

SecretBytes::SecretBytes(const SecretBytes& other) : SecretBytes(other.view()) {}

SecretBytes& SecretBytes::operator=(const SecretBytes& other) {
  if (this == &other) return *this;
  Cleanse(bytes_.data(), bytes_.size());
  std::copy(other.bytes_.begin(), other.bytes_.end(), bytes_.begin());
  size_ = other.size_;
  return *this;
}

SecretBytes::~SecretBytes() { Cleanse(bytes_.data(), bytes_.size()); }

void Cleanse(void* data, size_t size) { OPENSSL_cleanse(data, size); }

bool ConstantTimeEquals(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  return a.empty() || CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace postrider::security

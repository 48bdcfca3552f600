// Key material in memory.

#ifndef POSTRIDER_SERVER_SECURITY_SECRET_BYTES_H_
#define POSTRIDER_SERVER_SECURITY_SECRET_BYTES_H_

#include <array>
#include <cstddef>
#include <ostream>
#include <string_view>

namespace postrider::security {

// Up to kMaxSize bytes of a key, held in place (never on the heap, where a reallocation would leave
// a copy behind) and overwritten when the object is destroyed or assigned. There is deliberately no
// way to print one and no operator==: compare with ConstantTimeEquals.
//
// Thread-compatible.
class SecretBytes {
 public:
  // The largest key in use: an HMAC secret brought by a caller, or an Ed25519 private key with its
  // public half.
  static constexpr size_t kMaxSize = 64;

  SecretBytes() = default;

  // Copies `bytes`; the caller cleanses its own copy. What does not fit in kMaxSize would be a
  // truncated key, so it yields an empty object instead.
  explicit SecretBytes(std::string_view bytes);

  SecretBytes(const SecretBytes& other);
  SecretBytes& operator=(const SecretBytes& other);
  ~SecretBytes();

  // Valid for as long as the object lives and is not assigned to.
  std::string_view view() const { return std::string_view(bytes_.data(), size_); }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  friend std::ostream& operator<<(std::ostream&, const SecretBytes&) = delete;

 private:
  std::array<char, kMaxSize> bytes_{};
  size_t size_ = 0;
};

// Overwrites `size` bytes in a way that the optimiser keeps.
void Cleanse(void* data, size_t size);

// True if both hold the same bytes. The time depends on the sizes only, which are no secret.
bool ConstantTimeEquals(std::string_view a, std::string_view b);

}  // namespace postrider::security

#endif  // POSTRIDER_SERVER_SECURITY_SECRET_BYTES_H_

// Strict base64 for keys. Abseil's decoder is lenient (it skips whitespace, takes missing padding
// and stray bits), so two texts could name one key; and it leaves copies of the key on the heap.

#ifndef POSTRIDER_SERVER_SECURITY_BASE64_H_
#define POSTRIDER_SERVER_SECURITY_BASE64_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "server/security/secret_bytes.h"

namespace postrider::security {

// The bytes that `text` encodes, if it is canonical base64 (RFC 4648 section 4: the standard
// alphabet, padding present, unused bits zero, nothing else) of at most SecretBytes::kMaxSize
// bytes. Thread-safe.
std::optional<SecretBytes> DecodeBase64(std::string_view text);

// Canonical base64 of `bytes`, with padding. Thread-safe.
std::string EncodeBase64(std::string_view bytes);

}  // namespace postrider::security

#endif  // POSTRIDER_SERVER_SECURITY_BASE64_H_

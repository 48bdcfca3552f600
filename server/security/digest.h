// SHA-256, for telling contents apart.

#ifndef POSTRIDER_SERVER_SECURITY_DIGEST_H_
#define POSTRIDER_SERVER_SECURITY_DIGEST_H_

#include <initializer_list>
#include <string>
#include <string_view>

namespace postrider::security {

// 32 bytes: the digest of the parts one behind the other. Thread-safe.
std::string Sha256(std::initializer_list<std::string_view> parts);

}  // namespace postrider::security

#endif  // POSTRIDER_SERVER_SECURITY_DIGEST_H_

// Where unpredictable bytes come from.

#ifndef POSTRIDER_SERVER_SECURITY_RANDOM_H_
#define POSTRIDER_SERVER_SECURITY_RANDOM_H_

#include <cstddef>
#include <string>

#include "absl/functional/function_ref.h"

namespace postrider::security {

// Gives exactly the number of bytes it is asked for. What makes keys and nonces takes one as an
// argument, so that tests can fix the bytes; production passes RandomBytes.
using RandomSource = absl::FunctionRef<std::string(size_t)>;

// `size` bytes from OpenSSL's generator, fit for keys. Aborts the process when the generator fails:
// to go on without randomness would be to go on without secrets. Thread-safe.
std::string RandomBytes(size_t size);

}  // namespace postrider::security

#endif  // POSTRIDER_SERVER_SECURITY_RANDOM_H_

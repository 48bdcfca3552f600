#include "server/security/random.h"

#include <openssl/rand.h>

#include <cstdio>
#include <cstdlib>
#include <limits>

namespace postrider::security {

std::string RandomBytes(size_t size) {
  std::string bytes(size, '\0');
  if (size == 0) return bytes;
  if (size > static_cast<size_t>(std::numeric_limits<int>::max()) ||
      RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(size)) != 1) {
    std::fputs("postrider: the random number generator failed\n", stderr);
    std::abort();
  }
  return bytes;
}

}  // namespace postrider::security

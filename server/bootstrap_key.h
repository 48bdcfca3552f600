// The first key of an installation, for whoever starts it without a loopback address or a socket.

#pragma once

#include <string>

#include "absl/status/status.h"
#include "storage/api_key_store.h"

namespace postrider {

// While there has never been a key: makes one with scope ADMIN and id `id` for the whole
// installation, its text in `path` with mode 0600. A file that is there already is kept and its key
// taken, so a crash between the two is mended by the next start, and several servers may be given
// one file. Once there is a key, nothing is written. FAILED_PRECONDITION: the file is no key, or
// cannot be read or written.
absl::Status WriteBootstrapKey(const std::string& path, ApiKeyId id, ApiKeyStore& keys);

}  // namespace postrider

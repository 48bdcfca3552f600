// The master keys of this server: where they come from, whether they open what is stored, and the
// change from one to another.

#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/config/config.h"
#include "server/security/sealer.h"
#include "storage/postgres/embedded/data_dir.h"
#include "storage/sealed_store.h"

namespace postrider {

// The keys that the configuration names, the current one first. Where it names no current one, that
// is the data folder's, made when it has none; null will do where it names one, as it must beside a
// database. FAILED_PRECONDITION: a file cannot be read or holds no key.
absl::StatusOr<security::KeyRing> ReadMasterKeys(const config::Config& config,
                                                 embedded::DataDir* data_dir);

// OK if the ring holds every key that something is sealed under. FAILED_PRECONDITION names the one
// that is missing. Also logs how much is still under older keys.
absl::Status CheckMasterKeys(SealedStore& store, const security::KeyRing& keys);

struct Resealed {
  int64_t values = 0;      // now under the current key
  int64_t unreadable = 0;  // do not open: of each the log has a line
};

// Seals everything anew that is under an older key. Servers may run meanwhile, and the call may be
// repeated after an error.
absl::StatusOr<Resealed> Reseal(SealedStore& store, const security::KeyRing& keys);

// `postriderd --reseal`: opens the database that the configuration names, a private PostgreSQL by
// starting it, and seals everything anew. OK, with what was done as a sentence, only when nothing
// is left under another key.
absl::StatusOr<std::string> RunReseal(const config::Config& config);

}  // namespace postrider

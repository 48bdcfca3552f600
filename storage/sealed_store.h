// Everything that is sealed under a master key, whatever it belongs to: for a change of keys.

#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/model/records.h"

namespace postrider {

enum class SealedKind { kSecret, kHeaders, kApiKeyAnswer };

struct SealedValue {
  Ulid owner;  // of an endpoint, or of an API key
  Tenant tenant;
  int32_t version = 0;  // of a secret
  SealedBytes sealed;
};

// Thread-compatible. Errors: session.h.
class SealedStore {
 public:
  virtual ~SealedStore() = default;

  // How many values are sealed under which master key, by its id.
  virtual absl::StatusOr<std::map<std::string, int64_t>> KeyIds() = 0;

  // Values that are not under `key_id`, in a fixed order: those behind `after` (its owner and
  // version; a default one is in front of all), at most `limit`.
  virtual absl::StatusOr<std::vector<SealedValue>> NotUnder(SealedKind kind,
                                                            const std::string& key_id,
                                                            const SealedValue& after,
                                                            int32_t limit) = 0;

  // Puts `sealed` in the place of `value.sealed`. False: that is no longer what is stored, and
  // nothing was changed.
  virtual absl::StatusOr<bool> Replace(SealedKind kind, const SealedValue& value,
                                       const SealedBytes& sealed) = 0;
};

}  // namespace postrider

// Keys of callers.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/model/callers.h"

namespace postrider {

// Makes a retry of CreateApiKey safe: the same id of the same caller with the same digest gives the
// first call's answer again, for 24 hours and until the key is revoked; with another digest it is
// ALREADY_EXISTS.
struct ApiKeyRequest {
  std::string caller;  // id of the calling key; empty: a local caller
  std::string id;      // empty: none
  std::string digest;
  SealedBytes answer;  // the key's text, sealed; kept only beside an id
};

struct ApiKeyLimits {
  int64_t per_org = 1000;  // those of no org count as one org
  int64_t in_all = 100000;
};

// Thread-safe. Errors besides those named: session.h.
class ApiKeyStore {
 public:
  virtual ~ApiKeyStore() = default;

  struct Created {
    ApiKey key;
    std::optional<SealedBytes> first_answer;  // the request_id was known: what its first call said
    bool certificate_taken = false;           // another key has the name: nothing was stored
  };
  // RESOURCE_EXHAUSTED: a limit is reached. ALREADY_EXISTS: the request_id is another request's.
  virtual absl::StatusOr<Created> Create(const ApiKey& key, const std::string& secret_digest,
                                         const ApiKeyRequest& request,
                                         const ApiKeyLimits& limits) = 0;
  // Whether there has ever been a key that is still remembered, revoked ones included.
  virtual absl::StatusOr<bool> EverHadKeys() = 0;
  // Stores the key if there has never been any; false when there has.
  virtual absl::StatusOr<bool> CreateFirst(const ApiKey& key, const std::string& secret_digest) = 0;

  // NOT_FOUND, also for revoked ones.
  virtual absl::StatusOr<ApiKey> Get(ApiKeyId id) = 0;
  virtual absl::StatusOr<Page<ApiKey>> List(const Tenant& limit, const PageRequest& page) = 0;
  // NOT_FOUND, also for revoked ones.
  virtual absl::Status Revoke(ApiKeyId id) = 0;
};

struct ApiKeyChanges {
  std::vector<KnownApiKey> keys;  // may hold one again that was there before
  int64_t position = 0;           // where the next call goes on
};

// What a server follows keys by. Thread-compatible.
class ApiKeyReader {
 public:
  virtual ~ApiKeyReader() = default;
  // Every key that was made or revoked since `position`; from 0 on every key that is not revoked.
  // Misses none.
  virtual absl::StatusOr<ApiKeyChanges> ChangesSince(int64_t position) = 0;
  // Notes when keys were last used; never moves a time back.
  virtual absl::Status NoteUses(const std::vector<std::pair<ApiKeyId, absl::Time>>& uses) = 0;
};

}  // namespace postrider

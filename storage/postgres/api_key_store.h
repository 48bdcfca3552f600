// Keys of callers in PostgreSQL: see storage/api_key_store.h.

#pragma once

#include <string>
#include <utility>
#include <vector>

#include "storage/api_key_store.h"
#include "storage/postgres/session.h"
#include "storage/postgres/session_pool.h"

namespace postrider {

class PgApiKeyStore : public ApiKeyStore {
 public:
  explicit PgApiKeyStore(SessionPool& pool) : pool_(pool) {}

  absl::StatusOr<Created> Create(const ApiKey& key, const std::string& secret_digest,
                                 const ApiKeyRequest& request, const ApiKeyLimits& limits) override;
  absl::StatusOr<bool> EverHadKeys() override;
  absl::StatusOr<bool> CreateFirst(const ApiKey& key, const std::string& secret_digest) override;
  absl::StatusOr<ApiKey> Get(ApiKeyId id) override;
  absl::StatusOr<Page<ApiKey>> List(const Tenant& limit, const PageRequest& page) override;
  absl::Status Revoke(ApiKeyId id) override;

 private:
  SessionPool& pool_;
};

class PgApiKeyReader : public ApiKeyReader {
 public:
  explicit PgApiKeyReader(const SessionOptions& options) : session_(options) {}

  absl::StatusOr<ApiKeyChanges> ChangesSince(int64_t position) override;
  absl::Status NoteUses(const std::vector<std::pair<ApiKeyId, absl::Time>>& uses) override;

 private:
  Session session_;
};

}  // namespace postrider

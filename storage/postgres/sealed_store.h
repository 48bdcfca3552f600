// SealedStore over libpq.

#pragma once

#include "storage/postgres/session.h"
#include "storage/sealed_store.h"

namespace postrider {

class PgSealedStore final : public SealedStore {
 public:
  explicit PgSealedStore(const SessionOptions& options) : session_(options) {}

  absl::StatusOr<std::map<std::string, int64_t>> KeyIds() override;
  absl::StatusOr<std::vector<SealedValue>> NotUnder(SealedKind kind, const std::string& key_id,
                                                    const SealedValue& after,
                                                    int32_t limit) override;
  absl::StatusOr<bool> Replace(SealedKind kind, const SealedValue& value,
                               const SealedBytes& sealed) override;

 private:
  Session session_;
};

}  // namespace postrider

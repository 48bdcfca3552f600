#include "storage/postgres/environments.h"

#include "sql_text.h"

namespace postrider {

std::optional<int32_t> Environments::Cached(const Tenant& tenant) {
  absl::MutexLock lock(&mutex_);
  const auto it = numbers_.find(tenant);
  if (it == numbers_.end()) return std::nullopt;
  return it->second;
}

void Environments::Remember(const Tenant& tenant, int32_t number) {
  absl::MutexLock lock(&mutex_);
  if (numbers_.size() >= kMaxCached) numbers_.clear();
  numbers_.emplace(tenant, number);
}

absl::StatusOr<int32_t> Environments::NumberOf(const Tenant& tenant, Session& session) {
  if (const auto cached = Cached(tenant)) return *cached;
  const Params params = Params().Text(tenant.org_id).Text(tenant.env_id);
  // Two nodes that make the same environment at once: the one that comes second gets no row, and
  // sees the other's in its next statement.
  for (int attempt = 0; attempt < 3; ++attempt) {
    absl::StatusOr<Result> result = session.Run(sql::kEnvironment, params);
    if (!result.ok()) return result.status();
    if (result->rows() == 0) continue;
    const int32_t number = static_cast<int32_t>(result->Int(0, 0));
    Remember(tenant, number);
    return number;
  }
  return absl::AbortedError("an environment was being made at the same moment");
}

absl::StatusOr<std::optional<int32_t>> Environments::Find(const Tenant& tenant, Session& session) {
  if (const auto cached = Cached(tenant)) return cached;
  absl::StatusOr<Result> result =
      session.Run(sql::kEnvironmentFind, Params().Text(tenant.org_id).Text(tenant.env_id));
  if (!result.ok()) return result.status();
  if (result->rows() == 0) return std::nullopt;
  const int32_t number = static_cast<int32_t>(result->Int(0, 0));
  Remember(tenant, number);
  return number;
}

}  // namespace postrider

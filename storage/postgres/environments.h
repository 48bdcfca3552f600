// Numbers of environments. They never change, so what was read once is kept. Thread-safe.

#pragma once

#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "storage/model/records.h"
#include "storage/postgres/session.h"

namespace postrider {

class Environments {
 public:
  // The number of the tenant's environment, which is made when it is new.
  absl::StatusOr<int32_t> NumberOf(const Tenant& tenant, Session& session);
  // The same without making it: none when nothing was ever stored there.
  absl::StatusOr<std::optional<int32_t>> Find(const Tenant& tenant, Session& session);

 private:
  std::optional<int32_t> Cached(const Tenant& tenant);
  void Remember(const Tenant& tenant, int32_t number);

  // A cache of the most used: forgotten altogether when it is full.
  static constexpr size_t kMaxCached = 1 << 20;

  absl::Mutex mutex_;
  absl::flat_hash_map<Tenant, int32_t> numbers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace postrider

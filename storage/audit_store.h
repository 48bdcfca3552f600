// What callers with scope ADMIN did.

#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/model/callers.h"

namespace postrider {

struct AuditFilter {
  Tenant tenant;  // empty names: any
  std::optional<ApiKeyId> key_id;
  std::string resource_id;  // empty: any
  std::optional<absl::Time> start_time;
  std::optional<absl::Time> end_time;
};

// Thread-safe. Errors: session.h.
class AuditStore {
 public:
  virtual ~AuditStore() = default;
  // Before the call does anything. The record's code is not known yet.
  virtual absl::Status Begin(const AuditRecord& record) = 0;
  // What came of it: code, resource and tenant of the record with this id.
  virtual absl::Status End(const AuditRecord& record) = 0;
  virtual absl::StatusOr<Page<AuditRecord>> List(const AuditFilter& filter,
                                                 const PageRequest& page) = 0;
};

}  // namespace postrider

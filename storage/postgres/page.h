// What the lists share: bounds of a page by id, and the environment that a filter names.

#pragma once

#include <optional>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/model/records.h"
#include "storage/postgres/environments.h"
#include "storage/postgres/session.h"

namespace postrider {

// Ids are in [from, before).
struct PageBounds {
  Ulid from;
  Ulid before;
};

// An id is about as old as its row, so times of creation narrow the range of ids; the statement
// itself compares the exact times.
inline PageBounds BoundsOf(const PageRequest& page, std::optional<absl::Time> start_time,
                           std::optional<absl::Time> end_time) {
  PageBounds bounds;
  bounds.before.bytes.fill(0xff);
  constexpr absl::Duration kSlack = absl::Seconds(2);
  if (start_time) bounds.from = Ulid::FloorOf(*start_time - kSlack);
  if (end_time) bounds.before = Ulid::FloorOf(*end_time + kSlack);
  if (page.after && *page.after < bounds.before) bounds.before = *page.after;
  return bounds;
}

// The environment's number where org and env name one: the index then gives the order of the list.
inline absl::StatusOr<std::optional<int32_t>> EnvironmentOfFilter(const Tenant& tenant,
                                                                  Environments& environments,
                                                                  Session& session) {
  if (tenant.org_id.empty() || tenant.env_id.empty()) return std::nullopt;
  absl::StatusOr<std::optional<int32_t>> known = environments.Find(tenant, session);
  if (!known.ok()) return known.status();
  return known->value_or(0);  // 0: no such environment, an empty list
}

}  // namespace postrider

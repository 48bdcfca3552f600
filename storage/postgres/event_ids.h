// Where the deliveries of an event are found. Those that Publish makes get ids of their event's
// millisecond (PgEventAcceptor), so they are a range of the primary key, among those of other
// events of that millisecond. Redeliveries and tests are made later: indexes of what has another
// origin find them.

#pragma once

#include "absl/time/time.h"
#include "storage/model/records.h"

namespace postrider {

// Ids in [from, before).
struct IdRange {
  Ulid from;
  Ulid before;

  auto operator<=>(const IdRange&) const = default;
};

// All ids of the event's millisecond.
inline IdRange IdsBeside(EventId id) {
  const absl::Time time = id.ulid.time();
  return {Ulid::FloorOf(time), Ulid::FloorOf(time + absl::Milliseconds(1))};
}

}  // namespace postrider

// What a set of stores shows to the suite that holds the stores of PostgreSQL and those in memory
// to each other. Everything fails the test that should not fail.
//
// IN POSTGRESQL ALONE, and so held to nothing here, because no simulation needs it: the lists and
// their pages, request ids, secrets and their rotation, PurgeEvent, PurgeOrg and what they leave,
// SweepDeleted (in memory no fan-out commits beside a deletion, and a deletion cancels
// everything), SweepSmall, partitions made ahead and migrations, quotas of endpoints and of open
// deliveries, and what statements that run side by side do to each other. tests/storage/postgres
// and tests/integration hold those to what storage/*.h say. Of the log, both keep what the tests
// compare; the texts of errors, addresses, headers and phases are compared nowhere here.

#pragma once

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/maintenance_store.h"
#include "storage/model/records.h"

namespace postrider {

// What is remembered of an open delivery beside what people see.
struct OpenMarks {
  int32_t lost_claims = 0;
  int32_t alone_deaths = 0;
  int32_t failure_count = 0;
};

inline bool IsOpen(const Delivery& delivery) {
  return delivery.state == DeliveryState::kPending || delivery.state == DeliveryState::kInProgress;
}

inline std::string Describe(const Delivery& delivery) {
  return absl::StrCat("state ", static_cast<int>(delivery.state), " reason ",
                      IsOpen(delivery) ? 0 : static_cast<int>(delivery.state_reason), " attempts ",
                      delivery.attempt_count);
}
inline std::string Describe(const Endpoint& endpoint) {
  return absl::StrCat("state ", static_cast<int>(endpoint.state), " reason ",
                      static_cast<int>(endpoint.disabled_reason), " failures ",
                      endpoint.consecutive_failures);
}
// A row of the log, but for its times.
inline std::string Describe(const Attempt& attempt) {
  return absl::StrCat(attempt.number, ": outcome ", static_cast<int>(attempt.outcome), " origin ",
                      static_cast<int>(attempt.origin), " status ", attempt.http_status, " sends ",
                      attempt.send_count, " body '", attempt.response_body, "'",
                      attempt.response_body_truncated ? " cut" : "");
}

}  // namespace postrider

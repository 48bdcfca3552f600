// How much waits, by org.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace postrider {

// Thread-compatible. Errors: session.h.
class OpenDeliveryReader {
 public:
  virtual ~OpenDeliveryReader() = default;
  // Orgs that have `at_least` deliveries that are not over.
  virtual absl::StatusOr<std::vector<std::string>> OrgsWithOpenDeliveries(int64_t at_least) = 0;
};

}  // namespace postrider

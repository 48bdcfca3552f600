// Open deliveries by org in PostgreSQL: see storage/open_delivery_reader.h.

#pragma once

#include <string>
#include <vector>

#include "storage/open_delivery_reader.h"
#include "storage/postgres/session.h"

namespace postrider {

class PgOpenDeliveryReader : public OpenDeliveryReader {
 public:
  explicit PgOpenDeliveryReader(const SessionOptions& options) : session_(options) {}

  absl::StatusOr<std::vector<std::string>> OrgsWithOpenDeliveries(int64_t at_least) override;

 private:
  Session session_;
};

}  // namespace postrider

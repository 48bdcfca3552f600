// Deliveries and attempts in PostgreSQL: see storage/delivery_store.h.

#pragma once

#include <string>
#include <utility>
#include <vector>

#include "storage/delivery_store.h"
#include "storage/postgres/environments.h"
#include "storage/postgres/session_pool.h"

namespace postrider {

class PgDeliveryStore : public DeliveryStore {
 public:
  PgDeliveryStore(SessionPool& pool, Environments& environments)
      : pool_(pool), environments_(environments) {}

  absl::StatusOr<Delivery> Get(DeliveryId id) override;
  absl::StatusOr<Page<Delivery>> List(const DeliveryFilter& filter,
                                      const PageRequest& page) override;
  absl::StatusOr<Page<Attempt>> ListAttempts(const AttemptFilter& filter, const PageRequest& page,
                                             int64_t max_bytes) override;
  absl::StatusOr<Delivery> Redeliver(DeliveryId id, DeliveryId new_id,
                                     const RequestId& request_id) override;
  absl::StatusOr<Delivery> Cancel(DeliveryId id) override;

 private:
  SessionPool& pool_;
  Environments& environments_;
};

using HeaderList = std::vector<std::pair<std::string, std::string>>;

// How attempts.response_headers holds headers: "name: value" and CRLF, in the order they came.
std::string HeadersToBytes(const HeaderList& headers);
HeaderList HeadersFromBytes(std::string_view bytes);

}  // namespace postrider

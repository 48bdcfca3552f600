// request_id of creating calls: what makes their retries safe. Inside a transaction.

#pragma once

#include <optional>

#include "absl/status/statusor.h"
#include "storage/endpoint_store.h"
#include "storage/postgres/session.h"

namespace postrider {

enum class RequestMethod : int32_t { kCreateEndpoint = 1, kRotateSecret = 2, kRedeliver = 3 };

struct RequestMade {
  Ulid resource_id;
  int32_t version = 0;
};

// Notes what this call makes. Gives what an earlier call with the same id and digest made, or none
// when this is the first. ALREADY_EXISTS: the id was used for something else.
absl::StatusOr<std::optional<RequestMade>> TakeRequestId(Session& session, int32_t env_no,
                                                         RequestMethod method,
                                                         const RequestId& request_id,
                                                         const RequestMade& made);

}  // namespace postrider

#include "storage/postgres/request_ids.h"

#include "sql_text.h"

namespace postrider {

absl::StatusOr<std::optional<RequestMade>> TakeRequestId(Session& session, int32_t env_no,
                                                         RequestMethod method,
                                                         const RequestId& request_id,
                                                         const RequestMade& made) {
  if (request_id.id.empty()) return std::nullopt;
  absl::StatusOr<Result> taken =
      session.Run(sql::kRequestIdsTake, Params()
                                            .Int4(env_no)
                                            .Text(request_id.id)
                                            .Int4(static_cast<int32_t>(method))
                                            .Bytes(request_id.digest)
                                            .Uuid(made.resource_id)
                                            .Int4(made.version));
  if (!taken.ok()) return taken.status();
  if (taken->rows() == 1) return std::nullopt;
  absl::StatusOr<Result> known =
      session.Run(sql::kRequestIdsGet, Params().Int4(env_no).Text(request_id.id));
  if (!known.ok()) return known.status();
  if (known->rows() == 0) return absl::AbortedError("the request_id changed at this moment");
  if (known->Int(0, 0) != static_cast<int64_t>(method) || known->View(0, 1) != request_id.digest) {
    return absl::AlreadyExistsError("this request_id was used for another request");
  }
  return RequestMade{known->Uuid(0, 2), static_cast<int32_t>(known->Int(0, 3))};
}

}  // namespace postrider

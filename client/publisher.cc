#include "client/publisher.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/status_details.h"

namespace postrider::client {
namespace {

absl::BitGen& ThreadBitGen() {
  thread_local absl::BitGen generator;
  return generator;
}

void FillKey(v1::PublishRequest* request) {
  if (!request->idempotency_key().empty() || request->validate_only()) return;
  request->set_idempotency_key(NewIdempotencyKey());
}

}  // namespace

Surroundings Surroundings::Real() {
  return {.now = absl::Now, .sleep = absl::SleepFor, .random = [] {
            return absl::Uniform(ThreadBitGen(), 0.0, 1.0);
          }};
}

std::string NewIdempotencyKey() {
  absl::BitGen& generator = ThreadBitGen();
  return absl::StrCat("auto_", absl::Hex(absl::Uniform<uint64_t>(generator), absl::kZeroPad16),
                      absl::Hex(absl::Uniform<uint64_t>(generator), absl::kZeroPad16));
}

Publisher::Publisher(const Client& client, const RetryOptions& options, Surroundings surroundings)
    : client_(client), options_(options), surroundings_(std::move(surroundings)) {}

absl::StatusOr<v1::PublishResponse> Publisher::Publish(v1::PublishRequest request) const {
  FillKey(&request);
  return CallWithRetries<v1::PublishRequest, v1::PublishResponse>(request);
}

absl::StatusOr<v1::BatchPublishResponse> Publisher::PublishBatch(
    v1::BatchPublishRequest request) const {
  for (v1::PublishRequest& item : *request.mutable_requests()) FillKey(&item);
  return CallWithRetries<v1::BatchPublishRequest, v1::BatchPublishResponse>(request);
}

template <class Request, class Response>
absl::StatusOr<Response> Publisher::CallWithRetries(const Request& request) const {
  // gRPC calls this RESOURCE_EXHAUSTED, which would be tried again in vain.
  if (request.ByteSizeLong() > kMaxMessageBytes) {
    return absl::InvalidArgumentError(absl::StrCat("the request is ", request.ByteSizeLong(),
                                                   " bytes, more than the ", kMaxMessageBytes,
                                                   " that the server takes"));
  }
  const absl::Time deadline = surroundings_.now() + options_.deadline;
  for (int tries = 1;; ++tries) {
    Response response;
    const absl::Status status = client_.Call(
        request, &response, std::min(options_.try_timeout, deadline - surroundings_.now()));
    if (status.ok()) return response;
    if (!IsWorthRetrying(status.code()) || tries >= options_.max_tries) return status;
    const absl::Duration wait =
        RetryWait(options_, tries, RetryDelay(status), surroundings_.random());
    if (surroundings_.now() + wait >= deadline) return status;
    surroundings_.sleep(wait);
  }
}

}  // namespace postrider::client

// From requests to answers, the same for calls, batches and streams: check, store or dry-run,
// answer.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/status.h"
#include "postrider/v1/publisher_service.pb.h"
#include "server/envelope/json_text.h"
#include "server/publish/committer.h"
#include "server/rpc/caller.h"
#include "server/rpc/reception.h"
#include "server/runtime/clock.h"
#include "storage/event_store.h"

namespace postrider::rpc {

inline constexpr int kMaxBatchRequests = 1000;

// INVALID_ARGUMENT for a batch that holds none or more than it may.
grpc::Status CheckBatchSize(int64_t requests);

struct PublisherParts {
  std::function<absl::Status(publish::Submission)> submit;  // as engine::Engine::Submit
  EventStore& events;                                       // for validate_only
  const Reception& reception;
  const DatabaseClock& clock;
  std::function<EventId(absl::Time)> new_event_id;
  envelope::JsonLimits limits;
  absl::Duration idempotency_window;
};

// What the requests of one gRPC call have in common.
struct PublishOrigin {
  PublishOrigin(const grpc::CallbackServerContext& context, Caller admitted);

  Caller caller;
  std::string traceparent;
};

// How long what comes now may wait for its turn: the call's deadline, 60 s at most.
Instant WaitUntil(const grpc::CallbackServerContext& context);

// Thread-safe; calls never block.
class PublishCalls {
 public:
  // Called exactly once, before Publish returns or later on another thread, on which it must not
  // block. With OK there is one response a request.
  using Done = absl::AnyInvocable<void(const grpc::Status&, const v1::BatchPublishResponse&)>;

  explicit PublishCalls(PublisherParts parts) : parts_(std::move(parts)) {}

  Gate& gate() const { return parts_.reception.gate; }

  void Publish(const v1::PublishRequest& request, const PublishOrigin& origin, Instant deadline,
               Done done) const;
  // All or nothing.
  void Publish(const v1::BatchPublishRequest& request, const PublishOrigin& origin,
               Instant deadline, Done done) const;

 private:
  struct Call;
  void Submit(std::shared_ptr<Call> call) const;
  void Validate(std::shared_ptr<Call> call) const;
  grpc::Status ValidateOne(const Call& call, size_t request, v1::PublishResponse* answer) const;

  const PublisherParts parts_;
};

}  // namespace postrider::rpc

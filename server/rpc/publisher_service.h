// PublisherService: checks, and hands over to the committer.

#pragma once

#include <functional>

#include "postrider/v1/publisher_service.grpc.pb.h"
#include "server/envelope/json_text.h"
#include "server/publish/committer.h"
#include "server/rpc/workers.h"
#include "server/runtime/clock.h"
#include "storage/event_store.h"

namespace postrider::rpc {

inline constexpr int kMaxBatchRequests = 1000;

struct PublisherParts {
  std::function<absl::Status(publish::Submission)> submit;  // as engine::Engine::Submit
  EventStore& events;                                       // for validate_only
  Workers& workers;
  const DatabaseClock& clock;
  std::function<EventId(absl::Time)> new_event_id;
  envelope::JsonLimits limits;
  absl::Duration idempotency_window;
};

class PublisherService final : public v1::PublisherService::WithRawCallbackMethod_Publish<
                                   v1::PublisherService::WithRawCallbackMethod_BatchPublish<
                                       v1::PublisherService::WithRawCallbackMethod_StreamPublish<
                                           v1::PublisherService::Service>>> {
 public:
  explicit PublisherService(PublisherParts parts) : parts_(std::move(parts)) {}

  grpc::ServerUnaryReactor* Publish(grpc::CallbackServerContext* context,
                                    const grpc::ByteBuffer* in, grpc::ByteBuffer* out) override;
  grpc::ServerUnaryReactor* BatchPublish(grpc::CallbackServerContext* context,
                                         const grpc::ByteBuffer* in,
                                         grpc::ByteBuffer* out) override;
  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* StreamPublish(
      grpc::CallbackServerContext* context) override;

 private:
  struct Batch;
  void Validate(std::shared_ptr<Batch> batch);
  grpc::Status ValidateOne(const Batch& batch, size_t request, v1::PublishResponse* answer);
  void Submit(std::shared_ptr<Batch> batch);
  void Answer(Batch& batch, absl::StatusOr<std::vector<AcceptResult>> results);

  const PublisherParts parts_;
};

}  // namespace postrider::rpc

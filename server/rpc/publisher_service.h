// PublisherService: parses, and hands over.

#pragma once

#include "postrider/v1/publisher_service.grpc.pb.h"
#include "server/rpc/publish_calls.h"
#include "server/rpc/publish_stream.h"

namespace postrider::rpc {

class PublisherService final : public v1::PublisherService::WithRawCallbackMethod_Publish<
                                   v1::PublisherService::WithRawCallbackMethod_BatchPublish<
                                       v1::PublisherService::WithRawCallbackMethod_StreamPublish<
                                           v1::PublisherService::Service>>> {
 public:
  explicit PublisherService(PublisherParts parts) : calls_(std::move(parts)) {}

  grpc::ServerUnaryReactor* Publish(grpc::CallbackServerContext* context,
                                    const grpc::ByteBuffer* in, grpc::ByteBuffer* out) override;
  grpc::ServerUnaryReactor* BatchPublish(grpc::CallbackServerContext* context,
                                         const grpc::ByteBuffer* in,
                                         grpc::ByteBuffer* out) override;
  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* StreamPublish(
      grpc::CallbackServerContext* context) override;

  PublishStreams& streams() { return streams_; }

 private:
  const PublishCalls calls_;
  PublishStreams streams_{calls_};
};

}  // namespace postrider::rpc

#include "server/rpc/publisher_service.h"

#include "server/rpc/call.h"
#include "server/rpc/errors.h"

namespace postrider::rpc {

grpc::ServerUnaryReactor* PublisherService::Publish(grpc::CallbackServerContext* context,
                                                    const grpc::ByteBuffer* in,
                                                    grpc::ByteBuffer* out) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  Caller caller;
  const grpc::Status admitted = calls_.gate().Admit<v1::PublishRequest>(*context, caller);
  if (!admitted.ok()) {
    reactor->Finish(admitted);
    return reactor;
  }
  v1::PublishRequest request;
  if (!ParseRequest(*in, request)) {
    reactor->Finish(Malformed());
    return reactor;
  }
  ReleaseBytes(*in);
  calls_.Publish(
      request, PublishOrigin(*context, caller), WaitUntil(*context),
      [reactor, out, caller](const grpc::Status& status, const v1::BatchPublishResponse& response) {
        reactor->Finish(status.ok() ? WriteResponse(response.responses(0), out) : status);
      });
  return reactor;
}

grpc::ServerUnaryReactor* PublisherService::BatchPublish(grpc::CallbackServerContext* context,
                                                         const grpc::ByteBuffer* in,
                                                         grpc::ByteBuffer* out) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  Caller caller;
  const grpc::Status admitted = calls_.gate().Admit<v1::BatchPublishRequest>(*context, caller);
  if (!admitted.ok()) {
    reactor->Finish(admitted);
    return reactor;
  }
  // Before they are parsed: 16 MiB hold millions of empty ones, which would take a gigabyte.
  const int64_t entries = CountEntries(*in, v1::BatchPublishRequest::kRequestsFieldNumber);
  if (entries > kMaxBatchRequests) {
    reactor->Finish(CheckBatchSize(entries));
    return reactor;
  }
  v1::BatchPublishRequest request;
  if (!ParseRequest(*in, request)) {
    reactor->Finish(Malformed());
    return reactor;
  }
  ReleaseBytes(*in);
  calls_.Publish(
      request, PublishOrigin(*context, caller), WaitUntil(*context),
      [reactor, out, caller](const grpc::Status& status, const v1::BatchPublishResponse& response) {
        reactor->Finish(status.ok() ? WriteResponse(response, out) : status);
      });
  return reactor;
}

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* PublisherService::StreamPublish(
    grpc::CallbackServerContext* context) {
  return streams_.Open(context);
}

}  // namespace postrider::rpc

// EventService.

#pragma once

#include "postrider/v1/event_service.grpc.pb.h"
#include "server/rpc/reception.h"
#include "storage/event_store.h"

namespace postrider::rpc {

class EventService final
    : public v1::EventService::WithRawCallbackMethod_GetEvent<
          v1::EventService::WithRawCallbackMethod_ListEvents<
              v1::EventService::WithRawCallbackMethod_WatchEvents<v1::EventService::Service>>> {
 public:
  EventService(EventStore& events, const Reception& reception)
      : events_(events), reception_(reception) {}

  grpc::ServerUnaryReactor* GetEvent(grpc::CallbackServerContext* context,
                                     const grpc::ByteBuffer* in, grpc::ByteBuffer* out) override;
  grpc::ServerUnaryReactor* ListEvents(grpc::CallbackServerContext* context,
                                       const grpc::ByteBuffer* in, grpc::ByteBuffer* out) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* WatchEvents(grpc::CallbackServerContext* context,
                                                          const grpc::ByteBuffer* in) override;

 private:
  EventStore& events_;
  const Reception& reception_;
};

}  // namespace postrider::rpc

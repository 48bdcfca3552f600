// Services of the contract that are not available yet: every method says so.

#pragma once

#include "postrider/v1/event_type_service.grpc.pb.h"
#include "server/rpc/unimplemented.h"

namespace postrider::rpc {

#define POSTRIDER_REFUSED(method)                                                                 \
  grpc::ServerUnaryReactor* method(grpc::CallbackServerContext* context, const grpc::ByteBuffer*, \
                                   grpc::ByteBuffer*) override {                                  \
    return Refuse<v1::method##Request>(context, reception_);                                      \
  }

class EventTypeService final
    : public v1::EventTypeService::WithRawCallbackMethod_CreateEventType<
          v1::EventTypeService::WithRawCallbackMethod_GetEventType<
              v1::EventTypeService::WithRawCallbackMethod_ListEventTypes<
                  v1::EventTypeService::WithRawCallbackMethod_UpdateEventType<
                      v1::EventTypeService::WithRawCallbackMethod_DeleteEventType<
                          v1::EventTypeService::Service>>>>> {
 public:
  explicit EventTypeService(const Reception& reception) : reception_(reception) {}

  POSTRIDER_REFUSED(CreateEventType)
  POSTRIDER_REFUSED(GetEventType)
  POSTRIDER_REFUSED(ListEventTypes)
  POSTRIDER_REFUSED(UpdateEventType)
  POSTRIDER_REFUSED(DeleteEventType)

 private:
  const Reception& reception_;
};

#undef POSTRIDER_REFUSED

}  // namespace postrider::rpc

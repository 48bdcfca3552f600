// Methods that are not available yet: they end at once and say so.

#pragma once

#include <string>

#include "grpcpp/server_context.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/server_callback.h"
#include "server/rpc/errors.h"
#include "server/rpc/reception.h"

namespace postrider::rpc {

class RefusedWrite final : public grpc::ServerWriteReactor<grpc::ByteBuffer> {
 public:
  explicit RefusedWrite(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

// Callers without the right to call learn no more than that.
template <typename Request>
grpc::Status NotYet(const Reception& reception, const grpc::CallbackServerContext& context) {
  Caller caller;
  if (grpc::Status admitted = reception.gate.Admit<Request>(context, caller); !admitted.ok()) {
    return admitted;
  }
  const std::string& name = RpcOf<Request>().name;
  return Unimplemented(name.substr(name.rfind('/') + 1));
}

template <typename Request>
grpc::ServerUnaryReactor* Refuse(grpc::CallbackServerContext* context, const Reception& reception) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(NotYet<Request>(reception, *context));
  return reactor;
}
template <typename Request>
grpc::ServerWriteReactor<grpc::ByteBuffer>* RefuseWatch(grpc::CallbackServerContext* context,
                                                        const Reception& reception) {
  return new RefusedWrite(NotYet<Request>(reception, *context));
}

}  // namespace postrider::rpc

// Methods that are not available yet: they end at once and say so.

#pragma once

#include "grpcpp/server_context.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/server_callback.h"
#include "server/rpc/errors.h"

namespace postrider::rpc {

class RefusedWrite final : public grpc::ServerWriteReactor<grpc::ByteBuffer> {
 public:
  explicit RefusedWrite(const char* what) { Finish(Unimplemented(what)); }
  void OnDone() override { delete this; }
};

inline grpc::ServerUnaryReactor* Refuse(grpc::CallbackServerContext* context, const char* what) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(Unimplemented(what));
  return reactor;
}
inline grpc::ServerWriteReactor<grpc::ByteBuffer>* RefuseWatch(const char* what) {
  return new RefusedWrite(what);
}

}  // namespace postrider::rpc

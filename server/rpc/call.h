// One unary call. Methods are registered raw, because gRPC 1.51 answers UNIMPLEMENTED without a
// word to a request that does not parse: the bytes are parsed here.

#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/wire_format_lite.h"
#include "grpcpp/impl/codegen/proto_utils.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/proto_buffer_reader.h"
#include "grpcpp/support/proto_buffer_writer.h"
#include "grpcpp/support/server_callback.h"
#include "server/rpc/caller.h"
#include "server/rpc/errors.h"
#include "server/rpc/reception.h"

namespace postrider::rpc {

// A Struct takes three messages a level: 64 levels, and some for what is around it.
inline constexpr int kRecursionLimit = 3 * 64 + 16;

// The longest request of a call that publishes nothing, far more than any valid one has: parsed, a
// message can take 50 times its bytes.
inline constexpr size_t kMaxCallBytes = 1 << 20;

template <typename Request>
bool ParseRequest(const grpc::ByteBuffer& bytes, Request& request) {
  // The reader walks the buffer's slices and wants it mutable; it changes nothing.
  grpc::ByteBuffer copy(bytes);
  grpc::ProtoBufferReader reader(&copy);
  google::protobuf::io::CodedInputStream input(&reader);
  input.SetRecursionLimit(kRecursionLimit);
  return reader.status().ok() && request.ParseFromCodedStream(&input) &&
         input.ConsumedEntireMessage();
}

// How many entries the repeated field `number` has in a message that is not parsed yet: an entry of
// two bytes would become an object of a hundred. Of bytes that are no message, as many as come
// before what is wrong.
inline int64_t CountEntries(const grpc::ByteBuffer& bytes, int number) {
  using google::protobuf::internal::WireFormatLite;
  grpc::ByteBuffer copy(bytes);
  grpc::ProtoBufferReader reader(&copy);
  google::protobuf::io::CodedInputStream input(&reader);
  input.SetRecursionLimit(kRecursionLimit);
  int64_t entries = 0;
  while (const uint32_t tag = input.ReadTag()) {
    if (!WireFormatLite::SkipField(&input, tag)) break;
    entries += WireFormatLite::GetTagFieldNumber(tag) == number ? 1 : 0;
  }
  return entries;
}

// Lets go of a request's bytes once they are parsed; gRPC would keep them until the call ends, and
// Publish calls wait. gRPC owns the buffer, which is not const, and does not read it again.
inline void ReleaseBytes(const grpc::ByteBuffer& bytes) {
  const_cast<grpc::ByteBuffer&>(bytes).Clear();
}

template <typename Response>
grpc::Status WriteResponse(const Response& response, grpc::ByteBuffer* bytes) {
  bool own_buffer = false;
  return grpc::GenericSerialize<grpc::ProtoBufferWriter, Response>(response, bytes, &own_buffer);
}

// A call whose handler blocks (on the database): let in by the gate, it runs on a worker, and
// leaves an audit record where its rpc does.
template <typename Request, typename Response>
grpc::ServerUnaryReactor* Blocking(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* in, grpc::ByteBuffer* out,
    const Reception& reception,
    std::function<grpc::Status(const Caller&, const Request&, Response&)> handler) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  Caller caller;
  if (grpc::Status admitted = reception.gate.Admit<Request>(*context, caller); !admitted.ok()) {
    reactor->Finish(admitted);
    return reactor;
  }
  if (in->Length() > kMaxCallBytes) {
    reactor->Finish(TooLarge(in->Length(), kMaxCallBytes));
    return reactor;
  }
  AuditLog* audit = RpcOf<Request>().audited ? &reception.audit : nullptr;
  const bool taken = reception.workers.Run([=, handler = std::move(handler)] {
    if (context->IsCancelled()) {
      reactor->Finish(grpc::Status::CANCELLED);
      return;
    }
    // Here, and not before it waits: parsed, a message takes many times its bytes.
    Request request;
    if (!ParseRequest(*in, request)) {
      reactor->Finish(Malformed());
      return;
    }
    ReleaseBytes(*in);
    std::optional<AuditRecord> record;
    if (audit != nullptr) {
      absl::StatusOr<AuditRecord> begun =
          audit->Begin(caller, context->peer(), RpcOf<Request>(), request);
      if (!begun.ok()) {
        reactor->Finish(FromStore(begun.status()));
        return;
      }
      record = *std::move(begun);
    }
    Response response;
    grpc::Status status = handler(caller, request, response);
    if (record) audit->End(*std::move(record), status, response);
    if (status.ok()) status = WriteResponse(response, out);
    reactor->Finish(status);
  });
  if (!taken) {
    reactor->Finish(RetryLater(grpc::StatusCode::RESOURCE_EXHAUSTED, reason::kOverloaded,
                               "too many calls are waiting: slow down", absl::Seconds(1)));
  }
  return reactor;
}

}  // namespace postrider::rpc

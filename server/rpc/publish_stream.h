// StreamPublish: items in as fast as they can be accepted, answers out as they come.

#pragma once

#include <cstdint>
#include <deque>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/server_callback.h"
#include "postrider/v1/publisher_service.pb.h"
#include "server/rpc/publish_calls.h"

namespace postrider::rpc {

// What one stream may have read and not yet answered. Beyond it nothing is read, so gRPC's flow
// control stops the caller; answers that the caller does not read count too.
inline constexpr int kMaxStreamItems = 1000;
inline constexpr int64_t kMaxStreamBytes = int64_t{16} << 20;

class PublishStream;

// The streams that are open. Outlives the gRPC server, whose shutdown ends them. Thread-safe.
class PublishStreams {
 public:
  using Reactor = grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>;

  explicit PublishStreams(const PublishCalls& calls) : calls_(calls) {}

  // A new one, which owns itself. Ends at once for callers who may not publish, and with
  // UNAVAILABLE after Drain.
  Reactor* Open(grpc::CallbackServerContext* context);

  // Streams of keys that were revoked or have expired read nothing more, and end with
  // UNAUTHENTICATED once what they had read is answered.
  void EndThoseOfEndedKeys();

  // Reads nothing more: every stream ends with UNAVAILABLE once what it had read is answered.
  void Drain();
  // Whether that is so.
  bool AllEnded() const;

 private:
  friend class PublishStream;
  void Remove(const std::shared_ptr<PublishStream>& stream);

  const PublishCalls& calls_;
  mutable absl::Mutex mutex_;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  absl::flat_hash_set<std::shared_ptr<PublishStream>> open_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace postrider::rpc

// Before the gate, where a credential is needed: gRPC reads the whole message of a unary call
// before it hands the call over. So calls without a good credential are turned away as soon as
// their metadata is there, but for a few at a time, which the gate answers with all that it has to
// say: what strangers can make the server hold is bounded by these. The others are UNAUTHENTICATED
// without details, which gRPC does not send from here.

#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "grpcpp/security/auth_metadata_processor.h"
#include "grpcpp/support/server_interceptor.h"
#include "server/rpc/gate.h"

namespace postrider::rpc {

// Calls of strangers whose message may be under way, of this process.
class Strangers {
 public:
  static constexpr int kMax = 16;

  bool Enter() {
    if (count_.fetch_add(1) < kMax) return true;
    --count_;
    return false;
  }
  // A key that was made or revoked meanwhile makes one too few or too many of these.
  void Leave() {
    int count = count_.load();
    while (count > 0 && !count_.compare_exchange_weak(count, count - 1)) {
    }
  }

 private:
  std::atomic<int> count_ = 0;
};

// Health and reflection are open to everybody (API.md): what they read is bounded elsewhere.
class Door final : public grpc::AuthMetadataProcessor {
 public:
  // Both must outlive the server.
  Door(const Gate& gate, Strangers& strangers) : gate_(gate), strangers_(strangers) {}

  bool IsBlocking() const override { return false; }
  grpc::Status Process(const InputMetadata& metadata, grpc::AuthContext* auth,
                       OutputMetadata* consumed, OutputMetadata* response) override;

 private:
  const Gate& gate_;
  Strangers& strangers_;
};

// Sees every call when its message is there, or never will be: a stranger's leaves `strangers`. For
// ServerBuilder::experimental().SetInterceptorCreators; intercepts nothing.
std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> WatchStrangers(
    const Gate& gate, Strangers& strangers);

}  // namespace postrider::rpc

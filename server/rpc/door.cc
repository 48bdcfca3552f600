#include "server/rpc/door.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "google/protobuf/descriptor.h"
#include "server/observe/log.h"

namespace postrider::rpc {
namespace {

absl::string_view PathOf(const CallMetadata& metadata) {
  const auto path = metadata.find(":path");
  if (path == metadata.end()) return "";
  return absl::string_view(path->second.data(), path->second.size());
}

bool IsOpen(absl::string_view path) {
  return absl::StartsWith(path, "/grpc.health.v1.Health/") ||
         absl::StartsWith(path, "/grpc.reflection.v1alpha.ServerReflection/");
}

// Of other ones gRPC tells nobody when they end.
bool IsOurs(absl::string_view path) {
  if (!absl::ConsumePrefix(&path, "/postrider.v1.")) return false;
  const std::string name = "postrider.v1." + absl::StrReplaceAll(path, {{"/", "."}});
  return google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(name) != nullptr;
}

class StrangerWatch final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  StrangerWatch(const Gate& gate, Strangers& strangers) : gate_(gate), strangers_(strangers) {}

  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* info) override {
    // What the door saw is not noted in the AuthContext: it is one for all calls of a connection,
    // and may not change while they read it.
    const grpc::ServerContextBase& context = *info->server_context();
    Caller caller;
    if (!IsOpen(info->method()) && !gate_.IsTrusted(context) &&
        !gate_.Identify(context.client_metadata(), context.auth_context().get(), caller).ok()) {
      strangers_.Leave();
    }
    return nullptr;
  }

 private:
  const Gate& gate_;
  Strangers& strangers_;
};

}  // namespace

grpc::Status Door::Process(const InputMetadata& metadata, grpc::AuthContext* auth, OutputMetadata*,
                           OutputMetadata*) {
  const absl::string_view path = PathOf(metadata);
  if (IsOpen(path)) return grpc::Status::OK;
  Caller caller;
  grpc::Status known = gate_.Identify(metadata, auth, caller);
  if (known.ok()) return known;
  if (IsOurs(path) && strangers_.Enter()) return grpc::Status::OK;
  POSTRIDER_LOG_RARELY(observe::Severity::kWarning,
                       "many calls without a valid credential are under way", {});
  return known;
}

std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> WatchStrangers(
    const Gate& gate, Strangers& strangers) {
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> creators;
  creators.push_back(std::make_unique<StrangerWatch>(gate, strangers));
  return creators;
}

}  // namespace postrider::rpc

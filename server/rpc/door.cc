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

constexpr char kMark[] = "postrider_stranger";

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
  explicit StrangerWatch(Strangers& strangers) : strangers_(strangers) {}

  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* info) override {
    const auto auth = info->server_context()->auth_context();
    if (auth != nullptr && !auth->FindPropertyValues(kMark).empty()) strangers_.Leave();
    return nullptr;
  }

 private:
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
  if (IsOurs(path) && strangers_.Enter()) {
    auth->AddProperty(kMark, "1");
    return grpc::Status::OK;
  }
  POSTRIDER_LOG_RARELY(observe::Severity::kWarning,
                       "many calls without a valid credential are under way", {});
  return known;
}

std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> WatchStrangers(
    Strangers& strangers) {
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> creators;
  creators.push_back(std::make_unique<StrangerWatch>(strangers));
  return creators;
}

}  // namespace postrider::rpc

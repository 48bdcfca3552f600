#include "server/rpc/rights.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "postrider/v1/api_key.pb.h"

namespace postrider::rpc {

Rpc RpcOf(const google::protobuf::MethodDescriptor& method) {
  Rpc rpc;
  rpc.name = absl::StrCat(method.service()->full_name(), "/", method.name());
  switch (method.options().GetExtension(v1::required_scope)) {
    case v1::SCOPE_PUBLISH:
      rpc.scope = Scope::kPublish;
      break;
    case v1::SCOPE_READ:
      rpc.scope = Scope::kRead;
      break;
    default:
      rpc.scope = Scope::kAdmin;
  }
  rpc.audited = rpc.scope == Scope::kAdmin && !absl::StartsWith(method.name(), "List");
  return rpc;
}

Rpc RpcOf(const google::protobuf::Descriptor& request) {
  const google::protobuf::FileDescriptor* file = request.file();
  for (int i = 0; i < file->service_count(); ++i) {
    const google::protobuf::ServiceDescriptor* service = file->service(i);
    for (int j = 0; j < service->method_count(); ++j) {
      if (service->method(j)->input_type() == &request) return RpcOf(*service->method(j));
    }
  }
  Rpc none;
  none.name = request.full_name();
  return none;
}

}  // namespace postrider::rpc

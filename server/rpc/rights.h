// What the contract says about each rpc: the scope that it needs. Read from the descriptors, so a
// new rpc cannot be forgotten: one that says nothing needs ADMIN.

#pragma once

#include <string>

#include "google/protobuf/descriptor.h"
#include "storage/model/callers.h"

namespace postrider::rpc {

struct Rpc {
  std::string name;  // "postrider.v1.EventService/GetEvent"
  Scope scope = Scope::kAdmin;
  // Leaves an audit record: what needs ADMIN and is no list.
  bool audited = true;
};

Rpc RpcOf(const google::protobuf::MethodDescriptor& method);

// The rpc that takes this request: each has a request of its own, beside its service. Thread-safe.
Rpc RpcOf(const google::protobuf::Descriptor& request);
template <typename Request>
const Rpc& RpcOf() {
  static const Rpc* const rpc = new Rpc(RpcOf(*Request::descriptor()));
  return *rpc;
}

}  // namespace postrider::rpc

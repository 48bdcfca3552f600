// Who calls, and what they may do. Everyone may do everything yet, but every handler is given one.

#pragma once

#include <optional>
#include <string>

#include "storage/model/records.h"

namespace grpc {
class CallbackServerContext;
}

namespace postrider::rpc {

struct Caller {
  // A credential of one org and env; none: the whole installation.
  std::optional<Tenant> tenant;

  // What an empty org_id or env_id in a request stands for.
  void FillIn(Tenant& tenant_of_request) const {
    if (!tenant) return;
    if (tenant_of_request.org_id.empty()) tenant_of_request.org_id = tenant->org_id;
    if (tenant_of_request.env_id.empty()) tenant_of_request.env_id = tenant->env_id;
  }
  // Resources of others do not exist for this caller.
  bool MaySee(const Tenant& owner) const { return !tenant || *tenant == owner; }
};

Caller CallerOf(const grpc::CallbackServerContext& context);

// The caller's W3C trace context, metadata `traceparent`; empty when there is none or it is not of
// the form 00-<32 hex>-<16 hex>-<2 hex>.
std::string TraceparentOf(const grpc::CallbackServerContext& context);

}  // namespace postrider::rpc

// Who calls, and what they may do. Every handler is given one by the gate (gate.h).

#pragma once

#include <memory>
#include <optional>
#include <string>

#include "grpcpp/support/status.h"
#include "server/access/key_directory.h"
#include "server/rpc/errors.h"
#include "storage/model/callers.h"

namespace grpc {
class CallbackServerContext;
}

namespace postrider::rpc {

// Copies stand for the same call, which counts as in flight until the last one is gone: keep one
// until the answer. Thread-safe.
struct Caller {
  // Where it may look: empty names are any.
  Tenant limit;
  Scopes scopes = Scopes::All();
  // None: somebody on this machine, without a credential.
  std::shared_ptr<access::KeyInUse> key;
  access::Places::Place place;
  access::Places::Place place_of_key;

  // Fills what a request leaves out from the credential. Another org or environment than the
  // credential's makes the request PERMISSION_DENIED; `prefix` is before the fields' names.
  void FillIn(Tenant& tenant_of_request, const std::string& prefix, FieldErrors& errors) const;

  // Resources of others do not exist for this caller.
  bool MaySee(const Tenant& owner) const {
    return (limit.org_id.empty() || limit.org_id == owner.org_id) &&
           (limit.env_id.empty() || limit.env_id == owner.env_id);
  }

  // For `count` more messages of a call that is let in already, items of a batch or a stream: OK;
  // RESOURCE_EXHAUSTED, above the key's rate; UNAUTHENTICATED, when the key ended meanwhile.
  grpc::Status Charge(int count, absl::Time now) const;
};

// For calls whose key was good when they began.
grpc::Status KeyEnded();

// The caller's W3C trace context, metadata `traceparent`; empty when there is none or it is not of
// the form 00-<32 hex>-<16 hex>-<2 hex>.
std::string TraceparentOf(const grpc::CallbackServerContext& context);

}  // namespace postrider::rpc

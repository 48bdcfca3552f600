// Where every call comes in: who it is, whether they may make it, and whether there is room.
//
// A credential is the metadata `authorization: Bearer prk_<id>_<secret>`, or a client certificate
// one of whose names a key carries. One that is given is judged, also where none would be needed.

#pragma once

#include <map>
#include <memory>
#include <string_view>

#include "grpcpp/security/auth_context.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/string_ref.h"
#include "server/access/allowance.h"
#include "server/access/key_directory.h"
#include "server/rpc/caller.h"
#include "server/rpc/rights.h"

namespace postrider::rpc {

// Who may do everything without a credential.
enum class LocalTrust {
  kNobody,
  kMarked,  // who came in by a unix socket, or by a listener that is marked as local (listeners.h)
  kEverybody,  // every listener is a loopback address or a unix socket
};

struct GateOptions {
  LocalTrust trust = LocalTrust::kNobody;
  bool client_certificates = false;  // whether listeners ask for them
  int calls_in_flight = 20000;       // of this server, streams included
};

using CallMetadata = std::multimap<grpc::string_ref, grpc::string_ref>;

// Thread-safe.
class Gate {
 public:
  Gate(const access::KeyDirectory& keys, const DatabaseClock& clock, GateOptions options)
      : keys_(keys), clock_(clock), options_(options), places_(options.calls_in_flight) {}

  // Never waits. OK and the caller, or the status to end the call with: UNAUTHENTICATED,
  // PERMISSION_DENIED (the scope), RESOURCE_EXHAUSTED (the key's rate or calls in flight),
  // UNAVAILABLE (keys could not be read for too long).
  template <typename Request>
  grpc::Status Admit(const grpc::CallbackServerContext& context, Caller& caller) {
    return Admit(context, RpcOf<Request>(), caller);
  }
  grpc::Status Admit(const grpc::CallbackServerContext& context, const Rpc& rpc, Caller& caller);

  // Only who it is, of a call that nobody is trusted to make without a credential: OK and the key,
  // UNAUTHENTICATED or UNAVAILABLE. Never waits.
  grpc::Status Identify(const CallMetadata& metadata, const grpc::AuthContext* auth,
                        Caller& caller) const;

  // Whether the call came by a listener that lets everybody in.
  bool IsTrusted(const grpc::ServerContextBase& context) const;

  // For one more message of a stream that was let in: OK; RESOURCE_EXHAUSTED, above the key's rate;
  // UNAVAILABLE, as above; UNAUTHENTICATED, when the key ended meanwhile.
  grpc::Status AdmitItem(const Caller& caller) const;
  // Whether the key of a call that was let in has ended.
  bool HasEnded(const Caller& caller) const {
    return caller.key != nullptr && !caller.key->ValidAt(clock_.Now());
  }

 private:
  bool KnowsKeys() const { return keys_.Fresh(MonotonicNow()); }
  static bool HasAuthorization(const CallMetadata& metadata);
  std::shared_ptr<access::KeyInUse> FindBySecret(std::string_view authorization) const;
  std::shared_ptr<access::KeyInUse> FindByCertificate(const grpc::AuthContext* auth) const;

  const access::KeyDirectory& keys_;
  const DatabaseClock& clock_;
  const GateOptions options_;
  access::Places places_;
};

}  // namespace postrider::rpc

#include "server/rpc/gate.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "grpcpp/security/auth_context.h"
#include "server/observe/log.h"
#include "server/rpc/listeners.h"
#include "server/security/api_key.h"

namespace postrider::rpc {
namespace {

grpc::Status Unauthenticated(const char* why) {
  return Error(grpc::StatusCode::UNAUTHENTICATED, reason::kUnauthenticated, why);
}

grpc::Status KeysUnknown() {
  return RetryLater(grpc::StatusCode::UNAVAILABLE, reason::kUnavailable,
                    "the database cannot be reached just now, so the API key cannot be checked",
                    absl::Seconds(1));
}

std::string ScopeName(Scope scope) {
  switch (scope) {
    case Scope::kPublish:
      return "PUBLISH";
    case Scope::kRead:
      return "READ";
    case Scope::kAdmin:
      return "ADMIN";
  }
  return "";
}

}  // namespace

grpc::Status Gate::Admit(const grpc::CallbackServerContext& context, const Rpc& rpc,
                         Caller& caller) {
  // Made anew for every call, so only where certificates count.
  const std::shared_ptr<const grpc::AuthContext> auth =
      options_.client_certificates ? context.auth_context() : nullptr;
  const bool without = !HasAuthorization(context.client_metadata()) &&
                       FindByCertificate(auth.get()) == nullptr && IsTrusted(context);
  if (without) {
    if (options_.client_certificates && !KnowsKeys()) return KeysUnknown();
  } else if (grpc::Status known = Identify(context.client_metadata(), auth.get(), caller);
             !known.ok()) {
    POSTRIDER_LOG_RARELY(observe::Severity::kWarning, "a call came without a valid credential",
                         {{"peer", context.peer()}});
    return known;
  }
  caller.place = places_.Take();
  if (caller.key != nullptr) caller.place_of_key = caller.key->places.Take();
  if (caller.place == nullptr || (caller.key != nullptr && caller.place_of_key == nullptr)) {
    return RetryLater(grpc::StatusCode::RESOURCE_EXHAUSTED, reason::kOverloaded,
                      "too many calls are in flight: slow down", absl::Seconds(1));
  }
  if (caller.key == nullptr) return grpc::Status::OK;
  const absl::Time now = clock_.Now();
  if (grpc::Status charged = caller.Charge(1, now); !charged.ok()) return charged;
  caller.key->last_use_micros = absl::ToUnixMicros(now);
  if (!caller.scopes.Allow(rpc.scope)) {
    POSTRIDER_LOG_RARELY(observe::Severity::kWarning, "a key called what its scopes do not allow",
                         {{"api_key_id", caller.key->id().ToText()}, {"rpc", rpc.name}});
    return Error(grpc::StatusCode::PERMISSION_DENIED, reason::kPermissionDenied,
                 absl::StrCat("this call needs the scope ", ScopeName(rpc.scope),
                              ", which the API key does not have"));
  }
  return grpc::Status::OK;
}

grpc::Status Gate::AdmitItem(const Caller& caller) const {
  if (caller.key != nullptr && !KnowsKeys()) return KeysUnknown();
  return caller.Charge(1, clock_.Now());
}

bool Gate::HasAuthorization(const CallMetadata& metadata) {
  return metadata.find("authorization") != metadata.end();
}

grpc::Status Gate::Identify(const CallMetadata& metadata, const grpc::AuthContext* auth,
                            Caller& caller) const {
  const auto [first, last] = metadata.equal_range("authorization");
  const bool has_authorization = first != last;
  if (has_authorization) {
    if (std::next(first) != last) return Unauthenticated("authorization is given twice");
    caller.key = FindBySecret(std::string_view(first->second.data(), first->second.size()));
  } else {
    caller.key = FindByCertificate(auth);
  }
  if ((has_authorization || options_.client_certificates) && !KnowsKeys()) return KeysUnknown();
  if (caller.key != nullptr && caller.key->ValidAt(clock_.Now())) {
    caller.limit = caller.key->known.key.limit;
    caller.scopes = caller.key->known.key.scopes;
    return grpc::Status::OK;
  }
  // The same for a key that never was, a wrong secret, a revoked and an expired one: guessing
  // teaches nothing.
  if (has_authorization || caller.key != nullptr) {
    return Unauthenticated("the API key is unknown, revoked or expired");
  }
  return Unauthenticated(
      "this server wants a credential: metadata `authorization: Bearer` with an API key, or a "
      "client certificate that an API key names");
}

std::shared_ptr<access::KeyInUse> Gate::FindBySecret(std::string_view authorization) const {
  constexpr size_t kSchemeBytes = 7;
  if (!absl::EqualsIgnoreCase(
          absl::string_view(authorization.data(), std::min(authorization.size(), kSchemeBytes)),
          "bearer ")) {
    return nullptr;
  }
  const std::optional<security::ApiKeyText> given =
      security::ParseApiKey(authorization.substr(kSchemeBytes));
  if (!given) return nullptr;
  std::shared_ptr<access::KeyInUse> key = keys_.Find(given->id);
  if (key == nullptr || !security::MatchesDigest(given->secret, key->known.secret_digest)) {
    return nullptr;
  }
  return key;
}

std::shared_ptr<access::KeyInUse> Gate::FindByCertificate(const grpc::AuthContext* auth) const {
  if (!options_.client_certificates) return nullptr;
  if (auth == nullptr || !auth->IsPeerAuthenticated()) return nullptr;
  for (const char* kind : {"peer_dns", "peer_uri"}) {
    for (const grpc::string_ref& name : auth->FindPropertyValues(kind)) {
      if (auto key = keys_.FindByCertificate(std::string(name.data(), name.size()))) return key;
    }
  }
  return nullptr;
}

bool Gate::IsTrusted(const grpc::ServerContextBase& context) const {
  switch (options_.trust) {
    case LocalTrust::kNobody:
      return false;
    case LocalTrust::kMarked:
      return absl::StartsWith(context.peer(), "unix:") || IsMarkedLocal(*context.auth_context());
    case LocalTrust::kEverybody:
      return true;
  }
  return false;
}

}  // namespace postrider::rpc

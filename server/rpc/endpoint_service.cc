#include "server/rpc/endpoint_service.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/rpc/call.h"
#include "server/rpc/convert.h"
#include "server/rpc/fields.h"
#include "server/rpc/page_token.h"
#include "server/rpc/unimplemented.h"
#include "server/security/digest.h"
#include "server/signing/secret_text.h"

namespace postrider::rpc {
namespace {

constexpr absl::Duration kDefaultOverlap = absl::Hours(24);
constexpr absl::Duration kLongestOverlap = absl::Hours(7 * 24);

std::string NotFoundText(EndpointId id) { return absl::StrCat("no endpoint ", id.ToText()); }

grpc::Status FromEndpointStore(const absl::Status& status, EndpointId id) {
  if (absl::IsNotFound(status)) {
    return Error(grpc::StatusCode::NOT_FOUND, reason::kNotFound, NotFoundText(id));
  }
  return FromStore(status);
}

// The scheme asked for, none if that is left open.
std::optional<SignatureScheme> CheckScheme(v1::SignatureScheme scheme, const char* field,
                                           FieldErrors& errors) {
  if (scheme == v1::SIGNATURE_SCHEME_UNSPECIFIED) return std::nullopt;
  if (scheme == v1::SIGNATURE_SCHEME_HMAC_SHA256) return SignatureScheme::kHmacSha256;
  if (scheme == v1::SIGNATURE_SCHEME_ED25519) return SignatureScheme::kEd25519;
  errors.Add(field, "is not a scheme that this server knows");
  return std::nullopt;
}

signing::SignatureScheme SigningScheme(SignatureScheme scheme) {
  switch (scheme) {
    case SignatureScheme::kHmacSha256:
      return signing::SignatureScheme::kHmacSha256;
    case SignatureScheme::kEd25519:
      return signing::SignatureScheme::kEd25519;
  }
  return signing::SignatureScheme::kHmacSha256;
}

// By what a secret begins with.
SignatureScheme SchemeOf(const std::string& secret) {
  return secret.starts_with(signing::kEd25519SecretPrefix) ? SignatureScheme::kEd25519
                                                           : SignatureScheme::kHmacSha256;
}

// The caller's secret, or a new one.
signing::SecretText CheckSecret(SignatureScheme scheme, const std::string* given,
                                FieldErrors& errors) {
  if (given == nullptr) return signing::GenerateSecret(SigningScheme(scheme));
  absl::StatusOr<signing::SecretText> secret = signing::ReadSecret(SigningScheme(scheme), *given);
  if (secret.ok()) return *std::move(secret);
  errors.Add("secret", absl::StrCat("is refused: ", std::string(secret.status().message())));
  return {};
}

std::vector<std::string> NamesOf(const HeaderPairs& headers) {
  std::vector<std::string> names;
  for (const auto& header : headers) names.push_back(header.first);
  return names;
}

// Values given as "***" stay what they are.
absl::Status KeepRedacted(const HeaderPairs& stored, HeaderPairs& headers) {
  for (auto& [name, value] : headers) {
    if (value != kRedacted) continue;
    const auto it = std::find_if(stored.begin(), stored.end(), [&name = name](const auto& header) {
      return header.first == name;
    });
    if (it == stored.end()) {
      return absl::InvalidArgumentError(
          "holds *** for a header that is not stored: give its value");
    }
    value = it->second;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Endpoint> EndpointService::Visible(const Caller& caller, EndpointId id) {
  absl::StatusOr<Endpoint> endpoint = parts_.endpoints.Get(id);
  if (endpoint.ok() && !caller.MaySee(endpoint->tenant)) {
    return absl::NotFoundError("no such endpoint");
  }
  return endpoint;
}

grpc::Status EndpointService::Create(const Caller& caller, const v1::CreateEndpointRequest& request,
                                     v1::CreateEndpointResponse& response) {
  FieldErrors errors;
  Endpoint endpoint;
  HeaderPairs headers;
  endpoint.tenant = Tenant{request.endpoint().org_id(), request.endpoint().env_id()};
  caller.FillIn(endpoint.tenant, "endpoint.", errors);
  if (!request.has_endpoint()) errors.Add("endpoint", "must be set");
  if (request.has_endpoint()) {
    for (const auto& [field, value] : {std::pair("endpoint.org_id", &endpoint.tenant.org_id),
                                       std::pair("endpoint.env_id", &endpoint.tenant.env_id)}) {
      absl::Status status = envelope::CheckTenantId(*value);
      if (!status.ok()) errors.Add(field, std::string(status.message()));
    }
    SettingNames names = AllSettings();
    CheckSettings(request.endpoint(), names, parts_.rules, endpoint.config, headers, errors);
    endpoint.signature_scheme =
        CheckScheme(request.endpoint().signature_scheme(), "endpoint.signature_scheme", errors)
            .value_or(SignatureScheme::kHmacSha256);
    for (const auto& header : headers) {
      if (header.second == kRedacted) {
        errors.Add("endpoint.headers", "holds *** for a header that is not stored: give its value");
        break;
      }
    }
  }
  const signing::SecretText made = CheckSecret(
      endpoint.signature_scheme, request.has_secret() ? &request.secret() : nullptr, errors);
  CheckRequestId(request.request_id(), errors);
  if (!errors.empty()) return errors.ToStatus();

  endpoint.id = parts_.new_endpoint_id(parts_.clock.Now());
  endpoint.config.header_names = NamesOf(headers);
  endpoint.public_key = made.public_key;
  endpoint.secret_hint = signing::SecretHint(made.text);
  auto sealed_headers = secrets_.SealHeaders(endpoint.tenant, endpoint.id, headers);
  if (!sealed_headers.ok()) return FromStore(sealed_headers.status());
  endpoint.config.headers = *std::move(sealed_headers);
  EndpointSecret secret;
  secret.version = 1;
  auto sealed = secrets_.SealSecret(endpoint.tenant, endpoint.id, secret.version, made.text);
  if (!sealed.ok()) return FromStore(sealed.status());
  secret.sealed = *std::move(sealed);

  v1::CreateEndpointRequest content = request;
  content.clear_request_id();
  absl::StatusOr<EndpointStore::Created> created = parts_.endpoints.Create(
      endpoint, secret, {request.request_id(), security::Sha256({DeterministicBytes(content)})},
      parts_.max_endpoints_per_environment);
  if (!created.ok()) return FromStore(created.status());
  // What is stored says the secret: of a repeated request it is the first call's.
  absl::StatusOr<std::string> text =
      secrets_.OpenSecret(created->endpoint.tenant, created->endpoint.id, created->secret);
  if (!text.ok()) return FromStore(text.status());
  ToProto(created->endpoint, response.mutable_endpoint());
  response.set_secret(*text);
  return grpc::Status::OK;
}

grpc::Status EndpointService::Get(const Caller& caller, const v1::GetEndpointRequest& request,
                                  v1::GetEndpointResponse& response) {
  FieldErrors errors;
  const EndpointId id = CheckId<EndpointId>(request.endpoint_id(), "endpoint_id", errors);
  if (!errors.empty()) return errors.ToStatus();
  absl::StatusOr<Endpoint> endpoint = Visible(caller, id);
  if (!endpoint.ok()) return FromEndpointStore(endpoint.status(), id);
  ToProto(*endpoint, response.mutable_endpoint());
  return grpc::Status::OK;
}

grpc::Status EndpointService::List(const Caller& caller, const v1::ListEndpointsRequest& request,
                                   v1::ListEndpointsResponse& response) {
  FieldErrors errors;
  EndpointFilter filter;
  filter.tenant = Tenant{request.org_id(), request.env_id()};
  caller.FillIn(filter.tenant, "", errors);
  CheckTenantFilter(filter.tenant, errors);
  if (request.state() == v1::ENDPOINT_STATE_ENABLED) filter.state = EndpointState::kEnabled;
  if (request.state() == v1::ENDPOINT_STATE_DISABLED) filter.state = EndpointState::kDisabled;
  if (!v1::EndpointState_IsValid(request.state())) {
    errors.Add("state", "is not a state of an endpoint");
  }
  const std::string list = FilterOf(request);
  const PageRequest page = CheckPage(request.page_size(), request.page_token(), list, errors);
  if (!errors.empty()) return errors.ToStatus();
  absl::StatusOr<Page<Endpoint>> endpoints = parts_.endpoints.List(filter, page);
  if (!endpoints.ok()) return FromStore(endpoints.status());
  FillPage(*endpoints, list, response.mutable_endpoints(), response);
  return grpc::Status::OK;
}

grpc::Status EndpointService::Update(const Caller& caller, const v1::UpdateEndpointRequest& request,
                                     v1::UpdateEndpointResponse& response) {
  FieldErrors errors;
  const EndpointId id = CheckId<EndpointId>(request.endpoint().id(), "endpoint.id", errors);
  Tenant owner{request.endpoint().org_id(), request.endpoint().env_id()};
  caller.FillIn(owner, "endpoint.", errors);
  const SettingNames names = request.update_mask().paths().empty()
                                 ? SetSettings(request.endpoint())
                                 : MaskedSettings(request.update_mask(), errors);
  const v1::SignatureScheme scheme = request.endpoint().signature_scheme();
  if (names.empty() && errors.empty() && scheme == v1::SIGNATURE_SCHEME_UNSPECIFIED) {
    errors.Add("update_mask", "is empty and the endpoint sets no field: nothing to update");
  }
  EndpointConfig wanted;
  HeaderPairs headers;
  CheckSettings(request.endpoint(), names, parts_.rules, wanted, headers, errors);
  const auto same_scheme = CheckScheme(scheme, "endpoint.signature_scheme", errors);
  if (!errors.empty()) return errors.ToStatus();

  grpc::Status refused;
  absl::StatusOr<Endpoint> updated =
      parts_.endpoints.Update(id, [&](Endpoint& endpoint) -> absl::Status {
        if (!caller.MaySee(endpoint.tenant)) return absl::NotFoundError("no such endpoint");
        if (!request.endpoint().etag().empty() && request.endpoint().etag() != EtagOf(endpoint)) {
          refused = Error(grpc::StatusCode::ABORTED, reason::kEtagMismatch,
                          "the endpoint changed since it was read: read it again and repeat the "
                          "update with the new etag");
          return absl::CancelledError();
        }
        EndpointConfig next = endpoint.config;
        FieldErrors late;
        if (same_scheme.value_or(endpoint.signature_scheme) != endpoint.signature_scheme) {
          late.Add("endpoint.signature_scheme", "changes only through RotateEndpointSecret");
          refused = late.ToStatus();
          return absl::CancelledError();
        }
        HeaderPairs pairs;
        CheckSettings(request.endpoint(), names, parts_.rules, next, pairs, late);
        if (names.contains("headers")) {
          absl::StatusOr<HeaderPairs> stored = secrets_.OpenHeaders(endpoint);
          if (!stored.ok()) return stored.status();
          if (absl::Status kept = KeepRedacted(*stored, pairs); !kept.ok()) {
            late.Add("endpoint.headers", std::string(kept.message()));
            refused = late.ToStatus();
            return absl::CancelledError();
          }
          auto sealed = secrets_.SealHeaders(endpoint.tenant, endpoint.id, pairs);
          if (!sealed.ok()) return sealed.status();
          next.headers = *std::move(sealed);
          next.header_names = NamesOf(pairs);
        }
        endpoint.config = std::move(next);
        return absl::OkStatus();
      });
  if (absl::IsCancelled(updated.status())) return refused;
  if (!updated.ok()) return FromEndpointStore(updated.status(), id);
  ToProto(*updated, response.mutable_endpoint());
  return grpc::Status::OK;
}

grpc::Status EndpointService::Rotate(const Caller& caller,
                                     const v1::RotateEndpointSecretRequest& request,
                                     v1::RotateEndpointSecretResponse& response) {
  FieldErrors errors;
  const EndpointId id = CheckId<EndpointId>(request.endpoint_id(), "endpoint_id", errors);
  const std::string* const given = request.has_secret() ? &request.secret() : nullptr;
  const auto asked_scheme = CheckScheme(request.signature_scheme(), "signature_scheme", errors);
  // With the scheme left open, a secret is judged by its own until the endpoint's is known.
  signing::SecretText made =
      CheckSecret(asked_scheme.value_or(SchemeOf(request.secret())), given, errors);
  CheckRequestId(request.request_id(), errors);
  SecretRotation rotation;
  rotation.overlap = kDefaultOverlap;
  if (request.has_overlap()) {
    const std::optional<absl::Duration> overlap = FromProto(request.overlap());
    if (!overlap || *overlap < absl::ZeroDuration() || *overlap > kLongestOverlap) {
      errors.Add("overlap", "must be 0 to 7 days");
    } else {
      rotation.overlap = *overlap;
    }
  }
  if (!errors.empty()) return errors.ToStatus();

  // The version first: if nobody else rotates, the scheme that is read after it still holds.
  const absl::StatusOr<int32_t> version = parts_.endpoints.NextSecretVersion(id);
  if (!version.ok()) return FromStore(version.status());
  const absl::StatusOr<Endpoint> endpoint = Visible(caller, id);
  if (!endpoint.ok()) return FromEndpointStore(endpoint.status(), id);
  rotation.scheme = asked_scheme.value_or(endpoint->signature_scheme);
  if (!asked_scheme) made = CheckSecret(rotation.scheme, given, errors);
  if (!errors.empty()) return errors.ToStatus();
  auto sealed = secrets_.SealSecret(endpoint->tenant, id, *version, made.text);
  if (!sealed.ok()) return FromStore(sealed.status());
  rotation.sealed = *std::move(sealed);
  rotation.hint = signing::SecretHint(made.text);
  rotation.public_key = made.public_key;
  v1::RotateEndpointSecretRequest content = request;
  content.clear_request_id();
  absl::StatusOr<EndpointStore::Rotated> rotated = parts_.endpoints.RotateSecret(
      id, *version, rotation,
      {request.request_id(), security::Sha256({DeterministicBytes(content)})});
  if (!rotated.ok()) return FromEndpointStore(rotated.status(), id);
  absl::StatusOr<std::string> stored =
      secrets_.OpenSecret(rotated->endpoint.tenant, id, rotated->secret);
  if (!stored.ok()) return FromStore(stored.status());
  ToProto(rotated->endpoint, response.mutable_endpoint());
  response.set_secret(*stored);
  return grpc::Status::OK;
}

grpc::ServerUnaryReactor* EndpointService::CreateEndpoint(Context* context, const Bytes* in,
                                                          Bytes* out) {
  return Blocking<v1::CreateEndpointRequest, v1::CreateEndpointResponse>(
      context, in, out, parts_.reception, [this](auto& caller, auto& request, auto& response) {
        return Create(caller, request, response);
      });
}

grpc::ServerUnaryReactor* EndpointService::GetEndpoint(Context* context, const Bytes* in,
                                                       Bytes* out) {
  return Blocking<v1::GetEndpointRequest, v1::GetEndpointResponse>(
      context, in, out, parts_.reception, [this](auto& caller, auto& request, auto& response) {
        return Get(caller, request, response);
      });
}

grpc::ServerUnaryReactor* EndpointService::ListEndpoints(Context* context, const Bytes* in,
                                                         Bytes* out) {
  return Blocking<v1::ListEndpointsRequest, v1::ListEndpointsResponse>(
      context, in, out, parts_.reception, [this](auto& caller, auto& request, auto& response) {
        return List(caller, request, response);
      });
}

grpc::ServerUnaryReactor* EndpointService::UpdateEndpoint(Context* context, const Bytes* in,
                                                          Bytes* out) {
  return Blocking<v1::UpdateEndpointRequest, v1::UpdateEndpointResponse>(
      context, in, out, parts_.reception, [this](auto& caller, auto& request, auto& response) {
        return Update(caller, request, response);
      });
}

grpc::ServerUnaryReactor* EndpointService::DeleteEndpoint(Context* context, const Bytes* in,
                                                          Bytes* out) {
  return Blocking<v1::DeleteEndpointRequest, v1::DeleteEndpointResponse>(
      context, in, out, parts_.reception,
      [this](auto& caller, auto& request, auto&) -> grpc::Status {
        FieldErrors errors;
        const EndpointId id = CheckId<EndpointId>(request.endpoint_id(), "endpoint_id", errors);
        if (!errors.empty()) return errors.ToStatus();
        absl::Status status = Visible(caller, id).status();
        if (status.ok()) status = parts_.endpoints.Delete(id);
        return status.ok() ? grpc::Status::OK : FromEndpointStore(status, id);
      });
}

grpc::ServerUnaryReactor* EndpointService::EnableEndpoint(Context* context, const Bytes* in,
                                                          Bytes* out) {
  return Blocking<v1::EnableEndpointRequest, v1::EnableEndpointResponse>(
      context, in, out, parts_.reception,
      [this](auto& caller, auto& request, auto& response) -> grpc::Status {
        FieldErrors errors;
        const EndpointId id = CheckId<EndpointId>(request.endpoint_id(), "endpoint_id", errors);
        if (!errors.empty()) return errors.ToStatus();
        absl::StatusOr<Endpoint> endpoint = Visible(caller, id);
        if (endpoint.ok()) endpoint = parts_.endpoints.Enable(id, request.discard_pending());
        if (!endpoint.ok()) return FromEndpointStore(endpoint.status(), id);
        ToProto(*endpoint, response.mutable_endpoint());
        return grpc::Status::OK;
      });
}

grpc::ServerUnaryReactor* EndpointService::DisableEndpoint(Context* context, const Bytes* in,
                                                           Bytes* out) {
  return Blocking<v1::DisableEndpointRequest, v1::DisableEndpointResponse>(
      context, in, out, parts_.reception,
      [this](auto& caller, auto& request, auto& response) -> grpc::Status {
        FieldErrors errors;
        const EndpointId id = CheckId<EndpointId>(request.endpoint_id(), "endpoint_id", errors);
        if (!errors.empty()) return errors.ToStatus();
        absl::StatusOr<Endpoint> endpoint = Visible(caller, id);
        if (endpoint.ok()) endpoint = parts_.endpoints.Disable(id);
        if (!endpoint.ok()) return FromEndpointStore(endpoint.status(), id);
        ToProto(*endpoint, response.mutable_endpoint());
        return grpc::Status::OK;
      });
}

grpc::ServerUnaryReactor* EndpointService::RotateEndpointSecret(Context* context, const Bytes* in,
                                                                Bytes* out) {
  return Blocking<v1::RotateEndpointSecretRequest, v1::RotateEndpointSecretResponse>(
      context, in, out, parts_.reception, [this](auto& caller, auto& request, auto& response) {
        return Rotate(caller, request, response);
      });
}

grpc::ServerUnaryReactor* EndpointService::TestEndpoint(Context* context, const Bytes*, Bytes*) {
  return Refuse<v1::TestEndpointRequest>(context, parts_.reception);
}

grpc::ServerUnaryReactor* EndpointService::GetEndpointStats(Context* context, const Bytes*,
                                                            Bytes*) {
  return Refuse<v1::GetEndpointStatsRequest>(context, parts_.reception);
}

}  // namespace postrider::rpc

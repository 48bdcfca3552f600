#include "server/rpc/api_key_service.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "server/observe/log.h"
#include "server/rpc/api_key_request.h"
#include "server/rpc/call.h"
#include "server/rpc/convert.h"
#include "server/rpc/fields.h"
#include "server/rpc/page_token.h"
#include "server/security/api_key.h"
#include "server/security/digest.h"
#include "server/security/endpoint_seal.h"
#include "server/security/random.h"

namespace postrider::rpc {
namespace {

constexpr size_t kMaxResourceIdBytes = 64;

std::string AnswerContext(const ApiKey& key, const std::string& id) {
  return security::AssociatedData(security::ApiKeyAnswerContext(key.limit, id));
}

grpc::Status FromKeyStore(const absl::Status& status, ApiKeyId id) {
  if (absl::IsNotFound(status)) {
    return Error(grpc::StatusCode::NOT_FOUND, reason::kNotFound,
                 absl::StrCat("no API key ", id.ToText()));
  }
  return FromStore(status);
}

}  // namespace

grpc::Status ApiKeyService::Create(const Caller& caller, const v1::CreateApiKeyRequest& request,
                                   v1::CreateApiKeyResponse& response) {
  FieldErrors errors;
  const absl::Time now = parts_.clock.Now();
  ApiKey key;
  if (request.has_api_key()) {
    CheckApiKey(request.api_key(), caller, now, key, errors);
  } else {
    errors.Add("api_key", "must be set");
  }
  CheckRequestId(request.request_id(), errors);
  if (!errors.empty()) return errors.ToStatus();

  key.id = parts_.new_key_id(now);
  std::string text = security::NewApiKey(key.id, security::RandomBytes);
  const absl::Cleanup forget = [&text] { security::Cleanse(text.data(), text.size()); };
  ApiKeyRequest retry;
  retry.id = request.request_id();
  if (!retry.id.empty()) {
    v1::CreateApiKeyRequest content = request;
    content.clear_request_id();
    retry.digest = security::Sha256({DeterministicBytes(content)});
    if (caller.key != nullptr) retry.caller = caller.key->id().ToText();
    auto sealed = parts_.ring.Seal(text, AnswerContext(key, key.id.ToText()));
    if (!sealed.ok()) return FromStore(sealed.status());
    retry.answer = {sealed->key_id, sealed->nonce, sealed->bytes};
  }
  const std::string digest = security::ApiKeyDigest(security::ParseApiKey(text)->secret);
  absl::StatusOr<ApiKeyStore::Created> created =
      parts_.keys.Create(key, digest, retry, parts_.limits);
  if (!created.ok()) return FromStore(created.status());
  if (created->certificate_taken) {
    return Error(grpc::StatusCode::ALREADY_EXISTS, reason::kCertificateTaken,
                 "api_key.certificate_san is another key's: revoke that one first");
  }
  if (created->first_answer) {
    const SealedBytes& sealed = *created->first_answer;
    absl::StatusOr<std::string> first =
        parts_.ring.Open({sealed.key_id, sealed.nonce, sealed.bytes},
                         AnswerContext(created->key, created->key.id.ToText()));
    if (!first.ok()) return FromStore(first.status());
    text = *std::move(first);
  }
  RefreshDirectory();
  ToProto(created->key, response.mutable_api_key());
  response.set_key(text);
  return grpc::Status::OK;
}

grpc::Status ApiKeyService::List(const Caller& caller, const v1::ListApiKeysRequest& request,
                                 v1::ListApiKeysResponse& response) {
  FieldErrors errors;
  Tenant limit{request.org_id(), request.env_id()};
  caller.FillIn(limit, "", errors);
  CheckTenantFilter(limit, errors);
  const std::string list = FilterOf(request);
  const PageRequest page = CheckPage(request.page_size(), request.page_token(), list, errors);
  if (!errors.empty()) return errors.ToStatus();
  absl::StatusOr<Page<ApiKey>> found = parts_.keys.List(limit, page);
  if (!found.ok()) return FromStore(found.status());
  FillPage(*found, list, response.mutable_api_keys(), response);
  return grpc::Status::OK;
}

grpc::Status ApiKeyService::Revoke(const Caller& caller, const v1::RevokeApiKeyRequest& request) {
  FieldErrors errors;
  const ApiKeyId id = CheckId<ApiKeyId>(request.api_key_id(), "api_key_id", errors);
  if (!errors.empty()) return errors.ToStatus();
  const absl::StatusOr<ApiKey> key = parts_.keys.Get(id);
  absl::Status status = key.status();
  if (key.ok() && !caller.MaySee(key->limit)) status = absl::NotFoundError("no such key");
  if (status.ok()) status = parts_.keys.Revoke(id);
  if (!status.ok()) return FromKeyStore(status, id);
  RefreshDirectory();
  return grpc::Status::OK;
}

grpc::Status ApiKeyService::Records(const Caller& caller,
                                    const v1::ListAuditRecordsRequest& request,
                                    v1::ListAuditRecordsResponse& response) {
  FieldErrors errors;
  AuditFilter filter;
  filter.tenant = Tenant{request.org_id(), request.env_id()};
  caller.FillIn(filter.tenant, "", errors);
  CheckTenantFilter(filter.tenant, errors);
  filter.key_id = CheckOptionalId<ApiKeyId>(request.api_key_id(), "api_key_id", errors);
  filter.resource_id = request.resource_id();
  if (filter.resource_id.size() > kMaxResourceIdBytes ||
      filter.resource_id.find('\0') != std::string::npos) {
    errors.Add("resource_id",
               absl::StrCat("must be an id of at most ", kMaxResourceIdBytes, " bytes"));
  }
  CheckTimes(request, filter.start_time, filter.end_time, errors);
  const std::string list = FilterOf(request);
  const PageRequest page = CheckPage(request.page_size(), request.page_token(), list, errors);
  if (!errors.empty()) return errors.ToStatus();
  absl::StatusOr<Page<AuditRecord>> found = parts_.records.List(filter, page);
  if (!found.ok()) return FromStore(found.status());
  FillPage(*found, list, response.mutable_audit_records(), response);
  return grpc::Status::OK;
}

void ApiKeyService::RefreshDirectory() {
  if (absl::Status read = parts_.directory.Refresh(); !read.ok()) {
    POSTRIDER_LOG_RARELY(observe::Severity::kWarning, "cannot follow the API keys",
                         {{"error", std::string(read.message())}});
  }
}

grpc::ServerUnaryReactor* ApiKeyService::CreateApiKey(Context* context, const Bytes* in,
                                                      Bytes* out) {
  return Blocking<v1::CreateApiKeyRequest, v1::CreateApiKeyResponse>(
      context, in, out, parts_.reception, [this](auto& caller, auto& request, auto& response) {
        return Create(caller, request, response);
      });
}

grpc::ServerUnaryReactor* ApiKeyService::ListApiKeys(Context* context, const Bytes* in,
                                                     Bytes* out) {
  return Blocking<v1::ListApiKeysRequest, v1::ListApiKeysResponse>(
      context, in, out, parts_.reception, [this](auto& caller, auto& request, auto& response) {
        return List(caller, request, response);
      });
}

grpc::ServerUnaryReactor* ApiKeyService::RevokeApiKey(Context* context, const Bytes* in,
                                                      Bytes* out) {
  return Blocking<v1::RevokeApiKeyRequest, v1::RevokeApiKeyResponse>(
      context, in, out, parts_.reception,
      [this](auto& caller, auto& request, auto&) { return Revoke(caller, request); });
}

grpc::ServerUnaryReactor* ApiKeyService::ListAuditRecords(Context* context, const Bytes* in,
                                                          Bytes* out) {
  return Blocking<v1::ListAuditRecordsRequest, v1::ListAuditRecordsResponse>(
      context, in, out, parts_.reception, [this](auto& caller, auto& request, auto& response) {
        return Records(caller, request, response);
      });
}

}  // namespace postrider::rpc

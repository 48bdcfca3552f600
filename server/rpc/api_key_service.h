// ApiKeyService.

#pragma once

#include <functional>

#include "postrider/v1/api_key_service.grpc.pb.h"
#include "server/access/key_directory.h"
#include "server/rpc/caller.h"
#include "server/rpc/reception.h"
#include "server/runtime/clock.h"
#include "server/security/sealer.h"
#include "storage/api_key_store.h"
#include "storage/audit_store.h"

namespace postrider::rpc {

struct ApiKeyParts {
  ApiKeyStore& keys;
  AuditStore& records;
  access::KeyDirectory& directory;
  const security::KeyRing& ring;  // seals answers that can be asked for again
  const Reception& reception;
  const DatabaseClock& clock;
  std::function<ApiKeyId(absl::Time)> new_key_id;
  ApiKeyLimits limits = {};
};

class ApiKeyService final : public v1::ApiKeyService::WithRawCallbackMethod_CreateApiKey<
                                v1::ApiKeyService::WithRawCallbackMethod_ListApiKeys<
                                    v1::ApiKeyService::WithRawCallbackMethod_RevokeApiKey<
                                        v1::ApiKeyService::WithRawCallbackMethod_ListAuditRecords<
                                            v1::ApiKeyService::Service>>>> {
 public:
  explicit ApiKeyService(ApiKeyParts parts) : parts_(std::move(parts)) {}

  using Reactor = grpc::ServerUnaryReactor;
  using Context = grpc::CallbackServerContext;
  using Bytes = grpc::ByteBuffer;

  Reactor* CreateApiKey(Context* context, const Bytes* in, Bytes* out) override;
  Reactor* ListApiKeys(Context* context, const Bytes* in, Bytes* out) override;
  Reactor* RevokeApiKey(Context* context, const Bytes* in, Bytes* out) override;
  Reactor* ListAuditRecords(Context* context, const Bytes* in, Bytes* out) override;

 private:
  grpc::Status Create(const Caller& caller, const v1::CreateApiKeyRequest& request,
                      v1::CreateApiKeyResponse& response);
  grpc::Status List(const Caller& caller, const v1::ListApiKeysRequest& request,
                    v1::ListApiKeysResponse& response);
  grpc::Status Revoke(const Caller& caller, const v1::RevokeApiKeyRequest& request);
  grpc::Status Records(const Caller& caller, const v1::ListAuditRecordsRequest& request,
                       v1::ListAuditRecordsResponse& response);
  // What is stored is known on this server when a call answers; where that fails, a second later.
  void RefreshDirectory();

  const ApiKeyParts parts_;
};

}  // namespace postrider::rpc

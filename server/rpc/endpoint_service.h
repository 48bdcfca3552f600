// EndpointService.

#pragma once

#include <functional>

#include "postrider/v1/endpoint_service.grpc.pb.h"
#include "server/rpc/caller.h"
#include "server/rpc/endpoint_request.h"
#include "server/rpc/endpoint_secrets.h"
#include "server/rpc/reception.h"
#include "server/runtime/clock.h"
#include "storage/endpoint_store.h"

namespace postrider::rpc {

struct EndpointParts {
  EndpointStore& endpoints;
  const security::KeyRing& keys;
  const Reception& reception;
  const DatabaseClock& clock;
  std::function<EndpointId(absl::Time)> new_endpoint_id;
  EndpointRules rules;
  int64_t max_endpoints_per_environment = 10000;
};

using RawEndpointService = v1::EndpointService::WithRawCallbackMethod_CreateEndpoint<
    v1::EndpointService::WithRawCallbackMethod_GetEndpoint<
        v1::EndpointService::WithRawCallbackMethod_ListEndpoints<
            v1::EndpointService::WithRawCallbackMethod_UpdateEndpoint<
                v1::EndpointService::WithRawCallbackMethod_DeleteEndpoint<
                    v1::EndpointService::WithRawCallbackMethod_EnableEndpoint<
                        v1::EndpointService::WithRawCallbackMethod_DisableEndpoint<
                            v1::EndpointService::WithRawCallbackMethod_RotateEndpointSecret<
                                v1::EndpointService::WithRawCallbackMethod_TestEndpoint<
                                    v1::EndpointService::WithRawCallbackMethod_GetEndpointStats<
                                        v1::EndpointService::Service>>>>>>>>>>;

class EndpointService final : public RawEndpointService {
 public:
  explicit EndpointService(EndpointParts parts) : parts_(std::move(parts)), secrets_(parts_.keys) {}

  using Reactor = grpc::ServerUnaryReactor;
  using Context = grpc::CallbackServerContext;
  using Bytes = grpc::ByteBuffer;

  Reactor* CreateEndpoint(Context* context, const Bytes* in, Bytes* out) override;
  Reactor* GetEndpoint(Context* context, const Bytes* in, Bytes* out) override;
  Reactor* ListEndpoints(Context* context, const Bytes* in, Bytes* out) override;
  Reactor* UpdateEndpoint(Context* context, const Bytes* in, Bytes* out) override;
  Reactor* DeleteEndpoint(Context* context, const Bytes* in, Bytes* out) override;
  Reactor* EnableEndpoint(Context* context, const Bytes* in, Bytes* out) override;
  Reactor* DisableEndpoint(Context* context, const Bytes* in, Bytes* out) override;
  Reactor* RotateEndpointSecret(Context* context, const Bytes* in, Bytes* out) override;
  Reactor* TestEndpoint(Context* context, const Bytes* in, Bytes* out) override;
  Reactor* GetEndpointStats(Context* context, const Bytes* in, Bytes* out) override;

 private:
  grpc::Status Create(const Caller& caller, const v1::CreateEndpointRequest& request,
                      v1::CreateEndpointResponse& response);
  grpc::Status Get(const Caller& caller, const v1::GetEndpointRequest& request,
                   v1::GetEndpointResponse& response);
  grpc::Status List(const Caller& caller, const v1::ListEndpointsRequest& request,
                    v1::ListEndpointsResponse& response);
  grpc::Status Update(const Caller& caller, const v1::UpdateEndpointRequest& request,
                      v1::UpdateEndpointResponse& response);
  grpc::Status Rotate(const Caller& caller, const v1::RotateEndpointSecretRequest& request,
                      v1::RotateEndpointSecretResponse& response);
  // The endpoint, if it exists for this caller.
  absl::StatusOr<Endpoint> Visible(const Caller& caller, EndpointId id);

  const EndpointParts parts_;
  const EndpointSecrets secrets_;
};

}  // namespace postrider::rpc

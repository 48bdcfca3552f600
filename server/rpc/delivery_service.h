// DeliveryService.

#pragma once

#include <functional>

#include "postrider/v1/delivery_service.grpc.pb.h"
#include "server/rpc/caller.h"
#include "server/rpc/reception.h"
#include "server/runtime/clock.h"
#include "storage/delivery_store.h"
#include "storage/endpoint_store.h"

namespace postrider::rpc {

struct DeliveryParts {
  DeliveryStore& deliveries;
  EndpointStore& endpoints;  // whose log it is
  const Reception& reception;
  const DatabaseClock& clock;
  std::function<DeliveryId(absl::Time)> new_delivery_id;
};

using RawDeliveryService = v1::DeliveryService::WithRawCallbackMethod_GetDelivery<
    v1::DeliveryService::WithRawCallbackMethod_ListDeliveries<
        v1::DeliveryService::WithRawCallbackMethod_ListAttempts<
            v1::DeliveryService::WithRawCallbackMethod_WatchAttempts<
                v1::DeliveryService::WithRawCallbackMethod_RedeliverDelivery<
                    v1::DeliveryService::WithRawCallbackMethod_CancelDelivery<
                        v1::DeliveryService::WithRawCallbackMethod_ExplainDelivery<
                            v1::DeliveryService::WithRawCallbackMethod_CreateRecovery<
                                v1::DeliveryService::WithRawCallbackMethod_GetRecovery<
                                    v1::DeliveryService::WithRawCallbackMethod_ListRecoveries<
                                        v1::DeliveryService::WithRawCallbackMethod_CancelRecovery<
                                            v1::DeliveryService::Service>>>>>>>>>>>;

class DeliveryService final : public RawDeliveryService {
 public:
  explicit DeliveryService(DeliveryParts parts) : parts_(std::move(parts)) {}

  using Reactor = grpc::ServerUnaryReactor;
  using Context = grpc::CallbackServerContext;
  using Bytes = grpc::ByteBuffer;

  Reactor* GetDelivery(Context* context, const Bytes* in, Bytes* out) override;
  Reactor* ListDeliveries(Context* context, const Bytes* in, Bytes* out) override;
  Reactor* ListAttempts(Context* context, const Bytes* in, Bytes* out) override;
  Reactor* RedeliverDelivery(Context* context, const Bytes* in, Bytes* out) override;
  Reactor* CancelDelivery(Context* context, const Bytes* in, Bytes* out) override;
  grpc::ServerWriteReactor<Bytes>* WatchAttempts(Context* context, const Bytes* in) override;
  Reactor* ExplainDelivery(Context* context, const Bytes* in, Bytes* out) override;
  Reactor* CreateRecovery(Context* context, const Bytes* in, Bytes* out) override;
  Reactor* GetRecovery(Context* context, const Bytes* in, Bytes* out) override;
  Reactor* ListRecoveries(Context* context, const Bytes* in, Bytes* out) override;
  Reactor* CancelRecovery(Context* context, const Bytes* in, Bytes* out) override;

 private:
  grpc::Status List(const Caller& caller, const v1::ListDeliveriesRequest& request,
                    v1::ListDeliveriesResponse& response);
  grpc::Status Attempts(const Caller& caller, const v1::ListAttemptsRequest& request,
                        v1::ListAttemptsResponse& response);
  grpc::Status Redeliver(const Caller& caller, const v1::RedeliverDeliveryRequest& request,
                         v1::RedeliverDeliveryResponse& response);
  // The delivery, if it exists for this caller.
  absl::StatusOr<Delivery> Visible(const Caller& caller, DeliveryId id);

  const DeliveryParts parts_;
};

}  // namespace postrider::rpc

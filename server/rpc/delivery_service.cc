#include "server/rpc/delivery_service.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/rpc/call.h"
#include "server/rpc/convert.h"
#include "server/rpc/fields.h"
#include "server/rpc/page_token.h"
#include "server/rpc/unimplemented.h"
#include "server/security/digest.h"

namespace postrider::rpc {
namespace {

grpc::Status FromDeliveryStore(const absl::Status& status, DeliveryId id) {
  if (absl::IsNotFound(status)) {
    return Error(grpc::StatusCode::NOT_FOUND, reason::kNotFound,
                 absl::StrCat("no delivery ", id.ToText()));
  }
  return FromStore(status);
}

}  // namespace

absl::StatusOr<Delivery> DeliveryService::Visible(const Caller& caller, DeliveryId id) {
  absl::StatusOr<Delivery> delivery = parts_.deliveries.Get(id);
  if (delivery.ok() && !caller.MaySee(delivery->tenant)) {
    return absl::NotFoundError("no such delivery");
  }
  return delivery;
}

grpc::Status DeliveryService::List(const Caller& caller, const v1::ListDeliveriesRequest& request,
                                   v1::ListDeliveriesResponse& response) {
  FieldErrors errors;
  DeliveryFilter filter;
  filter.tenant = Tenant{request.org_id(), request.env_id()};
  caller.FillIn(filter.tenant, "", errors);
  CheckTenantFilter(filter.tenant, errors);
  filter.endpoint_id = CheckOptionalId<EndpointId>(request.endpoint_id(), "endpoint_id", errors);
  filter.event_id = CheckOptionalId<EventId>(request.event_id(), "event_id", errors);
  if (!v1::DeliveryState_IsValid(request.state())) {
    errors.Add("state", "is not a state of a delivery");
  } else if (request.state() != v1::DELIVERY_STATE_UNSPECIFIED) {
    filter.state = static_cast<DeliveryState>(request.state());
  }
  CheckTimes(request, filter.start_time, filter.end_time, errors);
  const std::string list = FilterOf(request);
  const PageRequest page = CheckPage(request.page_size(), request.page_token(), list, errors);
  if (!errors.empty()) return errors.ToStatus();
  absl::StatusOr<Page<Delivery>> found = parts_.deliveries.List(filter, page);
  if (!found.ok()) return FromStore(found.status());
  FillPage(*found, list, response.mutable_deliveries(), response);
  return grpc::Status::OK;
}

grpc::Status DeliveryService::Attempts(const Caller& caller, const v1::ListAttemptsRequest& request,
                                       v1::ListAttemptsResponse& response) {
  FieldErrors errors;
  AttemptFilter filter;
  filter.delivery_id = CheckOptionalId<DeliveryId>(request.delivery_id(), "delivery_id", errors);
  filter.endpoint_id = CheckOptionalId<EndpointId>(request.endpoint_id(), "endpoint_id", errors);
  if (request.delivery_id().empty() && request.endpoint_id().empty()) {
    errors.Add("delivery_id", "or endpoint_id must be set");
  }
  if (!v1::AttemptOutcome_IsValid(request.outcome())) {
    errors.Add("outcome", "is not an outcome of an attempt");
  } else if (request.outcome() != v1::ATTEMPT_OUTCOME_UNSPECIFIED) {
    filter.outcome = static_cast<AttemptOutcome>(request.outcome());
  }
  CheckTimes(request, filter.start_time, filter.end_time, errors);
  const std::string list = FilterOf(request);
  const PageRequest page = CheckPage(request.page_size(), request.page_token(), list, errors);
  if (!errors.empty()) return errors.ToStatus();
  if (filter.delivery_id) {
    absl::Status known = Visible(caller, *filter.delivery_id).status();
    if (!known.ok()) return FromDeliveryStore(known, *filter.delivery_id);
  } else {
    // The log of a deleted endpoint stays; one that never existed has none.
    absl::StatusOr<Tenant> owner = parts_.endpoints.OwnerOf(*filter.endpoint_id);
    if (!owner.ok() && !absl::IsNotFound(owner.status())) return FromStore(owner.status());
    if (!owner.ok() || !caller.MaySee(*owner)) {
      return Error(grpc::StatusCode::NOT_FOUND, reason::kNotFound,
                   absl::StrCat("no endpoint ", filter.endpoint_id->ToText()));
    }
  }
  absl::StatusOr<Page<Attempt>> found = parts_.deliveries.ListAttempts(filter, page, kMaxPageBytes);
  if (!found.ok()) return FromStore(found.status());
  FillPage(*found, list, response.mutable_attempts(), response);
  return grpc::Status::OK;
}

grpc::Status DeliveryService::Redeliver(const Caller& caller,
                                        const v1::RedeliverDeliveryRequest& request,
                                        v1::RedeliverDeliveryResponse& response) {
  FieldErrors errors;
  const DeliveryId id = CheckId<DeliveryId>(request.delivery_id(), "delivery_id", errors);
  CheckRequestId(request.request_id(), errors);
  if (!errors.empty()) return errors.ToStatus();
  absl::StatusOr<Delivery> delivery = Visible(caller, id);
  if (delivery.ok()) {
    delivery = parts_.deliveries.Redeliver(id, parts_.new_delivery_id(parts_.clock.Now()),
                                           {request.request_id(), security::Sha256({id.ToText()})});
  }
  if (!delivery.ok()) return FromDeliveryStore(delivery.status(), id);
  ToProto(*delivery, response.mutable_delivery());
  return grpc::Status::OK;
}

grpc::ServerUnaryReactor* DeliveryService::GetDelivery(Context* context, const Bytes* in,
                                                       Bytes* out) {
  return Blocking<v1::GetDeliveryRequest, v1::GetDeliveryResponse>(
      context, in, out, parts_.reception,
      [this](auto& caller, auto& request, auto& response) -> grpc::Status {
        FieldErrors errors;
        const DeliveryId id = CheckId<DeliveryId>(request.delivery_id(), "delivery_id", errors);
        if (!errors.empty()) return errors.ToStatus();
        absl::StatusOr<Delivery> delivery = Visible(caller, id);
        if (!delivery.ok()) return FromDeliveryStore(delivery.status(), id);
        ToProto(*delivery, response.mutable_delivery());
        return grpc::Status::OK;
      });
}

grpc::ServerUnaryReactor* DeliveryService::ListDeliveries(Context* context, const Bytes* in,
                                                          Bytes* out) {
  return Blocking<v1::ListDeliveriesRequest, v1::ListDeliveriesResponse>(
      context, in, out, parts_.reception, [this](auto& caller, auto& request, auto& response) {
        return List(caller, request, response);
      });
}

grpc::ServerUnaryReactor* DeliveryService::ListAttempts(Context* context, const Bytes* in,
                                                        Bytes* out) {
  return Blocking<v1::ListAttemptsRequest, v1::ListAttemptsResponse>(
      context, in, out, parts_.reception, [this](auto& caller, auto& request, auto& response) {
        return Attempts(caller, request, response);
      });
}

grpc::ServerUnaryReactor* DeliveryService::RedeliverDelivery(Context* context, const Bytes* in,
                                                             Bytes* out) {
  return Blocking<v1::RedeliverDeliveryRequest, v1::RedeliverDeliveryResponse>(
      context, in, out, parts_.reception, [this](auto& caller, auto& request, auto& response) {
        return Redeliver(caller, request, response);
      });
}

grpc::ServerUnaryReactor* DeliveryService::CancelDelivery(Context* context, const Bytes* in,
                                                          Bytes* out) {
  return Blocking<v1::CancelDeliveryRequest, v1::CancelDeliveryResponse>(
      context, in, out, parts_.reception,
      [this](auto& caller, auto& request, auto& response) -> grpc::Status {
        FieldErrors errors;
        const DeliveryId id = CheckId<DeliveryId>(request.delivery_id(), "delivery_id", errors);
        if (!errors.empty()) return errors.ToStatus();
        absl::StatusOr<Delivery> delivery = Visible(caller, id);
        if (delivery.ok()) delivery = parts_.deliveries.Cancel(id);
        if (!delivery.ok()) return FromDeliveryStore(delivery.status(), id);
        ToProto(*delivery, response.mutable_delivery());
        return grpc::Status::OK;
      });
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* DeliveryService::WatchAttempts(Context* context,
                                                                           const Bytes*) {
  return RefuseWatch<v1::WatchAttemptsRequest>(context, parts_.reception);
}

grpc::ServerUnaryReactor* DeliveryService::ExplainDelivery(Context* context, const Bytes*, Bytes*) {
  return Refuse<v1::ExplainDeliveryRequest>(context, parts_.reception);
}

grpc::ServerUnaryReactor* DeliveryService::CreateRecovery(Context* context, const Bytes*, Bytes*) {
  return Refuse<v1::CreateRecoveryRequest>(context, parts_.reception);
}

grpc::ServerUnaryReactor* DeliveryService::GetRecovery(Context* context, const Bytes*, Bytes*) {
  return Refuse<v1::GetRecoveryRequest>(context, parts_.reception);
}

grpc::ServerUnaryReactor* DeliveryService::ListRecoveries(Context* context, const Bytes*, Bytes*) {
  return Refuse<v1::ListRecoveriesRequest>(context, parts_.reception);
}

grpc::ServerUnaryReactor* DeliveryService::CancelRecovery(Context* context, const Bytes*, Bytes*) {
  return Refuse<v1::CancelRecoveryRequest>(context, parts_.reception);
}

}  // namespace postrider::rpc

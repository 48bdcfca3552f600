#include "server/rpc/event_service.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/rpc/call.h"
#include "server/rpc/convert.h"
#include "server/rpc/fields.h"
#include "server/rpc/page_token.h"
#include "server/rpc/unimplemented.h"

namespace postrider::rpc {
namespace {

constexpr int kMaxTypes = 100;

grpc::Status Get(EventStore& events, const Caller& caller, const v1::GetEventRequest& request,
                 v1::GetEventResponse& response) {
  FieldErrors errors;
  EventId id;
  Tenant tenant{request.org_id(), request.env_id()};
  caller.FillIn(tenant, "", errors);
  const bool by_key = request.lookup_case() == v1::GetEventRequest::kIdempotencyKey;
  if (by_key) {
    absl::Status status = envelope::CheckIdempotencyKey(request.idempotency_key());
    if (!status.ok()) errors.Add("idempotency_key", std::string(status.message()));
    for (const auto& [field, value] :
         {std::pair("org_id", &tenant.org_id), std::pair("env_id", &tenant.env_id)}) {
      status = envelope::CheckTenantId(*value);
      if (!status.ok()) errors.Add(field, std::string(status.message()));
    }
  } else {
    id = CheckId<EventId>(request.event_id(), "event_id", errors);
    CheckTenantFilter(tenant, errors);
  }
  if (!errors.empty()) return errors.ToStatus();
  absl::StatusOr<StoredKey> key;
  if (by_key) {
    key = events.FindKey(tenant, request.idempotency_key());
    if (key.ok()) id = key->event_id;
  }
  absl::StatusOr<Event> event =
      by_key && !key.ok() ? absl::StatusOr<Event>(key.status()) : events.Get(id);
  if (event.ok()) {
    const bool other = (!tenant.org_id.empty() && tenant.org_id != event->tenant.org_id) ||
                       (!tenant.env_id.empty() && tenant.env_id != event->tenant.env_id);
    if (other || !caller.MaySee(event->tenant)) event = absl::NotFoundError("no such event");
  }
  if (absl::IsNotFound(event.status())) {
    return Error(
        grpc::StatusCode::NOT_FOUND, reason::kNotFound,
        by_key ? "no event under this idempotency_key" : absl::StrCat("no event ", id.ToText()));
  }
  if (!event.ok()) return FromStore(event.status());
  ToProto(*event, response.mutable_event());
  return grpc::Status::OK;
}

grpc::Status List(EventStore& events, const Caller& caller, const v1::ListEventsRequest& request,
                  v1::ListEventsResponse& response) {
  FieldErrors errors;
  EventFilter filter;
  filter.tenant = Tenant{request.org_id(), request.env_id()};
  caller.FillIn(filter.tenant, "", errors);
  CheckTenantFilter(filter.tenant, errors);
  if (request.types_size() > kMaxTypes) {
    errors.Add("types", absl::StrCat("must hold at most ", kMaxTypes, " entries"));
  } else {
    for (int i = 0; i < request.types_size(); ++i) {
      absl::Status status = envelope::CheckSubscriptionPattern(request.types(i));
      if (!status.ok()) {
        errors.Add(absl::StrCat("types[", i, "]"), std::string(status.message()));
      }
      filter.types.push_back(request.types(i));
    }
  }
  CheckTimes(request, filter.start_time, filter.end_time, errors);
  filter.include_body = request.include_data();
  const std::string list = FilterOf(request);
  const PageRequest page = CheckPage(request.page_size(), request.page_token(), list, errors);
  if (!errors.empty()) return errors.ToStatus();
  absl::StatusOr<Page<Event>> found = events.List(filter, page, kMaxPageBytes);
  if (!found.ok()) return FromStore(found.status());
  FillPage(*found, list, response.mutable_events(), response);
  return grpc::Status::OK;
}

}  // namespace

grpc::ServerUnaryReactor* EventService::GetEvent(grpc::CallbackServerContext* context,
                                                 const grpc::ByteBuffer* in,
                                                 grpc::ByteBuffer* out) {
  return Blocking<v1::GetEventRequest, v1::GetEventResponse>(
      context, in, out, reception_, [this](auto& caller, auto& request, auto& response) {
        return Get(events_, caller, request, response);
      });
}

grpc::ServerUnaryReactor* EventService::ListEvents(grpc::CallbackServerContext* context,
                                                   const grpc::ByteBuffer* in,
                                                   grpc::ByteBuffer* out) {
  return Blocking<v1::ListEventsRequest, v1::ListEventsResponse>(
      context, in, out, reception_, [this](auto& caller, auto& request, auto& response) {
        return List(events_, caller, request, response);
      });
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* EventService::WatchEvents(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer*) {
  return RefuseWatch<v1::WatchEventsRequest>(context, reception_);
}

}  // namespace postrider::rpc

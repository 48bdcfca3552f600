#include "server/rpc/org_service.h"

#include <string>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "server/observe/log.h"
#include "server/rpc/call.h"
#include "server/rpc/fields.h"

namespace postrider::rpc {
namespace {

// Purges of orgs at a time: each keeps a worker busy for as long as it takes.
constexpr int kMaxPurges = 2;

}  // namespace

grpc::Status OrgService::GetStats(const Caller& caller, const v1::GetOrgStatsRequest& request,
                                  v1::GetOrgStatsResponse& response) {
  FieldErrors errors;
  Tenant tenant{request.org_id(), request.env_id()};
  caller.FillIn(tenant, "", errors);
  if (absl::Status status = envelope::CheckTenantId(tenant.org_id); !status.ok()) {
    errors.Add("org_id", std::string(status.message()));
  }
  CheckTenantFilter(Tenant{"", tenant.env_id}, errors);
  if (!errors.empty()) return errors.ToStatus();
  const absl::StatusOr<OrgStats> stats = parts_.purges.StatsOf(tenant);
  if (!stats.ok()) return FromStore(stats.status());
  response.set_endpoint_count(stats->endpoints);
  response.set_disabled_endpoint_count(stats->disabled_endpoints);
  response.set_event_count(stats->events);
  for (const auto& [state, count] : stats->deliveries) {
    v1::DeliveryStateCount* out = response.add_delivery_counts();
    out->set_state(static_cast<v1::DeliveryState>(state));
    out->set_count(count);
  }
  for (const auto& [outcome, count] : stats->attempts) {
    v1::OutcomeCount* out = response.add_outcome_counts();
    out->set_outcome(static_cast<v1::AttemptOutcome>(outcome));
    out->set_count(count);
  }
  return grpc::Status::OK;
}

grpc::Status OrgService::EraseOrg(const Caller& caller, const v1::PurgeOrgRequest& request,
                                  v1::PurgeOrgResponse& response,
                                  const std::function<bool()>& go_on) {
  if (!caller.limit.org_id.empty()) {
    return Error(grpc::StatusCode::PERMISSION_DENIED, reason::kPermissionDenied,
                 "PurgeOrg needs a credential for the whole installation");
  }
  FieldErrors errors;
  if (absl::Status status = envelope::CheckTenantId(request.org_id()); !status.ok()) {
    errors.Add("org_id", std::string(status.message()));
  }
  if (!errors.empty()) return errors.ToStatus();
  const absl::Cleanup done = [this] { --purges_; };
  if (++purges_ > kMaxPurges) {
    return RetryLater(grpc::StatusCode::RESOURCE_EXHAUSTED, reason::kOverloaded,
                      absl::StrCat(kMaxPurges, " orgs are being purged already: try again later"),
                      absl::Seconds(10));
  }
  const absl::StatusOr<OrgErasure> erased = parts_.purges.PurgeOrg(request.org_id(), go_on);
  if (absl::IsCancelled(erased.status())) {
    return RetryLater(grpc::StatusCode::UNAVAILABLE, reason::kUnavailable,
                      "the call or the server ended before everything was erased: repeat the call",
                      absl::Seconds(1));
  }
  if (!erased.ok()) return FromStore(erased.status());
  observe::Log(observe::Severity::kInfo, "purged an org",
               {{"org_id", request.org_id()},
                {"api_keys", absl::StrCat(erased->api_keys)},
                {"endpoints", absl::StrCat(erased->endpoints)},
                {"events", absl::StrCat(erased->events)},
                {"deliveries", absl::StrCat(erased->deliveries)},
                {"attempts", absl::StrCat(erased->attempts)}});
  response.set_api_key_count(erased->api_keys);
  response.set_endpoint_count(erased->endpoints);
  response.set_event_count(erased->events);
  response.set_delivery_count(erased->deliveries);
  response.set_attempt_count(erased->attempts);
  return grpc::Status::OK;
}

grpc::Status OrgService::EraseEvent(const Caller& caller, const v1::PurgeEventRequest& request,
                                    v1::PurgeEventResponse& response) {
  FieldErrors errors;
  const EventId id = CheckId<EventId>(request.event_id(), "event_id", errors);
  if (!errors.empty()) return errors.ToStatus();
  const absl::StatusOr<Event> event = parts_.events.Get(id);
  if (!event.ok() && !absl::IsNotFound(event.status())) return FromStore(event.status());
  if (!event.ok() || !caller.MaySee(event->tenant)) {
    return Error(grpc::StatusCode::NOT_FOUND, reason::kNotFound,
                 absl::StrCat("no event ", id.ToText()));
  }
  const absl::StatusOr<EventErasure> erased = parts_.purges.PurgeEvent(id);
  if (!erased.ok()) return FromStore(erased.status());
  response.set_payload_erased(erased->payload);
  response.set_canceled_delivery_count(erased->canceled_deliveries);
  response.set_erased_response_count(erased->responses);
  return grpc::Status::OK;
}

grpc::ServerUnaryReactor* OrgService::GetOrgStats(Context* context, const Bytes* in, Bytes* out) {
  return Blocking<v1::GetOrgStatsRequest, v1::GetOrgStatsResponse>(
      context, in, out, parts_.reception, [this](auto& caller, auto& request, auto& response) {
        return GetStats(caller, request, response);
      });
}

grpc::ServerUnaryReactor* OrgService::PurgeOrg(Context* context, const Bytes* in, Bytes* out) {
  return Blocking<v1::PurgeOrgRequest, v1::PurgeOrgResponse>(
      context, in, out, parts_.reception,
      [this, context](auto& caller, auto& request, auto& response) {
        return EraseOrg(caller, request, response,
                        [this, context] { return !context->IsCancelled() && !parts_.draining(); });
      });
}

grpc::ServerUnaryReactor* OrgService::PurgeEvent(Context* context, const Bytes* in, Bytes* out) {
  return Blocking<v1::PurgeEventRequest, v1::PurgeEventResponse>(
      context, in, out, parts_.reception, [this](auto& caller, auto& request, auto& response) {
        return EraseEvent(caller, request, response);
      });
}

}  // namespace postrider::rpc

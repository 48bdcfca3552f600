#include <string>
#include <utility>
#include <vector>

#include "tests/integration/bad_requests.h"

namespace postrider::testing {
namespace {

using ::grpc::StatusCode;

constexpr int64_t kTooLate = 253402300800;  // The year 10000.

// A call that takes an id, with a bad one.
template <class Request, class Response>
BadRequest WithId(std::string name, Reply<Response> (Api::*method)(const Request&),
                  void (*set_id)(Request&, const std::string&), std::string id, StatusCode code,
                  std::set<std::string> fields) {
  return {std::move(name),
          [=](const Stage& stage) {
            Request request;
            set_id(request, id);
            return (stage.api->*method)(request).status;
          },
          code, std::move(fields)};
}

// The four ways in which an id can be bad.
template <class Request, class Response>
void AddIdRows(std::vector<BadRequest>& rows, const std::string& rpc,
               Reply<Response> (Api::*method)(const Request&),
               void (*set_id)(Request&, const std::string&), const std::string& field,
               const std::string& unknown, const std::string& of_another_kind) {
  const auto bad = StatusCode::INVALID_ARGUMENT;
  rows.push_back(WithId(rpc + "WithoutId", method, set_id, "", bad, {field}));
  rows.push_back(WithId(rpc + "WithAMalformedId", method, set_id, "x' OR 1=1", bad, {field}));
  rows.push_back(
      WithId(rpc + "WithAnIdOfAnotherKind", method, set_id, of_another_kind, bad, {field}));
  rows.push_back(
      WithId(rpc + "WithAnUnknownId", method, set_id, unknown, StatusCode::NOT_FOUND, {}));
}

template <class Request>
void SetEndpointId(Request& request, const std::string& id) {
  request.set_endpoint_id(id);
}
template <class Request>
void SetDeliveryId(Request& request, const std::string& id) {
  request.set_delivery_id(id);
}
void SetEventId(v1::GetEventRequest& request, const std::string& id) { request.set_event_id(id); }

template <class Request, class Response>
BadRequest Call(std::string name, Reply<Response> (Api::*method)(const Request&),
                std::function<void(Request&, const Stage&)> fill, std::set<std::string> fields,
                StatusCode code = StatusCode::INVALID_ARGUMENT) {
  return {std::move(name),
          [method, fill = std::move(fill)](const Stage& stage) {
            Request request;
            fill(request, stage);
            return (stage.api->*method)(request).status;
          },
          code, std::move(fields)};
}

BadRequest GetEvent(std::string name, std::function<void(v1::GetEventRequest&, const Stage&)> fill,
                    std::set<std::string> fields, StatusCode code = StatusCode::INVALID_ARGUMENT) {
  return Call<v1::GetEventRequest, v1::GetEventResponse>(std::move(name), &Api::GetEvent,
                                                         std::move(fill), std::move(fields), code);
}

// What every list refuses.
template <class Request, class Response>
void AddListRows(std::vector<BadRequest>& rows, const std::string& rpc,
                 Reply<Response> (Api::*method)(const Request&),
                 std::function<void(Request&, const Stage&)> good) {
  using Change = std::function<void(Request&)>;
  const auto add = [&](const std::string& name, Change change, std::set<std::string> fields) {
    rows.push_back(Call<Request, Response>(
        rpc + name, method,
        [good, change](Request& request, const Stage& stage) {
          good(request, stage);
          change(request);
        },
        std::move(fields)));
  };
  add("PageSizeNegative", [](Request& r) { r.set_page_size(-1); }, {"page_size"});
  add("PageTokenMadeUp", [](Request& r) { r.set_page_token("bm90IGEgdG9rZW4="); }, {"page_token"});
  add("PageTokenNotPrintable", [](Request& r) { r.set_page_token("\x01\x02"); }, {"page_token"});
  add("PageTokenVeryLong", [](Request& r) { r.set_page_token(std::string(100000, 'A')); },
      {"page_token"});
  add("PageSizeAndToken",
      [](Request& r) {
        r.set_page_size(-1000);
        r.set_page_token("x");
      },
      {"page_size", "page_token"});
}

template <class Request, class Response>
BadRequest List(std::string name, Reply<Response> (Api::*method)(const Request&),
                std::function<void(Request&)> change, std::set<std::string> fields) {
  return Call<Request, Response>(
      std::move(name), method,
      [change = std::move(change)](Request& request, const Stage&) { change(request); },
      std::move(fields));
}

}  // namespace

std::vector<BadRequest> BadIdRequests() {
  std::vector<BadRequest> rows;
  AddIdRows(rows, "GetEndpoint", &Api::GetEndpoint, &SetEndpointId<v1::GetEndpointRequest>,
            "endpoint_id", kUnknownEndpoint, kUnknownDelivery);
  AddIdRows(rows, "DeleteEndpoint", &Api::DeleteEndpoint, &SetEndpointId<v1::DeleteEndpointRequest>,
            "endpoint_id", kUnknownEndpoint, kUnknownEvent);
  AddIdRows(rows, "EnableEndpoint", &Api::EnableEndpoint, &SetEndpointId<v1::EnableEndpointRequest>,
            "endpoint_id", kUnknownEndpoint, "01ARZ3NDEKTSV4RRFFQ69G5FAV");
  AddIdRows(rows, "DisableEndpoint", &Api::DisableEndpoint,
            &SetEndpointId<v1::DisableEndpointRequest>, "endpoint_id", kUnknownEndpoint,
            "ep_81ARZ3NDEKTSV4RRFFQ69G5FAV");  // More than 128 bits.
  AddIdRows(rows, "RotateSecret", &Api::RotateEndpointSecret,
            &SetEndpointId<v1::RotateEndpointSecretRequest>, "endpoint_id", kUnknownEndpoint,
            "ep_01ARZ3NDEKTSV4RRFFQ69G5FAU");  // U is no digit.
  AddIdRows(rows, "GetDelivery", &Api::GetDelivery, &SetDeliveryId<v1::GetDeliveryRequest>,
            "delivery_id", kUnknownDelivery, kUnknownEndpoint);
  AddIdRows(rows, "RedeliverDelivery", &Api::RedeliverDelivery,
            &SetDeliveryId<v1::RedeliverDeliveryRequest>, "delivery_id", kUnknownDelivery,
            kUnknownEvent);
  AddIdRows(rows, "CancelDelivery", &Api::CancelDelivery, &SetDeliveryId<v1::CancelDeliveryRequest>,
            "delivery_id", kUnknownDelivery, kUnknownEndpoint);
  AddIdRows(rows, "ListAttemptsOfADelivery", &Api::ListAttempts,
            &SetDeliveryId<v1::ListAttemptsRequest>, "delivery_id", kUnknownDelivery,
            kUnknownEndpoint);
  rows.push_back(Call<v1::ListAttemptsRequest, v1::ListAttemptsResponse>(
      "ListAttemptsToAnUnknownEndpoint", &Api::ListAttempts,
      [](auto& r, const Stage&) { r.set_endpoint_id(kUnknownEndpoint); }, {},
      StatusCode::NOT_FOUND));
  rows.push_back(WithId("GetEventWithAMalformedId", &Api::GetEvent, &SetEventId, "evt_",
                        StatusCode::INVALID_ARGUMENT, {"event_id"}));
  rows.push_back(WithId("GetEventWithAnIdOfAnotherKind", &Api::GetEvent, &SetEventId,
                        kUnknownDelivery, StatusCode::INVALID_ARGUMENT, {"event_id"}));
  rows.push_back(WithId("GetEventWithAnUnknownId", &Api::GetEvent, &SetEventId, kUnknownEvent,
                        StatusCode::NOT_FOUND, {}));
  rows.push_back(GetEvent("GetEventByNothing", [](auto&, const Stage&) {}, {"event_id"}));
  rows.push_back(GetEvent("GetEventByAKeyOfNobody",
                          [](auto& r, const Stage&) { r.set_idempotency_key("taken"); },
                          {"org_id", "env_id"}));
  rows.push_back(GetEvent(
      "GetEventByAnUnknownKey",
      [](auto& r, const Stage& stage) {
        r.set_idempotency_key("never used");
        r.set_org_id(stage.org);
        r.set_env_id(stage.env);
      },
      {}, StatusCode::NOT_FOUND));
  rows.push_back(GetEvent(
      "GetEventByAKeyOfAnotherOrg",
      [](auto& r, const Stage& stage) {
        r.set_idempotency_key("taken");
        r.set_org_id("another");
        r.set_env_id(stage.env);
      },
      {}, StatusCode::NOT_FOUND));
  rows.push_back(GetEvent("GetEventByABadKeyOfABadOrg",
                          [](auto& r, const Stage& stage) {
                            r.set_idempotency_key("\n");
                            r.set_org_id("?");
                            r.set_env_id(stage.env);
                          },
                          {"idempotency_key", "org_id"}));
  rows.push_back(Call<v1::GetEndpointRequest, v1::GetEndpointResponse>(
      "GetEndpointThatWasDeleted", &Api::GetEndpoint,
      [](auto& r, const Stage& stage) { r.set_endpoint_id(stage.deleted_endpoint); }, {},
      StatusCode::NOT_FOUND));
  rows.push_back(Call<v1::DeleteEndpointRequest, v1::DeleteEndpointResponse>(
      "DeleteEndpointASecondTime", &Api::DeleteEndpoint,
      [](auto& r, const Stage& stage) { r.set_endpoint_id(stage.deleted_endpoint); }, {},
      StatusCode::NOT_FOUND));
  rows.push_back(Call<v1::EnableEndpointRequest, v1::EnableEndpointResponse>(
      "EnableEndpointThatWasDeleted", &Api::EnableEndpoint,
      [](auto& r, const Stage& stage) { r.set_endpoint_id(stage.deleted_endpoint); }, {},
      StatusCode::NOT_FOUND));
  rows.push_back(Call<v1::RotateEndpointSecretRequest, v1::RotateEndpointSecretResponse>(
      "RotateSecretOfADeletedEndpoint", &Api::RotateEndpointSecret,
      [](auto& r, const Stage& stage) { r.set_endpoint_id(stage.deleted_endpoint); }, {},
      StatusCode::NOT_FOUND));
  rows.push_back(Call<v1::CancelDeliveryRequest, v1::CancelDeliveryResponse>(
      "CancelDeliveryThatSucceeded", &Api::CancelDelivery,
      [](auto& r, const Stage& stage) { r.set_delivery_id(stage.succeeded_delivery); }, {},
      StatusCode::FAILED_PRECONDITION));
  rows.push_back(Call<v1::RedeliverDeliveryRequest, v1::RedeliverDeliveryResponse>(
      "RedeliverDeliveryWithABadRequestId", &Api::RedeliverDelivery,
      [](auto& r, const Stage& stage) {
        r.set_delivery_id(stage.succeeded_delivery);
        r.set_request_id("\xC3\xA9");
      },
      {"request_id"}));
  return rows;
}

std::vector<BadRequest> BadListRequests() {
  using Endpoints = v1::ListEndpointsRequest;
  using Events = v1::ListEventsRequest;
  using Deliveries = v1::ListDeliveriesRequest;
  using Attempts = v1::ListAttemptsRequest;
  std::vector<BadRequest> rows;
  AddListRows<Endpoints>(rows, "ListEndpoints", &Api::ListEndpoints, [](auto&, auto&) {});
  AddListRows<Events>(rows, "ListEvents", &Api::ListEvents, [](auto&, auto&) {});
  AddListRows<Deliveries>(rows, "ListDeliveries", &Api::ListDeliveries, [](auto&, auto&) {});
  AddListRows<Attempts>(rows, "ListAttempts", &Api::ListAttempts,
                        [](Attempts& r, const Stage& stage) { r.set_endpoint_id(stage.endpoint); });
  const auto add = [&rows](BadRequest row) { rows.push_back(std::move(row)); };
  add(List<Endpoints>("ListEndpointsStateUnknown", &Api::ListEndpoints,
                      [](auto& r) { r.set_state(static_cast<v1::EndpointState>(99)); }, {"state"}));
  add(List<Endpoints>("ListEndpointsOrgMalformed", &Api::ListEndpoints,
                      [](auto& r) {
                        r.set_org_id("a b");
                        r.set_env_id(std::string(65, 'e'));
                      },
                      {"org_id", "env_id"}));
  add(List<Events>("ListEventsTypeMalformed", &Api::ListEvents,
                   [](auto& r) {
                     r.add_types("a.b");
                     r.add_types("A");
                     r.add_types("*");
                   },
                   {"types[1]", "types[2]"}));
  add(List<Events>("ListEventsTypesTooMany", &Api::ListEvents,
                   [](auto& r) {
                     for (int i = 0; i < 101; ++i) r.add_types("a.b");
                   },
                   {"types"}));
  add(List<Events>("ListEventsTimesMalformed", &Api::ListEvents,
                   [](auto& r) {
                     r.mutable_start_time()->set_seconds(kTooLate);
                     r.mutable_end_time()->set_nanos(-1);
                   },
                   {"start_time", "end_time"}));
  add(List<Events>("ListEventsOrgMalformed", &Api::ListEvents,
                   [](auto& r) { r.set_org_id("\xC3\xA9"); }, {"org_id"}));
  add(List<Deliveries>("ListDeliveriesStateUnknown", &Api::ListDeliveries,
                       [](auto& r) { r.set_state(static_cast<v1::DeliveryState>(99)); },
                       {"state"}));
  add(List<Deliveries>("ListDeliveriesIdsMalformed", &Api::ListDeliveries,
                       [](auto& r) {
                         r.set_endpoint_id("ep_1");
                         r.set_event_id(kUnknownDelivery);
                       },
                       {"endpoint_id", "event_id"}));
  add(List<Deliveries>("ListDeliveriesTimesMalformed", &Api::ListDeliveries,
                       [](auto& r) {
                         r.mutable_start_time()->set_seconds(-kTooLate);
                         r.mutable_end_time()->set_seconds(kTooLate);
                       },
                       {"start_time", "end_time"}));
  add(List<Attempts>("ListAttemptsOfNothing", &Api::ListAttempts, [](auto&) {}, {"delivery_id"}));
  add(List<Attempts>("ListAttemptsOutcomeUnknown", &Api::ListAttempts,
                     [](auto& r) {
                       r.set_delivery_id("dlv_1");
                       r.set_outcome(static_cast<v1::AttemptOutcome>(-7));
                     },
                     {"delivery_id", "outcome"}));
  add(List<Attempts>("ListAttemptsTimesMalformed", &Api::ListAttempts,
                     [](auto& r) {
                       r.set_endpoint_id("x");
                       r.mutable_end_time()->set_nanos(1000000000);
                     },
                     {"endpoint_id", "end_time"}));
  add(Call<Endpoints, v1::ListEndpointsResponse>(
      "ListEndpointsTokenOfOtherFilters", &Api::ListEndpoints,
      [](Endpoints& r, const Stage& stage) {
        v1::ListEventsRequest events;  // The token of another list altogether.
        events.set_page_size(1);
        r.set_page_token(stage.api->ListEvents(events)->next_page_token());
      },
      {"page_token"}));
  return rows;
}

}  // namespace postrider::testing

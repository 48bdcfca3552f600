#include "tests/support/caller.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/signing/verify.h"

namespace postrider::testing {
namespace {

constexpr int kAll = 1000;

template <class T>
T ExpectOk(Reply<T> reply, const char* what) {
  EXPECT_TRUE(reply.ok()) << what << ": " << ToText(reply.status);
  return std::move(reply.value);
}

std::string NewOrg() {
  static std::atomic<int> count{0};
  return absl::StrCat("org_", ++count);
}

bool IsOpen(v1::DeliveryState state) {
  return state == v1::DELIVERY_STATE_PENDING || state == v1::DELIVERY_STATE_IN_PROGRESS;
}

}  // namespace

Caller::Caller(Api& api, std::string org, std::string env)
    : api_(&api), org_(org.empty() ? NewOrg() : std::move(org)), env_(std::move(env)) {}

v1::PublishRequest Caller::Event(absl::string_view type, absl::string_view data_json) const {
  v1::PublishRequest request;
  request.set_org_id(org_);
  request.set_env_id(env_);
  request.set_type(std::string(type));
  request.set_data_json(std::string(data_json));
  return request;
}

v1::PublishResponse Caller::Publish(const v1::PublishRequest& request) {
  return ExpectOk(api_->Publish(request), "Publish");
}

std::string Caller::PublishEvent(absl::string_view type) { return Publish(Event(type)).event_id(); }

v1::Event Caller::GetEvent(const std::string& event_id) {
  v1::GetEventRequest request;
  request.set_event_id(event_id);
  return ExpectOk(api_->GetEvent(request), "GetEvent").event();
}

v1::Endpoint Caller::EndpointAt(const std::string& url) const {
  v1::Endpoint endpoint;
  endpoint.set_org_id(org_);
  endpoint.set_env_id(env_);
  endpoint.set_url(url);
  return endpoint;
}

CreatedEndpoint Caller::Create(const v1::Endpoint& endpoint) {
  v1::CreateEndpointRequest request;
  *request.mutable_endpoint() = endpoint;
  v1::CreateEndpointResponse response = ExpectOk(api_->CreateEndpoint(request), "CreateEndpoint");
  created_.push_back(response.endpoint().id());
  return {response.endpoint(), response.secret()};
}

v1::Endpoint Caller::GetEndpoint(const std::string& endpoint_id) {
  v1::GetEndpointRequest request;
  request.set_endpoint_id(endpoint_id);
  return ExpectOk(api_->GetEndpoint(request), "GetEndpoint").endpoint();
}

v1::Endpoint Caller::Update(const v1::Endpoint& endpoint, const std::vector<std::string>& fields) {
  v1::UpdateEndpointRequest request;
  *request.mutable_endpoint() = endpoint;
  for (const std::string& field : fields) request.mutable_update_mask()->add_paths(field);
  return ExpectOk(api_->UpdateEndpoint(request), "UpdateEndpoint").endpoint();
}

v1::Endpoint Caller::Enable(const std::string& endpoint_id, bool discard_pending) {
  v1::EnableEndpointRequest request;
  request.set_endpoint_id(endpoint_id);
  request.set_discard_pending(discard_pending);
  return ExpectOk(api_->EnableEndpoint(request), "EnableEndpoint").endpoint();
}

v1::Endpoint Caller::Disable(const std::string& endpoint_id) {
  v1::DisableEndpointRequest request;
  request.set_endpoint_id(endpoint_id);
  return ExpectOk(api_->DisableEndpoint(request), "DisableEndpoint").endpoint();
}

void Caller::Delete(const std::string& endpoint_id) {
  v1::DeleteEndpointRequest request;
  request.set_endpoint_id(endpoint_id);
  ExpectOk(api_->DeleteEndpoint(request), "DeleteEndpoint");
}

std::string Caller::Rotate(const std::string& endpoint_id, absl::Duration overlap) {
  v1::RotateEndpointSecretRequest request;
  request.set_endpoint_id(endpoint_id);
  if (overlap >= absl::ZeroDuration()) *request.mutable_overlap() = ToProto(overlap);
  return ExpectOk(api_->RotateEndpointSecret(request), "RotateEndpointSecret").secret();
}

v1::Delivery Caller::GetDelivery(const std::string& delivery_id) {
  v1::GetDeliveryRequest request;
  request.set_delivery_id(delivery_id);
  return ExpectOk(api_->GetDelivery(request), "GetDelivery").delivery();
}

std::vector<v1::Delivery> Caller::DeliveriesOf(const std::string& event_id) {
  v1::ListDeliveriesRequest request;
  request.set_event_id(event_id);
  request.set_page_size(kAll);
  const v1::ListDeliveriesResponse response =
      ExpectOk(api_->ListDeliveries(request), "ListDeliveries");
  return {response.deliveries().begin(), response.deliveries().end()};
}

std::vector<v1::Delivery> Caller::DeliveriesTo(const std::string& endpoint_id,
                                               v1::DeliveryState state) {
  v1::ListDeliveriesRequest request;
  request.set_endpoint_id(endpoint_id);
  request.set_state(state);
  request.set_page_size(kAll);
  const v1::ListDeliveriesResponse response =
      ExpectOk(api_->ListDeliveries(request), "ListDeliveries");
  return {response.deliveries().begin(), response.deliveries().end()};
}

v1::Delivery Caller::DeliveryOf(const std::string& event_id) {
  const std::vector<v1::Delivery> deliveries = DeliveriesOf(event_id);
  EXPECT_EQ(deliveries.size(), 1u) << "deliveries of " << event_id;
  return deliveries.empty() ? v1::Delivery() : deliveries[0];
}

std::vector<v1::Attempt> Caller::AttemptsOf(const std::string& delivery_id) {
  v1::ListAttemptsRequest request;
  request.set_delivery_id(delivery_id);
  request.set_page_size(kAll);
  const v1::ListAttemptsResponse response = ExpectOk(api_->ListAttempts(request), "ListAttempts");
  return {response.attempts().rbegin(), response.attempts().rend()};
}

std::vector<v1::Attempt> Caller::AttemptsTo(const std::string& endpoint_id) {
  v1::ListAttemptsRequest request;
  request.set_endpoint_id(endpoint_id);
  request.set_page_size(kAll);
  const v1::ListAttemptsResponse response = ExpectOk(api_->ListAttempts(request), "ListAttempts");
  return {response.attempts().rbegin(), response.attempts().rend()};
}

v1::Delivery Caller::Redeliver(const std::string& delivery_id) {
  v1::RedeliverDeliveryRequest request;
  request.set_delivery_id(delivery_id);
  return ExpectOk(api_->RedeliverDelivery(request), "RedeliverDelivery").delivery();
}

v1::Delivery Caller::Cancel(const std::string& delivery_id) {
  v1::CancelDeliveryRequest request;
  request.set_delivery_id(delivery_id);
  return ExpectOk(api_->CancelDelivery(request), "CancelDelivery").delivery();
}

v1::Delivery Caller::WaitForState(const std::string& delivery_id, v1::DeliveryState state,
                                  absl::Duration timeout) {
  v1::Delivery delivery;
  const bool reached = WaitUntil(
      [&] {
        delivery = GetDelivery(delivery_id);
        return delivery.state() == state || delivery.id().empty();
      },
      timeout);
  EXPECT_TRUE(reached) << "not " << v1::DeliveryState_Name(state) << " in time:\n"
                       << delivery.DebugString();
  return delivery;
}

v1::Delivery Caller::WaitForAttempts(const std::string& delivery_id, int count,
                                     absl::Duration timeout) {
  v1::Delivery delivery;
  const bool reached = WaitUntil(
      [&] {
        delivery = GetDelivery(delivery_id);
        return (delivery.attempt_count() >= count &&
                delivery.state() != v1::DELIVERY_STATE_IN_PROGRESS) ||
               delivery.id().empty();
      },
      timeout);
  EXPECT_TRUE(reached) << "no " << count << " attempts in time:\n" << delivery.DebugString();
  return delivery;
}

v1::Endpoint Caller::WaitForEndpointState(const std::string& endpoint_id, v1::EndpointState state,
                                          absl::Duration timeout) {
  v1::Endpoint endpoint;
  const bool reached = WaitUntil(
      [&] {
        endpoint = GetEndpoint(endpoint_id);
        return endpoint.state() == state || endpoint.id().empty();
      },
      timeout);
  EXPECT_TRUE(reached) << "not " << v1::EndpointState_Name(state) << " in time:\n"
                       << endpoint.DebugString();
  return endpoint;
}

bool Caller::WaitUntilIdle(const std::string& endpoint_id, absl::Duration timeout) {
  return WaitUntil(
      [&] {
        const std::vector<v1::Delivery> all = DeliveriesTo(endpoint_id);
        return std::none_of(all.begin(), all.end(),
                            [](const v1::Delivery& d) { return IsOpen(d.state()); });
      },
      timeout);
}

absl::Status VerifySignature(const ReceivedRequest& request,
                             const std::vector<std::string>& secrets) {
  std::vector<signing::VerifyingKey> keys;
  for (const std::string& secret : secrets) {
    absl::StatusOr<signing::VerifyingKey> key = signing::VerifyingKey::Parse(secret);
    if (!key.ok()) return key.status();
    keys.push_back(*std::move(key));
  }
  const std::string id = request.Header("webhook-id");
  const std::string timestamp = request.Header("webhook-timestamp");
  const std::string signature = request.Header("webhook-signature");
  return signing::VerifyRequest({id, timestamp, signature}, request.body, keys, absl::Now());
}

}  // namespace postrider::testing

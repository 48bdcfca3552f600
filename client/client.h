// Calls to a Postrider server as plain functions: one overload of Call for each rpc that answers
// once. Needs none of gRPC's headers.

#ifndef POSTRIDER_CLIENT_CLIENT_H_
#define POSTRIDER_CLIENT_CLIENT_H_

#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/options.h"
#include "postrider/v1/api_key_service.pb.h"
#include "postrider/v1/delivery_service.pb.h"
#include "postrider/v1/endpoint_service.pb.h"
#include "postrider/v1/event_service.pb.h"
#include "postrider/v1/publisher_service.pb.h"

namespace postrider::client {

// One connection to a server. Thread-safe; calls run side by side.
//
// Every Call makes one try of one rpc and waits for its answer for `timeout` at most. It returns
// the code of the server with one plain sentence as its message; client/status_details.h reads
// what else the server said. UNAVAILABLE and DEADLINE_EXCEEDED can also mean that the server was
// not reached; then ErrorReason is empty and whether the call acted is unknown. After an error
// `response` holds nothing of use. A Call blocks its thread; a Start does the same without waiting.
class Client {
 public:
  // Connects at the first call, so an address where nobody listens is found out there.
  // INVALID_ARGUMENT as CheckOptions.
  static absl::StatusOr<Client> Create(const ClientOptions& options);

  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;
  ~Client();

  // PublisherService. client/publisher.h adds idempotency keys and retries.
  absl::Status Call(const v1::PublishRequest& request, v1::PublishResponse* response,
                    absl::Duration timeout = kDefaultCallTimeout) const;
  absl::Status Call(const v1::BatchPublishRequest& request, v1::BatchPublishResponse* response,
                    absl::Duration timeout = kDefaultCallTimeout) const;

  // What became of a publish that was started: called exactly once, on a thread of gRPC's, on which
  // it must not wait. The response is the callee's to take. The client must live until then.
  using PublishDone = absl::AnyInvocable<void(const absl::Status&, v1::PublishResponse&)>;
  using BatchPublishDone = absl::AnyInvocable<void(const absl::Status&, v1::BatchPublishResponse&)>;
  void Start(v1::PublishRequest request, PublishDone done,
             absl::Duration timeout = kDefaultCallTimeout) const;
  void Start(v1::BatchPublishRequest request, BatchPublishDone done,
             absl::Duration timeout = kDefaultCallTimeout) const;

  // EndpointService
  absl::Status Call(const v1::CreateEndpointRequest& request, v1::CreateEndpointResponse* response,
                    absl::Duration timeout = kDefaultCallTimeout) const;
  absl::Status Call(const v1::GetEndpointRequest& request, v1::GetEndpointResponse* response,
                    absl::Duration timeout = kDefaultCallTimeout) const;
  absl::Status Call(const v1::ListEndpointsRequest& request, v1::ListEndpointsResponse* response,
                    absl::Duration timeout = kDefaultCallTimeout) const;
  absl::Status Call(const v1::UpdateEndpointRequest& request, v1::UpdateEndpointResponse* response,
                    absl::Duration timeout = kDefaultCallTimeout) const;
  absl::Status Call(const v1::DeleteEndpointRequest& request, v1::DeleteEndpointResponse* response,
                    absl::Duration timeout = kDefaultCallTimeout) const;
  absl::Status Call(const v1::EnableEndpointRequest& request, v1::EnableEndpointResponse* response,
                    absl::Duration timeout = kDefaultCallTimeout) const;
  absl::Status Call(const v1::DisableEndpointRequest& request,
                    v1::DisableEndpointResponse* response,
                    absl::Duration timeout = kDefaultCallTimeout) const;
  absl::Status Call(const v1::RotateEndpointSecretRequest& request,
                    v1::RotateEndpointSecretResponse* response,
                    absl::Duration timeout = kDefaultCallTimeout) const;

  // EventService
  absl::Status Call(const v1::GetEventRequest& request, v1::GetEventResponse* response,
                    absl::Duration timeout = kDefaultCallTimeout) const;
  absl::Status Call(const v1::ListEventsRequest& request, v1::ListEventsResponse* response,
                    absl::Duration timeout = kDefaultCallTimeout) const;

  // DeliveryService
  absl::Status Call(const v1::GetDeliveryRequest& request, v1::GetDeliveryResponse* response,
                    absl::Duration timeout = kDefaultCallTimeout) const;
  absl::Status Call(const v1::ListDeliveriesRequest& request, v1::ListDeliveriesResponse* response,
                    absl::Duration timeout = kDefaultCallTimeout) const;
  absl::Status Call(const v1::ListAttemptsRequest& request, v1::ListAttemptsResponse* response,
                    absl::Duration timeout = kDefaultCallTimeout) const;
  absl::Status Call(const v1::RedeliverDeliveryRequest& request,
                    v1::RedeliverDeliveryResponse* response,
                    absl::Duration timeout = kDefaultCallTimeout) const;
  absl::Status Call(const v1::CancelDeliveryRequest& request, v1::CancelDeliveryResponse* response,
                    absl::Duration timeout = kDefaultCallTimeout) const;

  // ApiKeyService
  absl::Status Call(const v1::CreateApiKeyRequest& request, v1::CreateApiKeyResponse* response,
                    absl::Duration timeout = kDefaultCallTimeout) const;
  absl::Status Call(const v1::ListApiKeysRequest& request, v1::ListApiKeysResponse* response,
                    absl::Duration timeout = kDefaultCallTimeout) const;
  absl::Status Call(const v1::RevokeApiKeyRequest& request, v1::RevokeApiKeyResponse* response,
                    absl::Duration timeout = kDefaultCallTimeout) const;
  absl::Status Call(const v1::ListAuditRecordsRequest& request,
                    v1::ListAuditRecordsResponse* response,
                    absl::Duration timeout = kDefaultCallTimeout) const;

 private:
  struct Stubs;
  explicit Client(std::unique_ptr<Stubs> stubs);

  std::unique_ptr<Stubs> stubs_;
};

}  // namespace postrider::client

#endif  // POSTRIDER_CLIENT_CLIENT_H_

#include "client/client.h"

#include <chrono>
#include <functional>
#include <utility>

#include "absl/time/clock.h"
#include "client/channel.h"
#include "client/status_from_grpc.h"
#include "postrider/v1/api_key_service.grpc.pb.h"
#include "postrider/v1/delivery_service.grpc.pb.h"
#include "postrider/v1/endpoint_service.grpc.pb.h"
#include "postrider/v1/event_service.grpc.pb.h"
#include "postrider/v1/publisher_service.grpc.pb.h"

namespace postrider::client {

struct Client::Stubs {
  explicit Stubs(const ClientOptions& client_options)
      : options(client_options),
        channel(MakeChannel(options)),
        publisher(v1::PublisherService::NewStub(channel)),
        endpoints(v1::EndpointService::NewStub(channel)),
        events(v1::EventService::NewStub(channel)),
        deliveries(v1::DeliveryService::NewStub(channel)),
        api_keys(v1::ApiKeyService::NewStub(channel)) {}

  template <class Stub, class Request, class Response>
  absl::Status Run(Stub& stub,
                   grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                   const Request& request, Response* response, absl::Duration timeout) const {
    grpc::ClientContext context;
    Authorize(options, &context);
    context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
    return StatusFromGrpc((stub.*method)(&context, request, response));
  }

  template <class Request, class Response, class Done>
  void Begin(void (v1::PublisherService::Stub::async::*method)(grpc::ClientContext*, const Request*,
                                                               Response*,
                                                               std::function<void(grpc::Status)>),
             Request request, Done done, absl::Duration timeout) const {
    struct Started {
      grpc::ClientContext context;
      Request request;
      Response response;
      Done done;
    };
    auto* call = new Started{.request = std::move(request), .done = std::move(done)};
    Authorize(options, &call->context);
    call->context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
    (publisher->async()->*method)(&call->context, &call->request, &call->response,
                                  [call](const grpc::Status& status) {
                                    // The call goes first: it holds on to the channel, and
                                    // a thread of gRPC's must not be the last to let go of it.
                                    Done done_then = std::move(call->done);
                                    Response response = std::move(call->response);
                                    delete call;
                                    done_then(StatusFromGrpc(status), response);
                                  });
  }

  const ClientOptions options;
  const std::shared_ptr<grpc::Channel> channel;
  const std::unique_ptr<v1::PublisherService::Stub> publisher;
  const std::unique_ptr<v1::EndpointService::Stub> endpoints;
  const std::unique_ptr<v1::EventService::Stub> events;
  const std::unique_ptr<v1::DeliveryService::Stub> deliveries;
  const std::unique_ptr<v1::ApiKeyService::Stub> api_keys;
};

absl::StatusOr<Client> Client::Create(const ClientOptions& options) {
  if (absl::Status status = CheckOptions(options); !status.ok()) return status;
  return Client(std::make_unique<Stubs>(options));
}

Client::Client(std::unique_ptr<Stubs> stubs) : stubs_(std::move(stubs)) {}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

absl::Status Client::Call(const v1::PublishRequest& request, v1::PublishResponse* response,
                          absl::Duration timeout) const {
  return stubs_->Run(*stubs_->publisher, &v1::PublisherService::Stub::Publish, request, response,
                     timeout);
}

absl::Status Client::Call(const v1::BatchPublishRequest& request,
                          v1::BatchPublishResponse* response, absl::Duration timeout) const {
  return stubs_->Run(*stubs_->publisher, &v1::PublisherService::Stub::BatchPublish, request,
                     response, timeout);
}

void Client::Start(v1::PublishRequest request, PublishDone done, absl::Duration timeout) const {
  stubs_->Begin<v1::PublishRequest, v1::PublishResponse>(
      &v1::PublisherService::Stub::async::Publish, std::move(request), std::move(done), timeout);
}

void Client::Start(v1::BatchPublishRequest request, BatchPublishDone done,
                   absl::Duration timeout) const {
  stubs_->Begin<v1::BatchPublishRequest, v1::BatchPublishResponse>(
      &v1::PublisherService::Stub::async::BatchPublish, std::move(request), std::move(done),
      timeout);
}

absl::Status Client::Call(const v1::CreateEndpointRequest& request,
                          v1::CreateEndpointResponse* response, absl::Duration timeout) const {
  return stubs_->Run(*stubs_->endpoints, &v1::EndpointService::Stub::CreateEndpoint, request,
                     response, timeout);
}

absl::Status Client::Call(const v1::GetEndpointRequest& request, v1::GetEndpointResponse* response,
                          absl::Duration timeout) const {
  return stubs_->Run(*stubs_->endpoints, &v1::EndpointService::Stub::GetEndpoint, request, response,
                     timeout);
}

absl::Status Client::Call(const v1::ListEndpointsRequest& request,
                          v1::ListEndpointsResponse* response, absl::Duration timeout) const {
  return stubs_->Run(*stubs_->endpoints, &v1::EndpointService::Stub::ListEndpoints, request,
                     response, timeout);
}

absl::Status Client::Call(const v1::UpdateEndpointRequest& request,
                          v1::UpdateEndpointResponse* response, absl::Duration timeout) const {
  return stubs_->Run(*stubs_->endpoints, &v1::EndpointService::Stub::UpdateEndpoint, request,
                     response, timeout);
}

absl::Status Client::Call(const v1::DeleteEndpointRequest& request,
                          v1::DeleteEndpointResponse* response, absl::Duration timeout) const {
  return stubs_->Run(*stubs_->endpoints, &v1::EndpointService::Stub::DeleteEndpoint, request,
                     response, timeout);
}

absl::Status Client::Call(const v1::EnableEndpointRequest& request,
                          v1::EnableEndpointResponse* response, absl::Duration timeout) const {
  return stubs_->Run(*stubs_->endpoints, &v1::EndpointService::Stub::EnableEndpoint, request,
                     response, timeout);
}

absl::Status Client::Call(const v1::DisableEndpointRequest& request,
                          v1::DisableEndpointResponse* response, absl::Duration timeout) const {
  return stubs_->Run(*stubs_->endpoints, &v1::EndpointService::Stub::DisableEndpoint, request,
                     response, timeout);
}

absl::Status Client::Call(const v1::RotateEndpointSecretRequest& request,
                          v1::RotateEndpointSecretResponse* response,
                          absl::Duration timeout) const {
  return stubs_->Run(*stubs_->endpoints, &v1::EndpointService::Stub::RotateEndpointSecret, request,
                     response, timeout);
}

absl::Status Client::Call(const v1::GetEventRequest& request, v1::GetEventResponse* response,
                          absl::Duration timeout) const {
  return stubs_->Run(*stubs_->events, &v1::EventService::Stub::GetEvent, request, response,
                     timeout);
}

absl::Status Client::Call(const v1::ListEventsRequest& request, v1::ListEventsResponse* response,
                          absl::Duration timeout) const {
  return stubs_->Run(*stubs_->events, &v1::EventService::Stub::ListEvents, request, response,
                     timeout);
}

absl::Status Client::Call(const v1::GetDeliveryRequest& request, v1::GetDeliveryResponse* response,
                          absl::Duration timeout) const {
  return stubs_->Run(*stubs_->deliveries, &v1::DeliveryService::Stub::GetDelivery, request,
                     response, timeout);
}

absl::Status Client::Call(const v1::ListDeliveriesRequest& request,
                          v1::ListDeliveriesResponse* response, absl::Duration timeout) const {
  return stubs_->Run(*stubs_->deliveries, &v1::DeliveryService::Stub::ListDeliveries, request,
                     response, timeout);
}

absl::Status Client::Call(const v1::ListAttemptsRequest& request,
                          v1::ListAttemptsResponse* response, absl::Duration timeout) const {
  return stubs_->Run(*stubs_->deliveries, &v1::DeliveryService::Stub::ListAttempts, request,
                     response, timeout);
}

absl::Status Client::Call(const v1::RedeliverDeliveryRequest& request,
                          v1::RedeliverDeliveryResponse* response, absl::Duration timeout) const {
  return stubs_->Run(*stubs_->deliveries, &v1::DeliveryService::Stub::RedeliverDelivery, request,
                     response, timeout);
}

absl::Status Client::Call(const v1::CancelDeliveryRequest& request,
                          v1::CancelDeliveryResponse* response, absl::Duration timeout) const {
  return stubs_->Run(*stubs_->deliveries, &v1::DeliveryService::Stub::CancelDelivery, request,
                     response, timeout);
}

absl::Status Client::Call(const v1::CreateApiKeyRequest& request,
                          v1::CreateApiKeyResponse* response, absl::Duration timeout) const {
  return stubs_->Run(*stubs_->api_keys, &v1::ApiKeyService::Stub::CreateApiKey, request, response,
                     timeout);
}

absl::Status Client::Call(const v1::ListApiKeysRequest& request, v1::ListApiKeysResponse* response,
                          absl::Duration timeout) const {
  return stubs_->Run(*stubs_->api_keys, &v1::ApiKeyService::Stub::ListApiKeys, request, response,
                     timeout);
}

absl::Status Client::Call(const v1::RevokeApiKeyRequest& request,
                          v1::RevokeApiKeyResponse* response, absl::Duration timeout) const {
  return stubs_->Run(*stubs_->api_keys, &v1::ApiKeyService::Stub::RevokeApiKey, request, response,
                     timeout);
}

absl::Status Client::Call(const v1::ListAuditRecordsRequest& request,
                          v1::ListAuditRecordsResponse* response, absl::Duration timeout) const {
  return stubs_->Run(*stubs_->api_keys, &v1::ApiKeyService::Stub::ListAuditRecords, request,
                     response, timeout);
}

}  // namespace postrider::client

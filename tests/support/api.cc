#include "tests/support/api.h"

#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>

#include <fstream>
#include <iterator>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "google/rpc/status.pb.h"
#include "postrider/v1/delivery_service.grpc.pb.h"
#include "postrider/v1/endpoint_service.grpc.pb.h"
#include "postrider/v1/event_service.grpc.pb.h"
#include "postrider/v1/org_service.grpc.pb.h"
#include "postrider/v1/publisher_service.grpc.pb.h"

namespace postrider::testing {
namespace {

constexpr int kMaxAnswerBytes = 64 * 1024 * 1024;

std::string ContentOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::shared_ptr<grpc::ChannelCredentials> CredentialsOf(const Api::Tls& tls) {
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = ContentOf(tls.ca_file);
  if (!tls.certificate_file.empty()) {
    options.pem_cert_chain = ContentOf(tls.certificate_file);
    options.pem_private_key = ContentOf(tls.key_file);
  }
  return grpc::SslCredentials(options);
}

std::shared_ptr<grpc::Channel> MakeChannel(
    const std::string& address, const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxAnswerBytes);
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // A server that comes back is found at once.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(address, credentials, arguments);
}

void SetDeadline(grpc::ClientContext& context) {
  context.set_deadline(absl::ToChronoTime(absl::Now() + Api::kCallTimeout));
}

template <class Stub, class Request, class Response>
Reply<Response> Call(Stub& stub,
                     grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                     const Request& request) {
  grpc::ClientContext context;
  SetDeadline(context);
  Reply<Response> reply;
  reply.status = (stub.*method)(&context, request, &reply.value);
  if (!reply.status.ok()) reply.value.Clear();
  return reply;
}

std::string BytesOf(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  buffer.Dump(&slices).ok();
  std::string bytes;
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

}  // namespace

struct Api::Stubs {
  explicit Stubs(const std::shared_ptr<grpc::Channel>& channel)
      : publisher(channel),
        endpoint(channel),
        event(channel),
        delivery(channel),
        org(channel),
        generic(channel) {}

  v1::PublisherService::Stub publisher;
  v1::EndpointService::Stub endpoint;
  v1::EventService::Stub event;
  v1::DeliveryService::Stub delivery;
  v1::OrgService::Stub org;
  grpc::GenericStub generic;
};

namespace {

using Publisher = v1::PublisherService::Stub;
using Endpoints = v1::EndpointService::Stub;
using Events = v1::EventService::Stub;
using Deliveries = v1::DeliveryService::Stub;
using Orgs = v1::OrgService::Stub;

}  // namespace

Api::Api(const std::string& address)
    : channel_(MakeChannel(address, grpc::InsecureChannelCredentials())),
      stubs_(std::make_unique<Stubs>(channel_)) {}

Api::Api(const std::string& address, const Tls& tls)
    : channel_(MakeChannel(address, CredentialsOf(tls))),
      stubs_(std::make_unique<Stubs>(channel_)) {}

Api::~Api() = default;

Reply<v1::PublishResponse> Api::Publish(const v1::PublishRequest& request) {
  return Call(stubs_->publisher, &Publisher::Publish, request);
}

Reply<v1::BatchPublishResponse> Api::BatchPublish(const v1::BatchPublishRequest& request) {
  return Call(stubs_->publisher, &Publisher::BatchPublish, request);
}

Reply<v1::CreateEndpointResponse> Api::CreateEndpoint(const v1::CreateEndpointRequest& request) {
  return Call(stubs_->endpoint, &Endpoints::CreateEndpoint, request);
}

Reply<v1::GetEndpointResponse> Api::GetEndpoint(const v1::GetEndpointRequest& request) {
  return Call(stubs_->endpoint, &Endpoints::GetEndpoint, request);
}

Reply<v1::ListEndpointsResponse> Api::ListEndpoints(const v1::ListEndpointsRequest& request) {
  return Call(stubs_->endpoint, &Endpoints::ListEndpoints, request);
}

Reply<v1::UpdateEndpointResponse> Api::UpdateEndpoint(const v1::UpdateEndpointRequest& request) {
  return Call(stubs_->endpoint, &Endpoints::UpdateEndpoint, request);
}

Reply<v1::DeleteEndpointResponse> Api::DeleteEndpoint(const v1::DeleteEndpointRequest& request) {
  return Call(stubs_->endpoint, &Endpoints::DeleteEndpoint, request);
}

Reply<v1::EnableEndpointResponse> Api::EnableEndpoint(const v1::EnableEndpointRequest& request) {
  return Call(stubs_->endpoint, &Endpoints::EnableEndpoint, request);
}

Reply<v1::DisableEndpointResponse> Api::DisableEndpoint(const v1::DisableEndpointRequest& request) {
  return Call(stubs_->endpoint, &Endpoints::DisableEndpoint, request);
}

Reply<v1::RotateEndpointSecretResponse> Api::RotateEndpointSecret(
    const v1::RotateEndpointSecretRequest& request) {
  return Call(stubs_->endpoint, &Endpoints::RotateEndpointSecret, request);
}

Reply<v1::GetEventResponse> Api::GetEvent(const v1::GetEventRequest& request) {
  return Call(stubs_->event, &Events::GetEvent, request);
}

Reply<v1::ListEventsResponse> Api::ListEvents(const v1::ListEventsRequest& request) {
  return Call(stubs_->event, &Events::ListEvents, request);
}

Reply<v1::GetDeliveryResponse> Api::GetDelivery(const v1::GetDeliveryRequest& request) {
  return Call(stubs_->delivery, &Deliveries::GetDelivery, request);
}

Reply<v1::ListDeliveriesResponse> Api::ListDeliveries(const v1::ListDeliveriesRequest& request) {
  return Call(stubs_->delivery, &Deliveries::ListDeliveries, request);
}

Reply<v1::ListAttemptsResponse> Api::ListAttempts(const v1::ListAttemptsRequest& request) {
  return Call(stubs_->delivery, &Deliveries::ListAttempts, request);
}

Reply<v1::RedeliverDeliveryResponse> Api::RedeliverDelivery(
    const v1::RedeliverDeliveryRequest& request) {
  return Call(stubs_->delivery, &Deliveries::RedeliverDelivery, request);
}

Reply<v1::CancelDeliveryResponse> Api::CancelDelivery(const v1::CancelDeliveryRequest& request) {
  return Call(stubs_->delivery, &Deliveries::CancelDelivery, request);
}

Reply<v1::GetOrgStatsResponse> Api::GetOrgStats(const v1::GetOrgStatsRequest& request) {
  return Call(stubs_->org, &Orgs::GetOrgStats, request);
}

Reply<v1::PurgeOrgResponse> Api::PurgeOrg(const v1::PurgeOrgRequest& request) {
  return Call(stubs_->org, &Orgs::PurgeOrg, request);
}

Reply<v1::PurgeEventResponse> Api::PurgeEvent(const v1::PurgeEventRequest& request) {
  return Call(stubs_->org, &Orgs::PurgeEvent, request);
}

Reply<std::string> Api::CallRaw(absl::string_view method, const std::string& request_bytes,
                                const Metadata& metadata) {
  Reply<std::vector<std::string>> all = StreamRaw(method, request_bytes, metadata);
  return {all.status, all.value.empty() ? "" : all.value[0]};
}

Reply<std::vector<std::string>> Api::StreamRaw(absl::string_view method,
                                               const std::string& request_bytes,
                                               const Metadata& metadata,
                                               const std::function<void()>& on_answer) {
  grpc::ClientContext context;
  SetDeadline(context);
  for (const auto& [name, value] : metadata) context.AddMetadata(name, value);
  grpc::CompletionQueue queue;
  const auto next = [&queue] {  // One operation at a time, each bounded by the call's deadline.
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call =
      stubs_->generic.PrepareCall(&context, absl::StrCat("/", method), &queue);
  call->StartCall(nullptr);
  next();
  const grpc::Slice slice(request_bytes);
  call->WriteLast(grpc::ByteBuffer(&slice, 1), grpc::WriteOptions(), nullptr);
  next();
  Reply<std::vector<std::string>> reply;
  grpc::ByteBuffer answer;
  while (true) {
    call->Read(&answer, nullptr);
    if (!next()) break;
    reply.value.push_back(BytesOf(answer));
    if (on_answer) on_answer();
  }
  call->Finish(&reply.status, nullptr);
  next();
  queue.Shutdown();
  while (next()) {
  }
  return reply;
}

ErrorDetails DetailsOf(const grpc::Status& status) {
  ErrorDetails details;
  google::rpc::Status rich;
  if (!rich.ParseFromString(status.error_details())) return details;
  for (const google::protobuf::Any& any : rich.details()) {
    if (any.UnpackTo(&details.bad_request)) {
      for (const auto& violation : details.bad_request.field_violations()) {
        details.fields.insert(violation.field());
      }
    }
    details.has_info |= any.UnpackTo(&details.info);
    details.has_retry |= any.UnpackTo(&details.retry);
  }
  return details;
}

std::string ToText(const grpc::Status& status) {
  static constexpr const char* kNames[] = {"OK",
                                           "CANCELLED",
                                           "UNKNOWN",
                                           "INVALID_ARGUMENT",
                                           "DEADLINE_EXCEEDED",
                                           "NOT_FOUND",
                                           "ALREADY_EXISTS",
                                           "PERMISSION_DENIED",
                                           "RESOURCE_EXHAUSTED",
                                           "FAILED_PRECONDITION",
                                           "ABORTED",
                                           "OUT_OF_RANGE",
                                           "UNIMPLEMENTED",
                                           "INTERNAL",
                                           "UNAVAILABLE",
                                           "DATA_LOSS",
                                           "UNAUTHENTICATED"};
  const int code = status.error_code();
  std::string text = code >= 0 && code <= 16 ? kNames[code] : absl::StrCat("code ", code);
  if (!status.error_message().empty()) absl::StrAppend(&text, ": ", status.error_message());
  const ErrorDetails details = DetailsOf(status);
  if (!details.fields.empty()) {
    absl::StrAppend(&text, " {", absl::StrJoin(details.fields, ", "), "}");
  }
  return text;
}

absl::Time ToTime(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

absl::Duration ToDuration(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

google::protobuf::Timestamp ToProto(absl::Time time) {
  google::protobuf::Timestamp proto;
  proto.set_seconds(absl::ToUnixSeconds(time));
  proto.set_nanos(static_cast<int32_t>(
      absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(proto.seconds()))));
  return proto;
}

google::protobuf::Duration ToProto(absl::Duration duration) {
  google::protobuf::Duration proto;
  proto.set_seconds(absl::ToInt64Seconds(duration));
  proto.set_nanos(
      static_cast<int32_t>(absl::ToInt64Nanoseconds(duration - absl::Seconds(proto.seconds()))));
  return proto;
}

}  // namespace postrider::testing

namespace grpc {
void PrintTo(const Status& status, std::ostream* out) {
  *out << postrider::testing::ToText(status);
}
}  // namespace grpc

#ifndef POSTRIDER_TESTS_SUPPORT_API_H_
#define POSTRIDER_TESTS_SUPPORT_API_H_

#include <grpcpp/support/status.h>

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/rpc/error_details.pb.h"
#include "postrider/v1/delivery_service.pb.h"
#include "postrider/v1/endpoint_service.pb.h"
#include "postrider/v1/event_service.pb.h"
#include "postrider/v1/org_service.pb.h"
#include "postrider/v1/publisher_service.pb.h"

namespace grpc {
class Channel;
}

namespace postrider::testing {

// What a call came back with. The value is empty unless the status is OK.
template <class T>
struct Reply {
  grpc::Status status;
  T value;

  bool ok() const { return status.ok(); }
  const T* operator->() const { return &value; }
};

// The rpcs of one server as plain blocking calls, each with a deadline. Thread-safe.
class Api {
 public:
  using Metadata = std::vector<std::pair<std::string, std::string>>;

  static constexpr absl::Duration kCallTimeout = absl::Seconds(30);

  // `address` as the server prints it when it is ready.
  explicit Api(const std::string& address);

  // The same with TLS: PEM files of the authority and, where not empty, of a client certificate.
  struct Tls {
    std::string ca_file;
    std::string certificate_file;
    std::string key_file;
  };
  Api(const std::string& address, const Tls& tls);
  ~Api();

  Reply<v1::PublishResponse> Publish(const v1::PublishRequest& request);
  Reply<v1::BatchPublishResponse> BatchPublish(const v1::BatchPublishRequest& request);

  Reply<v1::CreateEndpointResponse> CreateEndpoint(const v1::CreateEndpointRequest& request);
  Reply<v1::GetEndpointResponse> GetEndpoint(const v1::GetEndpointRequest& request);
  Reply<v1::ListEndpointsResponse> ListEndpoints(const v1::ListEndpointsRequest& request);
  Reply<v1::UpdateEndpointResponse> UpdateEndpoint(const v1::UpdateEndpointRequest& request);
  Reply<v1::DeleteEndpointResponse> DeleteEndpoint(const v1::DeleteEndpointRequest& request);
  Reply<v1::EnableEndpointResponse> EnableEndpoint(const v1::EnableEndpointRequest& request);
  Reply<v1::DisableEndpointResponse> DisableEndpoint(const v1::DisableEndpointRequest& request);
  Reply<v1::RotateEndpointSecretResponse> RotateEndpointSecret(
      const v1::RotateEndpointSecretRequest& request);

  Reply<v1::GetEventResponse> GetEvent(const v1::GetEventRequest& request);
  Reply<v1::ListEventsResponse> ListEvents(const v1::ListEventsRequest& request);

  Reply<v1::GetDeliveryResponse> GetDelivery(const v1::GetDeliveryRequest& request);
  Reply<v1::ListDeliveriesResponse> ListDeliveries(const v1::ListDeliveriesRequest& request);
  Reply<v1::ListAttemptsResponse> ListAttempts(const v1::ListAttemptsRequest& request);
  Reply<v1::RedeliverDeliveryResponse> RedeliverDelivery(
      const v1::RedeliverDeliveryRequest& request);
  Reply<v1::CancelDeliveryResponse> CancelDelivery(const v1::CancelDeliveryRequest& request);

  Reply<v1::GetOrgStatsResponse> GetOrgStats(const v1::GetOrgStatsRequest& request);
  Reply<v1::PurgeOrgResponse> PurgeOrg(const v1::PurgeOrgRequest& request);
  Reply<v1::PurgeEventResponse> PurgeEvent(const v1::PurgeEventRequest& request);

  // Any unary or server-streaming rpc with bytes of the caller's choice: `method` is like
  // "postrider.v1.EventService/GetEvent". The value is the first message of the answer.
  Reply<std::string> CallRaw(absl::string_view method, const std::string& request_bytes,
                             const Metadata& metadata = {});

  // A bidirectional rpc: sends the message and ends its side. The values are all answers; each is
  // told of as it comes.
  Reply<std::vector<std::string>> StreamRaw(absl::string_view method,
                                            const std::string& request_bytes,
                                            const Metadata& metadata = {},
                                            const std::function<void()>& on_answer = nullptr);

  struct Stubs;

 private:
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<Stubs> stubs_;
};

// What the details of an error say.
struct ErrorDetails {
  // The fields in google.rpc.BadRequest.
  std::set<std::string> fields;
  google::rpc::BadRequest bad_request;
  google::rpc::ErrorInfo info;
  google::rpc::RetryInfo retry;
  bool has_info = false;
  bool has_retry = false;
};
ErrorDetails DetailsOf(const grpc::Status& status);

// For messages of failed tests: "INVALID_ARGUMENT: text {fields}".
std::string ToText(const grpc::Status& status);

absl::Time ToTime(const google::protobuf::Timestamp& time);
absl::Duration ToDuration(const google::protobuf::Duration& duration);
google::protobuf::Timestamp ToProto(absl::Time time);
google::protobuf::Duration ToProto(absl::Duration duration);

}  // namespace postrider::testing

namespace grpc {
// How gtest prints a status.
void PrintTo(const Status& status, std::ostream* out);
}  // namespace grpc

#endif  // POSTRIDER_TESTS_SUPPORT_API_H_

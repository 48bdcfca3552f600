#include "tests/client/fake_server.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <chrono>
#include <deque>

#include "absl/base/thread_annotations.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "postrider/v1/delivery_service.grpc.pb.h"
#include "postrider/v1/endpoint_service.grpc.pb.h"
#include "postrider/v1/publisher_service.grpc.pb.h"

namespace postrider::testing {

struct FakeServer::State {
  mutable absl::Mutex mutex;
  std::deque<grpc::Status> publish_failures ABSL_GUARDED_BY(mutex);
  bool holds_publishes ABSL_GUARDED_BY(mutex) = false;
  int ends_stream_at ABSL_GUARDED_BY(mutex) = 0;
  std::deque<grpc::Status> stream_ends ABSL_GUARDED_BY(mutex);
  int streams ABSL_GUARDED_BY(mutex) = 0;
  grpc::Status failure ABSL_GUARDED_BY(mutex);
  std::vector<v1::PublishRequest> published ABSL_GUARDED_BY(mutex);
  std::vector<v1::UpdateEndpointRequest> updates ABSL_GUARDED_BY(mutex);
  std::vector<v1::ListEndpointsRequest> lists ABSL_GUARDED_BY(mutex);
  std::vector<std::string> credentials ABSL_GUARDED_BY(mutex);
  std::vector<v1::Endpoint> endpoints ABSL_GUARDED_BY(mutex);

  void Record(const grpc::ServerContext& context) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    const auto found = context.client_metadata().find("authorization");
    credentials.push_back(found == context.client_metadata().end()
                              ? ""
                              : std::string(found->second.data(), found->second.size()));
  }

  grpc::Status Find(const std::string& id, v1::Endpoint* endpoint)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
    for (const v1::Endpoint& known : endpoints) {
      if (known.id() != id) continue;
      *endpoint = known;
      return grpc::Status::OK;
    }
    return RefusedFor(grpc::StatusCode::NOT_FOUND, absl::StrCat("There is no endpoint ", id, "."),
                      "ENDPOINT_NOT_FOUND");
  }
};

class FakeServer::Publisher : public v1::PublisherService::Service {
 public:
  explicit Publisher(State* state) : state_(*state) {}

  grpc::Status Publish(grpc::ServerContext* context, const v1::PublishRequest* request,
                       v1::PublishResponse* response) override {
    absl::MutexLock lock(&state_.mutex);
    state_.Record(*context);
    state_.published.push_back(*request);
    state_.mutex.Await(absl::Condition(
        +[](State* state) ABSL_NO_THREAD_SAFETY_ANALYSIS { return !state->holds_publishes; },
        &state_));
    if (!state_.publish_failures.empty()) {
      const grpc::Status failure = state_.publish_failures.front();
      state_.publish_failures.pop_front();
      return failure;
    }
    response->set_event_id(absl::StrCat("evt_", state_.published.size()));
    response->mutable_create_time()->set_seconds(1700000000);
    return grpc::Status::OK;
  }

  grpc::Status BatchPublish(grpc::ServerContext* context, const v1::BatchPublishRequest* request,
                            v1::BatchPublishResponse* response) override {
    absl::MutexLock lock(&state_.mutex);
    state_.Record(*context);
    for (const v1::PublishRequest& item : request->requests()) {
      state_.published.push_back(item);
      response->add_responses()->set_event_id(absl::StrCat("evt_", state_.published.size()));
    }
    return grpc::Status::OK;
  }

  grpc::Status StreamPublish(grpc::ServerContext* context,
                             grpc::ServerReaderWriter<v1::StreamPublishResponse,
                                                      v1::StreamPublishRequest>* stream) override {
    {
      absl::MutexLock lock(&state_.mutex);
      state_.Record(*context);
      ++state_.streams;
    }
    v1::StreamPublishRequest item;
    for (int items = 1; stream->Read(&item); ++items) {
      v1::StreamPublishResponse answer;
      answer.set_sequence(item.sequence());
      {
        absl::MutexLock lock(&state_.mutex);
        state_.published.push_back(item.request());
        if (!state_.stream_ends.empty() && items >= state_.ends_stream_at) {
          const grpc::Status end = state_.stream_ends.front();
          state_.stream_ends.pop_front();
          return end;
        }
        if (state_.holds_publishes) continue;
        if (!state_.publish_failures.empty()) {
          const grpc::Status failure = state_.publish_failures.front();
          state_.publish_failures.pop_front();
          answer.mutable_status()->ParseFromString(failure.error_details());
          answer.mutable_status()->set_code(static_cast<int>(failure.error_code()));
          answer.mutable_status()->set_message(failure.error_message());
        } else {
          answer.mutable_response()->set_event_id(absl::StrCat("evt_", state_.published.size()));
        }
      }
      stream->Write(answer);
    }
    return grpc::Status::OK;
  }

 private:
  State& state_;
};

class FakeServer::Endpoints : public v1::EndpointService::Service {
 public:
  explicit Endpoints(State* state) : state_(*state) {}

  grpc::Status CreateEndpoint(grpc::ServerContext* context,
                              const v1::CreateEndpointRequest* request,
                              v1::CreateEndpointResponse* response) override {
    absl::MutexLock lock(&state_.mutex);
    state_.Record(*context);
    if (!state_.failure.ok()) return state_.failure;
    v1::Endpoint endpoint = request->endpoint();
    endpoint.set_id(absl::StrCat("ep_", state_.endpoints.size() + 1));
    endpoint.set_state(v1::ENDPOINT_STATE_ENABLED);
    endpoint.mutable_create_time()->set_seconds(1700000000);
    state_.endpoints.push_back(endpoint);
    *response->mutable_endpoint() = endpoint;
    response->set_secret(request->has_secret() ? request->secret() : "whsec_made");
    return grpc::Status::OK;
  }

  grpc::Status GetEndpoint(grpc::ServerContext* context, const v1::GetEndpointRequest* request,
                           v1::GetEndpointResponse* response) override {
    absl::MutexLock lock(&state_.mutex);
    state_.Record(*context);
    if (!state_.failure.ok()) return state_.failure;
    return state_.Find(request->endpoint_id(), response->mutable_endpoint());
  }

  grpc::Status ListEndpoints(grpc::ServerContext* context, const v1::ListEndpointsRequest* request,
                             v1::ListEndpointsResponse* response) override {
    absl::MutexLock lock(&state_.mutex);
    state_.Record(*context);
    state_.lists.push_back(*request);
    if (!state_.failure.ok()) return state_.failure;
    int position = 0;
    if (!request->page_token().empty() && !absl::SimpleAtoi(request->page_token(), &position)) {
      return RefusedFor(grpc::StatusCode::INVALID_ARGUMENT, "bad token", "BAD_PAGE_TOKEN");
    }
    const int size = static_cast<int>(state_.endpoints.size());
    const int end = std::min(size, position + request->page_size());
    for (; position < end; ++position) *response->add_endpoints() = state_.endpoints[position];
    if (end < size) response->set_next_page_token(absl::StrCat(end));
    return grpc::Status::OK;
  }

  grpc::Status UpdateEndpoint(grpc::ServerContext* context,
                              const v1::UpdateEndpointRequest* request,
                              v1::UpdateEndpointResponse* response) override {
    absl::MutexLock lock(&state_.mutex);
    state_.Record(*context);
    if (!state_.failure.ok()) return state_.failure;
    state_.updates.push_back(*request);
    return state_.Find(request->endpoint().id(), response->mutable_endpoint());
  }

  grpc::Status DeleteEndpoint(grpc::ServerContext* context,
                              const v1::DeleteEndpointRequest* request,
                              v1::DeleteEndpointResponse*) override {
    absl::MutexLock lock(&state_.mutex);
    state_.Record(*context);
    v1::Endpoint endpoint;
    return state_.Find(request->endpoint_id(), &endpoint);
  }

 private:
  State& state_;
};

class FakeServer::Deliveries : public v1::DeliveryService::Service {
 public:
  explicit Deliveries(State* state) : state_(*state) {}

  grpc::Status ListAttempts(grpc::ServerContext* context, const v1::ListAttemptsRequest* request,
                            v1::ListAttemptsResponse* response) override {
    absl::MutexLock lock(&state_.mutex);
    state_.Record(*context);
    v1::Attempt* attempt = response->add_attempts();
    attempt->set_id("att_1");
    attempt->set_delivery_id(request->delivery_id());
    attempt->set_number(1);
    attempt->mutable_start_time()->set_seconds(1700000000);
    attempt->mutable_duration()->set_nanos(12'345'678);
    attempt->set_outcome(v1::ATTEMPT_OUTCOME_HTTP_STATUS);
    attempt->set_http_status(503);
    attempt->set_error("the receiver answered 503");
    return grpc::Status::OK;
  }

 private:
  State& state_;
};

grpc::Status ErrorWith(grpc::StatusCode code, const std::string& message,
                       const std::vector<const google::protobuf::Message*>& details) {
  google::rpc::Status status;
  status.set_code(code);
  status.set_message(message);
  for (const google::protobuf::Message* detail : details) status.add_details()->PackFrom(*detail);
  return {code, message, status.SerializeAsString()};
}

grpc::Status RefusedFor(grpc::StatusCode code, const std::string& message,
                        const std::string& reason) {
  google::rpc::ErrorInfo error;
  error.set_reason(reason);
  error.set_domain("postrider");
  return ErrorWith(code, message, {&error});
}

grpc::Status RefusedFor(grpc::StatusCode code, const std::string& message,
                        const std::string& reason, absl::Duration retry_delay) {
  google::rpc::ErrorInfo error;
  error.set_reason(reason);
  error.set_domain("postrider");
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(absl::ToInt64Seconds(retry_delay));
  return ErrorWith(code, message, {&error, &retry});
}

FakeServer::FakeServer()
    : state_(std::make_unique<State>()),
      publisher_(std::make_unique<Publisher>(state_.get())),
      endpoints_(std::make_unique<Endpoints>(state_.get())),
      deliveries_(std::make_unique<Deliveries>(state_.get())) {
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(publisher_.get());
  builder.RegisterService(endpoints_.get());
  builder.RegisterService(deliveries_.get());
  server_ = builder.BuildAndStart();
  address_ = absl::StrCat("127.0.0.1:", port);
}

FakeServer::~FakeServer() {
  {
    absl::MutexLock lock(&state_->mutex);
    state_->holds_publishes = false;
  }
  // At once: an idle connection of a client would hold a graceful end for seconds.
  server_->Shutdown(std::chrono::system_clock::now());
}

void FakeServer::FailPublishes(std::vector<grpc::Status> failures) {
  absl::MutexLock lock(&state_->mutex);
  state_->publish_failures.assign(failures.begin(), failures.end());
}

void FakeServer::HoldPublishes() {
  absl::MutexLock lock(&state_->mutex);
  state_->holds_publishes = true;
}

void FakeServer::EndStreams(int at_item, std::vector<grpc::Status> statuses) {
  absl::MutexLock lock(&state_->mutex);
  state_->ends_stream_at = at_item;
  state_->stream_ends.assign(statuses.begin(), statuses.end());
}

int FakeServer::streams() const {
  absl::MutexLock lock(&state_->mutex);
  return state_->streams;
}

void FakeServer::FailCalls(const grpc::Status& failure) {
  absl::MutexLock lock(&state_->mutex);
  state_->failure = failure;
}

std::vector<v1::PublishRequest> FakeServer::published() const {
  absl::MutexLock lock(&state_->mutex);
  return state_->published;
}

std::vector<v1::UpdateEndpointRequest> FakeServer::updates() const {
  absl::MutexLock lock(&state_->mutex);
  return state_->updates;
}

std::vector<v1::ListEndpointsRequest> FakeServer::lists() const {
  absl::MutexLock lock(&state_->mutex);
  return state_->lists;
}

std::vector<std::string> FakeServer::credentials() const {
  absl::MutexLock lock(&state_->mutex);
  return state_->credentials;
}

void FakeServer::AddEndpoints(int count) {
  absl::MutexLock lock(&state_->mutex);
  for (int i = 0; i < count; ++i) {
    v1::Endpoint endpoint;
    endpoint.set_id(absl::StrCat("ep_", state_->endpoints.size() + 1));
    endpoint.set_url("https://example.com/hooks");
    endpoint.set_state(v1::ENDPOINT_STATE_ENABLED);
    state_->endpoints.push_back(endpoint);
  }
}

}  // namespace postrider::testing

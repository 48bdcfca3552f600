// A gRPC server in the test's own process that says what it is told to.

#ifndef POSTRIDER_TESTS_CLIENT_FAKE_SERVER_H_
#define POSTRIDER_TESTS_CLIENT_FAKE_SERVER_H_

#include <google/protobuf/message.h>
#include <grpcpp/server.h>
#include <grpcpp/support/status.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "postrider/v1/endpoint_service.pb.h"
#include "postrider/v1/publisher_service.pb.h"

namespace postrider::testing {

// A status with `details` packed as a server packs them.
grpc::Status ErrorWith(grpc::StatusCode code, const std::string& message,
                       const std::vector<const google::protobuf::Message*>& details);

// ErrorInfo alone, as on every error of a real server.
grpc::Status RefusedFor(grpc::StatusCode code, const std::string& message,
                        const std::string& reason);

// The same with a named delay.
grpc::Status RefusedFor(grpc::StatusCode code, const std::string& message,
                        const std::string& reason, absl::Duration retry_delay);

// Listens on a free port of the loopback address from its construction on. Keeps endpoints in
// memory, accepts events, and records what it is called with. Rpcs that it does not know are
// UNIMPLEMENTED. Thread-safe.
class FakeServer {
 public:
  FakeServer();
  ~FakeServer();

  const std::string& address() const { return address_; }

  // The next publishes fail with these, one each; then they succeed again.
  void FailPublishes(std::vector<grpc::Status> failures);

  // Publishes wait until the server ends, so that callers run into their deadlines. Items of a
  // stream are not answered.
  void HoldPublishes();

  // The next streams end with these when they get an item of that many, which is not answered.
  void EndStreams(int at_item, std::vector<grpc::Status> statuses);

  // Every call that is not a publish fails with this.
  void FailCalls(const grpc::Status& failure);

  std::vector<v1::PublishRequest> published() const;
  int streams() const;  // so far
  std::vector<v1::UpdateEndpointRequest> updates() const;
  std::vector<v1::ListEndpointsRequest> lists() const;
  // The `authorization` of every call, empty where there was none.
  std::vector<std::string> credentials() const;

  // Adds `count` endpoints to list, ep_1 and so on.
  void AddEndpoints(int count);

 private:
  struct State;
  class Publisher;
  class Endpoints;
  class Deliveries;

  std::unique_ptr<State> state_;
  std::unique_ptr<Publisher> publisher_;
  std::unique_ptr<Endpoints> endpoints_;
  std::unique_ptr<Deliveries> deliveries_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

}  // namespace postrider::testing

#endif  // POSTRIDER_TESTS_CLIENT_FAKE_SERVER_H_

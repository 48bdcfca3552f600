// What one caller may use: rates, endpoints, open deliveries, pings, metadata.

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "tests/support/credentials.h"
#include "tests/support/engine_test.h"
#include "tests/support/expect.h"
#include "tests/support/wait.h"

namespace postrider::testing {
namespace {

using ::testing::HasSubstr;

class LimitsTest : public OwnServersTest {
 protected:
  v1::PublishRequest Event(const std::string& org) {
    v1::PublishRequest request;
    request.set_org_id(org);
    request.set_env_id("env_1");
    request.set_type("a.b");
    request.set_data_json("{}");
    return request;
  }
};

std::string ReasonOf(const grpc::Status& status) { return DetailsOf(status).info.reason(); }

TEST_F(LimitsTest, AKeyAboveItsRateIsToldWhenToComeBack) {
  ServerProcess* server = StartServer({"--key-rate-limit", "20"});
  ASSERT_NE(server, nullptr);
  const NewKey key = MakeKey(server->api(), "", KeyFor({v1::SCOPE_PUBLISH, v1::SCOPE_READ}));
  const NewKey other = MakeKey(server->api(), "", KeyFor({v1::SCOPE_READ}));
  // A batch counts as many as it holds: the bucket of one second is empty after it.
  v1::BatchPublishRequest batch;
  for (int i = 0; i < 20; ++i) *batch.add_requests() = Event("org_a");
  const auto publish = [&] {
    return CallAs<v1::BatchPublishRequest, v1::BatchPublishResponse>(
               server->api(), key.text, "postrider.v1.PublisherService/BatchPublish", batch)
        .status;
  };
  ASSERT_TRUE(publish().ok());
  const grpc::Status limited = publish();
  EXPECT_REFUSED(limited, grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(ReasonOf(limited), "RATE_LIMITED");
  const ErrorDetails details = DetailsOf(limited);
  ASSERT_TRUE(details.has_retry);
  EXPECT_GT(ToDuration(details.retry.retry_delay()), absl::ZeroDuration());
  EXPECT_LE(ToDuration(details.retry.retry_delay()), absl::Seconds(1));
  // Others are not held up, and local callers have no rate.
  EXPECT_TRUE(TryKey(server->api(), other.text).ok());
  EXPECT_TRUE(server->api().BatchPublish(batch).ok());
  EXPECT_TRUE(server->api().BatchPublish(batch).ok());
  // The wait that was named is enough for another call.
  EXPECT_TRUE(WaitUntil([&] { return TryKey(server->api(), key.text).ok(); }, absl::Seconds(3)));
}

TEST_F(LimitsTest, AnEnvironmentHasAsManyEndpointsAsItMay) {
  ServerProcess* server = StartServer({"--max-endpoints-per-env", "2"});
  ASSERT_NE(server, nullptr);
  v1::CreateEndpointRequest create;
  create.mutable_endpoint()->set_org_id("org_a");
  create.mutable_endpoint()->set_env_id("env_1");
  create.mutable_endpoint()->set_url(receiver_.Url());
  const std::string first = server->api().CreateEndpoint(create)->endpoint().id();
  EXPECT_TRUE(server->api().CreateEndpoint(create).ok());
  EXPECT_REFUSED(server->api().CreateEndpoint(create).status, grpc::StatusCode::RESOURCE_EXHAUSTED);
  v1::CreateEndpointRequest elsewhere = create;
  elsewhere.mutable_endpoint()->set_env_id("env_2");
  EXPECT_TRUE(server->api().CreateEndpoint(elsewhere).ok());
  v1::DeleteEndpointRequest erase;
  erase.set_endpoint_id(first);
  EXPECT_TRUE(server->api().DeleteEndpoint(erase).ok());
  EXPECT_TRUE(server->api().CreateEndpoint(create).ok());
}

TEST_F(LimitsTest, AnOrgWithTooMuchOpenPublishesNoMoreUntilThereIsRoom) {
  ServerProcess* server = StartServer({"--max-open-deliveries-per-org", "3"});
  ASSERT_NE(server, nullptr);
  Caller caller(server->api(), "org_a");
  const std::string endpoint = caller.CreateAt(receiver_.Url()).id();
  caller.Disable(endpoint);
  caller.Enable(endpoint);
  // Held without an answer, so they stay open.
  receiver_.AlwaysAnswer(Answer{.status = 500});
  std::vector<std::string> events;
  for (int i = 0; i < 3; ++i) events.push_back(caller.PublishEvent());
  grpc::Status full;
  ASSERT_TRUE(WaitUntil([&] {
    full = server->api().Publish(Event("org_a")).status;
    return !full.ok();
  }));
  EXPECT_REFUSED(full, grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(ReasonOf(full), "TOO_MANY_OPEN_DELIVERIES");
  EXPECT_TRUE(DetailsOf(full).has_retry);
  v1::BatchPublishRequest batch;
  *batch.add_requests() = Event("org_a");
  EXPECT_REFUSED(server->api().BatchPublish(batch).status, grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(server->api().Publish(Event("org_b")).ok()) << "nobody else is held up";
  for (const v1::Delivery& delivery : caller.DeliveriesTo(endpoint, v1::DELIVERY_STATE_PENDING)) {
    caller.Cancel(delivery.id());
  }
  EXPECT_TRUE(WaitUntil([&] { return server->api().Publish(Event("org_a")).ok(); }));
}

// HTTP/2 as bytes: gRPC's own client keeps to the rules.
class Http2Connection {
 public:
  explicit Http2Connection(const std::string& address) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in target{};
    target.sin_family = AF_INET;
    target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int port = 0;
    EXPECT_TRUE(absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &port));
    target.sin_port = htons(static_cast<uint16_t>(port));
    EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&target), sizeof(target)), 0);
    const timeval patience{10, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    // The preface and empty SETTINGS (RFC 9113, section 3.4).
    Send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    Send(std::string("\0\0\0\4\0\0\0\0\0", 9));
  }
  ~Http2Connection() { close(fd_); }

  void Ping() { Send(std::string("\0\0\10\6\0\0\0\0\0", 9) + "pingping"); }
  // Everything until the server closes the connection.
  std::string ReadToEnd() {
    std::string all;
    char buffer[4096];
    for (ssize_t got; (got = recv(fd_, buffer, sizeof(buffer), 0)) > 0;) {
      all.append(buffer, static_cast<size_t>(got));
    }
    return all;
  }

 private:
  void Send(const std::string& bytes) { send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }
  const int fd_;
};

TEST_F(LimitsTest, AClientThatPingsAllTheTimeLosesItsConnection) {
  ServerProcess* server = StartServer();
  ASSERT_NE(server, nullptr);
  Http2Connection connection(server->grpc_address());
  for (int i = 0; i < 10; ++i) connection.Ping();
  // GOAWAY with ENHANCE_YOUR_CALM.
  EXPECT_THAT(connection.ReadToEnd(), HasSubstr("too_many_pings"));
  EXPECT_TRUE(TryKey(server->api(), "").ok());
}

TEST_F(LimitsTest, MetadataOverTheLimitIsRefused) {
  ServerProcess* server = StartServer();
  ASSERT_NE(server, nullptr);
  const Api::Metadata large = {{"x-large", std::string(20000, 'x')}};
  EXPECT_EQ(server->api()
                .CallRaw("postrider.v1.EndpointService/ListEndpoints", "", large)
                .status.error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
}

}  // namespace
}  // namespace postrider::testing

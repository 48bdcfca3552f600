#include "client/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/synchronization/notification.h"
#include "client/status_details.h"
#include "tests/client/fake_server.h"

namespace postrider::client {
namespace {

using postrider::testing::FakeServer;
using ::testing::ElementsAre;

TEST(ClientTest, SendsTheKeyWithEveryCallAndNothingWithoutOne) {
  FakeServer server;
  v1::ListEndpointsResponse response;
  const auto with_key = Client::Create({.address = server.address(), .api_key = "prk_a_b"});
  ASSERT_TRUE(with_key.ok());
  EXPECT_TRUE(with_key->Call(v1::ListEndpointsRequest(), &response).ok());
  const auto without_key = Client::Create({.address = server.address()});
  ASSERT_TRUE(without_key.ok());
  EXPECT_TRUE(without_key->Call(v1::ListEndpointsRequest(), &response).ok());
  EXPECT_THAT(server.credentials(), ElementsAre("Bearer prk_a_b", ""));
}

TEST(ClientTest, CarriesMessagesOverTheLimitThatGrpcHasByItself) {
  FakeServer server;
  const auto client = Client::Create({.address = server.address()});
  ASSERT_TRUE(client.ok());
  v1::CreateEndpointRequest request;
  // The fake takes 4 MiB at most, as it sets no limit of its own; answers of any size must pass.
  request.mutable_endpoint()->set_description(std::string(3 * 1024 * 1024, 'x'));
  v1::CreateEndpointResponse created;
  ASSERT_TRUE(client->Call(request, &created).ok());
  ASSERT_TRUE(client->Call(request, &created).ok());
  v1::ListEndpointsRequest list;
  list.set_page_size(2);
  v1::ListEndpointsResponse response;
  EXPECT_TRUE(client->Call(list, &response).ok());
  EXPECT_GT(response.ByteSizeLong(), 6 * 1024 * 1024u);
}

TEST(ClientTest, ReturnsTheCodeAndTheReasonOfTheServer) {
  FakeServer server;
  const auto client = Client::Create({.address = server.address()});
  ASSERT_TRUE(client.ok());
  v1::GetEndpointRequest request;
  request.set_endpoint_id("ep_9");
  v1::GetEndpointResponse response;
  const absl::Status status = client->Call(request, &response);
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ErrorReason(status), "ENDPOINT_NOT_FOUND");
}

TEST(ClientTest, ReportsAnRpcThatTheServerDoesNotHave) {
  FakeServer server;
  const auto client = Client::Create({.address = server.address()});
  ASSERT_TRUE(client.ok());
  v1::ListEventsResponse response;
  EXPECT_EQ(client->Call(v1::ListEventsRequest(), &response).code(),
            absl::StatusCode::kUnimplemented);
}

TEST(ClientTest, EndsACallAtItsTimeout) {
  FakeServer server;
  server.HoldPublishes();
  const auto client = Client::Create({.address = server.address()});
  ASSERT_TRUE(client.ok());
  v1::PublishResponse response;
  EXPECT_EQ(client->Call(v1::PublishRequest(), &response, absl::Milliseconds(50)).code(),
            absl::StatusCode::kDeadlineExceeded);
}

TEST(ClientTest, StartedPublishesAreAnsweredWithoutWaiting) {
  FakeServer server;
  server.FailPublishes({grpc::Status(grpc::StatusCode::UNAVAILABLE, "not now")});
  const auto client = Client::Create({.address = server.address()});
  ASSERT_TRUE(client.ok());
  for (const absl::StatusCode code : {absl::StatusCode::kUnavailable, absl::StatusCode::kOk}) {
    absl::Notification answered;
    v1::PublishRequest request;
    request.set_type("message.received");
    client->Start(request, [&](const absl::Status& status, v1::PublishResponse& response) {
      EXPECT_EQ(status.code(), code);
      EXPECT_EQ(response.event_id().empty(), !status.ok());
      answered.Notify();
    });
    ASSERT_TRUE(answered.WaitForNotificationWithTimeout(absl::Seconds(20)));
  }
  absl::Notification answered;
  v1::BatchPublishRequest batch;
  batch.add_requests();
  batch.add_requests();
  client->Start(batch, [&](const absl::Status& status, v1::BatchPublishResponse& response) {
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_EQ(response.responses_size(), 2);
    answered.Notify();
  });
  ASSERT_TRUE(answered.WaitForNotificationWithTimeout(absl::Seconds(20)));
}

TEST(ClientTest, EndsAStartedPublishAtItsTimeout) {
  FakeServer server;
  server.HoldPublishes();
  const auto client = Client::Create({.address = server.address()});
  ASSERT_TRUE(client.ok());
  absl::Notification answered;
  client->Start(
      v1::PublishRequest(),
      [&](const absl::Status& status, v1::PublishResponse&) {
        EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
        answered.Notify();
      },
      absl::Milliseconds(50));
  EXPECT_TRUE(answered.WaitForNotificationWithTimeout(absl::Seconds(20)));
}

TEST(ClientTest, IsNotMadeForAnAddressThatIsNone) {
  EXPECT_EQ(Client::Create({.address = "nowhere"}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace postrider::client

// The form of the request that receivers get, and HTTP manners.

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/support/engine_test.h"

namespace postrider::testing {
namespace {

class DeliveryRequestTest : public EngineTest {
 protected:
  ReceivedRequest RequestFor(const v1::Endpoint& endpoint) {
    Create(endpoint);
    PublishEvent();
    const std::vector<ReceivedRequest> requests = receiver_.WaitForRequests(1);
    EXPECT_EQ(requests.size(), 1u);
    return requests.empty() ? ReceivedRequest() : requests[0];
  }
};

TEST_F(DeliveryRequestTest, IsAPostOfJsonThatNamesPostriderItsDeliveryAndItsAttempt) {
  const ReceivedRequest request = RequestFor(EndpointAt(receiver_.Url()));
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.Header("content-type"), "application/json");
  EXPECT_TRUE(absl::StartsWith(request.Header("user-agent"), "Postrider/"))
      << request.Header("user-agent");
  EXPECT_GT(request.Header("user-agent").size(), std::string("Postrider/").size());
  EXPECT_EQ(request.Header("content-length"), absl::StrCat(request.body.size()));
  EXPECT_EQ(request.Header("host"), absl::StrCat("127.0.0.1:", receiver_.port()));
  EXPECT_EQ(request.Header("postrider-attempt"), "1");
  EXPECT_EQ(request.DeliveryId(), DeliveryOf(request.WebhookId()).id());
}

TEST_F(DeliveryRequestTest, EveryHeaderOfOursStandsThereOnce) {
  const ReceivedRequest request = RequestFor(EndpointAt(receiver_.Url()));
  for (const char* name :
       {"content-type", "user-agent", "host", "content-length", "webhook-id", "webhook-timestamp",
        "webhook-signature", "postrider-delivery-id", "postrider-attempt"}) {
    EXPECT_EQ(request.CountHeaders(name), 1u) << name;
  }
  // Those that libraries like to add: they cost a round trip or ask for what is not wanted.
  for (const char* name : {"expect", "accept-encoding", "transfer-encoding", "connection"}) {
    EXPECT_EQ(request.CountHeaders(name), 0u) << name;
  }
}

TEST_F(DeliveryRequestTest, CarriesTheEndpointsOwnHeaders) {
  v1::Endpoint endpoint = EndpointAt(receiver_.Url());
  (*endpoint.mutable_headers())["Authorization"] = "Bearer abc";
  (*endpoint.mutable_headers())["x-tenant"] = "seven; q=\"1\"";
  const ReceivedRequest request = RequestFor(endpoint);
  EXPECT_EQ(request.Header("authorization"), "Bearer abc");
  EXPECT_EQ(request.Header("x-tenant"), "seven; q=\"1\"");
}

TEST_F(DeliveryRequestTest, GoesToThePathAndQueryOfTheUrl) {
  EXPECT_EQ(RequestFor(EndpointAt(receiver_.Url("/a/b%20c?x=1&y=%2F"))).target,
            "/a/b%20c?x=1&y=%2F");
}

TEST_F(DeliveryRequestTest, AttemptsAreNumberedFromOneWithoutHoles) {
  receiver_.AnswerInTurn({Answer{.status = 500}, Answer{.drop = true}, Answer{}});
  Create(EndpointAt(receiver_.Url()));
  const v1::Delivery delivery = DeliveryOf(PublishEvent());
  const std::vector<ReceivedRequest> requests = receiver_.WaitForRequests(3);
  ASSERT_EQ(requests.size(), 3u);
  WaitForState(delivery.id(), v1::DELIVERY_STATE_SUCCEEDED);
  const std::vector<v1::Attempt> attempts = AttemptsOf(delivery.id());
  ASSERT_EQ(attempts.size(), 3u);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(requests[i].AttemptNumber(), i + 1);
    EXPECT_EQ(requests[i].DeliveryId(), delivery.id());
    EXPECT_EQ(attempts[i].number(), i + 1);
  }
}

TEST_F(DeliveryRequestTest, ConnectionsAreUsedAgain) {
  CreateAt(receiver_.Url());
  for (int i = 1; i <= 10; ++i) {
    const v1::Delivery delivery = DeliveryOf(PublishEvent());
    WaitForState(delivery.id(), v1::DELIVERY_STATE_SUCCEEDED);
  }
  for (const ReceivedRequest& request : receiver_.Requests()) EXPECT_EQ(request.connection, 1);
}

TEST_F(DeliveryRequestTest, ALargeBodyArrivesWhole) {
  CreateAt(receiver_.Url());
  const std::string data = absl::StrCat("{\"x\":\"", std::string(200000, 'y'), "\"}");
  Publish(Event("a.b", data));
  const std::vector<ReceivedRequest> requests = receiver_.WaitForRequests(1);
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_TRUE(absl::EndsWith(requests[0].body, absl::StrCat("\"data\":", data, "}")));
}

}  // namespace
}  // namespace postrider::testing

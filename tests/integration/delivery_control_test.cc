// SEMANTICS, "Delivery": changes that reach attempts to come, cancelling, and redelivery.

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/support/engine_test.h"
#include "tests/support/expect.h"

namespace postrider::testing {
namespace {

using ::grpc::StatusCode;

class DeliveryControlTest : public EngineTest {
 protected:
  grpc::Status CancelStatus(const std::string& delivery) {
    v1::CancelDeliveryRequest request;
    request.set_delivery_id(delivery);
    return api().CancelDelivery(request).status;
  }

  grpc::Status RedeliverStatus(const std::string& delivery) {
    v1::RedeliverDeliveryRequest request;
    request.set_delivery_id(delivery);
    return api().RedeliverDelivery(request).status;
  }

  std::string SucceededDelivery() {
    const std::string id = DeliveryOf(PublishEvent()).id();
    WaitForState(id, v1::DELIVERY_STATE_SUCCEEDED);
    return id;
  }

  // A delivery that failed once and is due again after `delay`.
  std::string RetryingDelivery(absl::Duration delay, v1::Endpoint* created) {
    receiver_.AnswerInTurn({Answer{.status = 500}, Answer{}});
    v1::Endpoint endpoint = EndpointAt(receiver_.Url());
    *endpoint.add_retry_schedule() = ToProto(delay);
    *created = Create(endpoint).endpoint;
    const std::string id = DeliveryOf(PublishEvent()).id();
    WaitForAttempts(id, 1);
    return id;
  }
};

TEST_F(DeliveryControlTest, AChangedUrlServesPendingDeliveriesToo) {
  v1::Endpoint endpoint;
  const std::string id = RetryingDelivery(absl::Seconds(2), &endpoint);
  endpoint.set_url(receiver_.Url("/new"));
  Update(endpoint, {"url"});
  const std::vector<ReceivedRequest> requests = receiver_.WaitForRequests(2);
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[1].target, "/new");
  EXPECT_EQ(requests[1].DeliveryId(), id);
}

TEST_F(DeliveryControlTest, AnUpdateHoldsForAttemptsThatStartMoreThanASecondLater) {
  v1::Endpoint endpoint = CreateAt(receiver_.Url("/0")).endpoint;
  endpoint.clear_etag();  // changed below without being read again
  for (int i = 1; i <= 3; ++i) {
    endpoint.set_url(receiver_.Url(absl::StrCat("/", i)));
    Update(endpoint, {"url"});
    LetChangeHold();
    const std::string event = PublishEvent();
    const std::vector<ReceivedRequest> requests = receiver_.WaitForRequests(i);
    ASSERT_EQ(requests.size(), static_cast<size_t>(i));
    EXPECT_EQ(requests.back().target, absl::StrCat("/", i));
    EXPECT_EQ(requests.back().WebhookId(), event);
  }
}

TEST_F(DeliveryControlTest, ADisablingHoldsForAttemptsThatStartMoreThanASecondLater) {
  v1::Endpoint endpoint;
  RetryingDelivery(absl::Milliseconds(1300), &endpoint);
  Disable(endpoint.id());
  EXPECT_TRUE(receiver_.StaysAt(1, absl::Seconds(2)));
}

TEST_F(DeliveryControlTest, AChangedSubscriptionAffectsLaterEventsOnly) {
  v1::Endpoint endpoint;
  RetryingDelivery(absl::Seconds(1), &endpoint);
  endpoint.add_events("other.type");
  Update(endpoint, {"events"});
  EXPECT_EQ(Publish(Event()).delivery_count(), 0);  // At once.
  const std::vector<ReceivedRequest> requests = receiver_.WaitForRequests(2);
  ASSERT_EQ(requests.size(), 2u);  // The retry of the earlier event.
  EXPECT_EQ(requests[1].AttemptNumber(), 2);
  EXPECT_EQ(Publish(Event("other.type")).delivery_count(), 1);
}

TEST_F(DeliveryControlTest, CancelEndsAWaitingDelivery) {
  v1::Endpoint endpoint;
  const std::string id = RetryingDelivery(absl::Milliseconds(1300), &endpoint);
  const v1::Delivery canceled = Cancel(id);
  EXPECT_EQ(canceled.state(), v1::DELIVERY_STATE_CANCELED);
  EXPECT_EQ(canceled.state_reason(), v1::DELIVERY_STATE_REASON_CANCELED_BY_CALLER);
  EXPECT_TRUE(canceled.has_complete_time());
  EXPECT_FALSE(canceled.has_next_attempt_time());
  EXPECT_TRUE(receiver_.StaysAt(1, absl::Seconds(2)));
  EXPECT_EQ(GetDelivery(id).state(), v1::DELIVERY_STATE_CANCELED);
}

TEST_F(DeliveryControlTest, CancelLetsAnAttemptUnderWayEndAndBeLogged) {
  for (const int status : {200, 500}) {
    Receiver receiver;
    receiver.AlwaysAnswer(Answer{.hold = true, .status = status});
    const CreatedEndpoint endpoint = CreateAt(receiver.Url());
    const std::string id = DeliveryOf(PublishEvent()).id();
    ASSERT_TRUE(receiver.WaitForUnanswered(1));
    EXPECT_EQ(Cancel(id).state(), v1::DELIVERY_STATE_CANCELED);
    receiver.Release();
    ASSERT_TRUE(WaitUntil([&] { return AttemptsOf(id).size() == 1; }));
    const v1::Attempt attempt = AttemptsOf(id)[0];
    EXPECT_EQ(attempt.http_status(), status);
    EXPECT_EQ(attempt.number(), 1);
    const v1::Delivery delivery = GetDelivery(id);
    EXPECT_EQ(delivery.state(), v1::DELIVERY_STATE_CANCELED);
    EXPECT_EQ(delivery.attempt_count(), 1);
    EXPECT_TRUE(receiver.StaysAt(1, absl::Milliseconds(1500)));  // No retry either.
    Delete(endpoint.id());
  }
}

TEST_F(DeliveryControlTest, CancelReachesADeliveryThatWaitsForItsTurn) {
  receiver_.AlwaysAnswer(Answer{.hold = true});
  v1::Endpoint endpoint = EndpointAt(receiver_.Url());
  endpoint.set_max_in_flight(1);
  const std::string endpoint_id = Create(endpoint).id();
  PublishEvent();
  ASSERT_TRUE(receiver_.WaitForUnanswered(1));
  // These two are with the server already, behind the one that is under way.
  const std::string canceled = DeliveryOf(PublishEvent()).id();
  const std::string kept = DeliveryOf(PublishEvent()).id();
  EXPECT_EQ(Cancel(canceled).state(), v1::DELIVERY_STATE_CANCELED);
  LetChangeHold();
  receiver_.Release();
  WaitForState(kept, v1::DELIVERY_STATE_SUCCEEDED);
  ASSERT_TRUE(WaitUntilIdle(endpoint_id));
  for (const ReceivedRequest& request : receiver_.Requests()) {
    EXPECT_NE(request.DeliveryId(), canceled);
  }
  EXPECT_EQ(AttemptsOf(canceled).size(), 0u);
}

TEST_F(DeliveryControlTest, CancellingACanceledDeliveryIsOk) {
  v1::Endpoint endpoint;
  const std::string id = RetryingDelivery(absl::Hours(1), &endpoint);
  const v1::Delivery first = Cancel(id);
  const v1::Delivery second = Cancel(id);
  EXPECT_EQ(second.state(), v1::DELIVERY_STATE_CANCELED);
  EXPECT_EQ(ToTime(second.complete_time()), ToTime(first.complete_time()));
  // Also where something else cancelled it, whose reason stays.
  Disable(endpoint.id());
  v1::Endpoint other;
  const std::string deleted = RetryingDelivery(absl::Hours(1), &other);
  Delete(other.id());
  WaitForState(deleted, v1::DELIVERY_STATE_CANCELED);
  EXPECT_EQ(Cancel(deleted).state_reason(), v1::DELIVERY_STATE_REASON_ENDPOINT_DELETED);
}

TEST_F(DeliveryControlTest, CancellingADeliveryThatSucceededOrFailedIsAFailedPrecondition) {
  CreateAt(receiver_.Url());
  const std::string succeeded = SucceededDelivery();
  EXPECT_REFUSED(CancelStatus(succeeded), StatusCode::FAILED_PRECONDITION);
  receiver_.AlwaysAnswer(Answer{.status = 410});
  const std::string failed = DeliveryOf(PublishEvent()).id();
  WaitForState(failed, v1::DELIVERY_STATE_FAILED);
  EXPECT_REFUSED(CancelStatus(failed), StatusCode::FAILED_PRECONDITION);
  // Terminal states never change.
  EXPECT_EQ(GetDelivery(succeeded).state(), v1::DELIVERY_STATE_SUCCEEDED);
  EXPECT_EQ(GetDelivery(failed).state(), v1::DELIVERY_STATE_FAILED);
}

TEST_F(DeliveryControlTest, ARedeliveryIsANewDeliveryWithNumbersFromOneAndAFullSchedule) {
  receiver_.AlwaysAnswer(Answer{.status = 500});
  CreateAt(receiver_.Url());  // 1s,1s: three attempts.
  const v1::Delivery first = DeliveryOf(PublishEvent());
  WaitForState(first.id(), v1::DELIVERY_STATE_FAILED);
  const v1::Delivery second = Redeliver(first.id());
  EXPECT_NE(second.id(), first.id());
  EXPECT_EQ(second.origin(), v1::DELIVERY_ORIGIN_REDELIVERY);
  EXPECT_EQ(second.event_id(), first.event_id());
  EXPECT_EQ(second.endpoint_id(), first.endpoint_id());
  EXPECT_EQ(second.event_type(), first.event_type());
  const v1::Delivery ended = WaitForState(second.id(), v1::DELIVERY_STATE_FAILED);
  EXPECT_EQ(ended.state_reason(), v1::DELIVERY_STATE_REASON_EXHAUSTED);
  const std::vector<v1::Attempt> attempts = AttemptsOf(second.id());
  ASSERT_EQ(attempts.size(), 3u);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(attempts[i].number(), i + 1);
    EXPECT_EQ(attempts[i].origin(), v1::DELIVERY_ORIGIN_REDELIVERY);
  }
  // The first one keeps its state and its log.
  EXPECT_EQ(GetDelivery(first.id()).state(), v1::DELIVERY_STATE_FAILED);
  EXPECT_EQ(AttemptsOf(first.id()).size(), 3u);
  EXPECT_EQ(DeliveriesOf(first.event_id()).size(), 2u);
}

TEST_F(DeliveryControlTest, ADeliveryInAnyStateCanBeRedelivered) {
  receiver_.AlwaysAnswer(Answer{.hold = true});
  CreateAt(receiver_.Url());
  const std::string open = DeliveryOf(PublishEvent()).id();
  ASSERT_TRUE(receiver_.WaitForUnanswered(1));
  const std::string again = Redeliver(open).id();
  ASSERT_TRUE(receiver_.WaitForUnanswered(2));
  receiver_.Release();
  WaitForState(open, v1::DELIVERY_STATE_SUCCEEDED);
  WaitForState(again, v1::DELIVERY_STATE_SUCCEEDED);
  WaitForState(Redeliver(open).id(), v1::DELIVERY_STATE_SUCCEEDED);
}

TEST_F(DeliveryControlTest, ARedeliveryDoesNotAskForTheSubscriptionAsItIsNow) {
  v1::Endpoint endpoint = CreateAt(receiver_.Url()).endpoint;
  const std::string id = SucceededDelivery();
  endpoint.add_events("other.type");
  Update(endpoint, {"events"});
  Redeliver(id);
  EXPECT_EQ(receiver_.WaitForRequests(2).size(), 2u);
}

TEST_F(DeliveryControlTest, ARedeliveryToADisabledEndpointIsHeld) {
  const std::string endpoint = CreateAt(receiver_.Url()).id();
  const std::string id = SucceededDelivery();
  Disable(endpoint);
  const v1::Delivery held = Redeliver(id);
  EXPECT_EQ(held.state(), v1::DELIVERY_STATE_PENDING);
  EXPECT_EQ(held.state_reason(), v1::DELIVERY_STATE_REASON_ENDPOINT_DISABLED);
  EXPECT_TRUE(receiver_.StaysAt(1));
  Enable(endpoint);
  WaitForState(held.id(), v1::DELIVERY_STATE_SUCCEEDED);
}

TEST_F(DeliveryControlTest, ARedeliveryOfAnEventWhosePayloadIsGoneIsAFailedPrecondition) {
  CreateAt(receiver_.Url());
  const std::string id = SucceededDelivery();
  database().Query(absl::StrCat(
      "UPDATE events SET body = NULL FROM environments e WHERE e.env_no = events.env_no AND "
      "e.org_id = '",
      org(), "'"));
  EXPECT_REFUSED(RedeliverStatus(id), StatusCode::FAILED_PRECONDITION);
}

TEST_F(DeliveryControlTest, ARedeliveryToADeletedEndpointIsAFailedPrecondition) {
  const std::string endpoint = CreateAt(receiver_.Url()).id();
  const std::string id = SucceededDelivery();
  Delete(endpoint);
  EXPECT_REFUSED(RedeliverStatus(id), StatusCode::FAILED_PRECONDITION);
}

TEST_F(DeliveryControlTest, ARequestIdMakesARetryOfARedeliverySafe) {
  CreateAt(receiver_.Url());
  const std::string id = SucceededDelivery();
  const std::string other = SucceededDelivery();
  v1::RedeliverDeliveryRequest request;
  request.set_delivery_id(id);
  request.set_request_id("once");
  const Reply<v1::RedeliverDeliveryResponse> first = api().RedeliverDelivery(request);
  ASSERT_TRUE(first.ok()) << ToText(first.status);
  const Reply<v1::RedeliverDeliveryResponse> second = api().RedeliverDelivery(request);
  ASSERT_TRUE(second.ok()) << ToText(second.status);
  EXPECT_EQ(second->delivery().id(), first->delivery().id());
  EXPECT_EQ(receiver_.WaitForRequests(3).size(), 3u);
  EXPECT_TRUE(receiver_.StaysAt(3));
  request.set_delivery_id(other);
  EXPECT_REFUSED(api().RedeliverDelivery(request).status, StatusCode::ALREADY_EXISTS);
}

}  // namespace
}  // namespace postrider::testing

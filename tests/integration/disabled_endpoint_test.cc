// SEMANTICS, "Delivery": what a disabled and a deleted endpoint get.

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/engine_test.h"
#include "tests/support/expect.h"

namespace postrider::testing {
namespace {

class DisabledEndpointTest : public EngineTest {
 protected:
  // An endpoint with one delivery that failed once and waits an hour for its retry.
  void CreateWithWaitingDelivery() {
    receiver_.AnswerInTurn({Answer{.status = 500}, Answer{}});
    v1::Endpoint endpoint = EndpointAt(receiver_.Url());
    *endpoint.add_retry_schedule() = ToProto(absl::Hours(1));
    endpoint_ = Create(endpoint).id();
    delivery_ = DeliveryOf(PublishEvent()).id();
    WaitForAttempts(delivery_, 1);
  }

  // An endpoint with one delivery whose retry is due in a second.
  void CreateWithRetryingDelivery() {
    receiver_.AnswerInTurn({Answer{.status = 500}, Answer{}});
    endpoint_ = CreateAt(receiver_.Url()).id();
    delivery_ = DeliveryOf(PublishEvent()).id();
    WaitForAttempts(delivery_, 1);
  }

  std::string endpoint_;
  std::string delivery_;
};

TEST_F(DisabledEndpointTest, GetsNothingNewAndEventsAcceptedMeanwhileNeverReachIt) {
  endpoint_ = CreateAt(receiver_.Url()).id();
  Disable(endpoint_);
  const v1::PublishResponse meanwhile = Publish(Event());
  EXPECT_EQ(meanwhile.delivery_count(), 0);
  EXPECT_TRUE(receiver_.StaysAt(0));
  Enable(endpoint_);
  const std::string after = PublishEvent();
  const std::vector<ReceivedRequest> requests = receiver_.WaitForRequests(1);
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].WebhookId(), after);
  EXPECT_TRUE(receiver_.StaysAt(1));
  EXPECT_TRUE(DeliveriesOf(meanwhile.event_id()).empty());
}

TEST_F(DisabledEndpointTest, DeliveriesAcceptedBeforeArePendingAndSayWhy) {
  CreateWithWaitingDelivery();
  Disable(endpoint_);
  const v1::Delivery held = GetDelivery(delivery_);
  EXPECT_EQ(held.state(), v1::DELIVERY_STATE_PENDING);
  EXPECT_EQ(held.state_reason(), v1::DELIVERY_STATE_REASON_ENDPOINT_DISABLED);
  EXPECT_FALSE(held.has_complete_time());
  const std::vector<v1::Delivery> listed = DeliveriesTo(endpoint_, v1::DELIVERY_STATE_PENDING);
  ASSERT_EQ(listed.size(), 1u);
  EXPECT_EQ(listed[0].state_reason(), v1::DELIVERY_STATE_REASON_ENDPOINT_DISABLED);
}

TEST_F(DisabledEndpointTest, WhatIsHeldIsNotSentAndGoesOnWhenTheEndpointIsEnabled) {
  CreateWithRetryingDelivery();
  Disable(endpoint_);
  EXPECT_TRUE(receiver_.StaysAt(1, absl::Milliseconds(2200)));  // Its retry was due long ago.
  Enable(endpoint_);
  const std::vector<ReceivedRequest> requests = receiver_.WaitForRequests(2);
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[1].DeliveryId(), delivery_);
  EXPECT_EQ(requests[1].AttemptNumber(), 2);
  EXPECT_EQ(WaitForState(delivery_, v1::DELIVERY_STATE_SUCCEEDED).state_reason(),
            v1::DELIVERY_STATE_REASON_UNSPECIFIED);
}

TEST_F(DisabledEndpointTest, WhatIsHeldByTheFailureRuleGoesOnToo) {
  constexpr int kEvents = 12;
  receiver_.AlwaysAnswer(Answer{.status = 500});
  v1::Endpoint endpoint = EndpointAt(receiver_.Url());
  endpoint.set_disable_threshold(3);
  *endpoint.add_retry_schedule() = ToProto(absl::Seconds(1));
  endpoint_ = Create(endpoint).id();
  for (int i = 0; i < kEvents; ++i) PublishEvent();
  WaitForEndpointState(endpoint_, v1::ENDPOINT_STATE_DISABLED);
  const size_t held = DeliveriesTo(endpoint_, v1::DELIVERY_STATE_PENDING).size();
  EXPECT_GE(held, 5u);
  receiver_.AlwaysAnswer(Answer{});
  EXPECT_EQ(Enable(endpoint_).consecutive_failures(), 0);
  ASSERT_TRUE(WaitUntilIdle(endpoint_));
  EXPECT_EQ(DeliveriesTo(endpoint_, v1::DELIVERY_STATE_SUCCEEDED).size(),
            static_cast<size_t>(kEvents));
}

TEST_F(DisabledEndpointTest, EnablingSetsTheCounterToZero) {
  CreateWithWaitingDelivery();
  EXPECT_EQ(GetEndpoint(endpoint_).consecutive_failures(), 1);
  EXPECT_EQ(Disable(endpoint_).consecutive_failures(), 1);
  const v1::Endpoint enabled = Enable(endpoint_);
  EXPECT_EQ(enabled.consecutive_failures(), 0);
  EXPECT_EQ(enabled.state(), v1::ENDPOINT_STATE_ENABLED);
  EXPECT_EQ(enabled.disabled_reason(), v1::DISABLED_REASON_UNSPECIFIED);
  EXPECT_FALSE(enabled.has_disable_time());
}

TEST_F(DisabledEndpointTest, EnablingCanCancelWhatIsHeld) {
  CreateWithWaitingDelivery();
  Disable(endpoint_);
  Enable(endpoint_, /*discard_pending=*/true);
  const v1::Delivery delivery = GetDelivery(delivery_);
  EXPECT_EQ(delivery.state(), v1::DELIVERY_STATE_CANCELED);
  EXPECT_EQ(delivery.state_reason(), v1::DELIVERY_STATE_REASON_CANCELED_BY_CALLER);
  EXPECT_TRUE(delivery.has_complete_time());
  EXPECT_TRUE(receiver_.StaysAt(1));
}

TEST_F(DisabledEndpointTest, DisablingADisabledEndpointKeepsItsReasonAndTime) {
  receiver_.AlwaysAnswer(Answer{.status = 410});
  endpoint_ = CreateAt(receiver_.Url()).id();
  PublishEvent();
  const v1::Endpoint gone = WaitForEndpointState(endpoint_, v1::ENDPOINT_STATE_DISABLED);
  const v1::Endpoint again = Disable(endpoint_);
  EXPECT_EQ(again.disabled_reason(), v1::DISABLED_REASON_GONE);
  EXPECT_EQ(ToTime(again.disable_time()), ToTime(gone.disable_time()));
}

TEST_F(DisabledEndpointTest, DisablingByHandHasTheReasonManual) {
  endpoint_ = CreateAt(receiver_.Url()).id();
  const v1::Endpoint disabled = Disable(endpoint_);
  EXPECT_EQ(disabled.state(), v1::ENDPOINT_STATE_DISABLED);
  EXPECT_EQ(disabled.disabled_reason(), v1::DISABLED_REASON_MANUAL);
  EXPECT_TRUE(disabled.has_disable_time());
}

TEST_F(DisabledEndpointTest, EnablingAnEnabledEndpointIsOk) {
  endpoint_ = CreateAt(receiver_.Url()).id();
  EXPECT_EQ(Enable(endpoint_).state(), v1::ENDPOINT_STATE_ENABLED);
}

TEST_F(DisabledEndpointTest, AnAttemptUnderWayWhenItIsDisabledIsLoggedAndMaySucceed) {
  receiver_.AlwaysAnswer(Answer{.hold = true});
  endpoint_ = CreateAt(receiver_.Url()).id();
  delivery_ = DeliveryOf(PublishEvent()).id();
  ASSERT_TRUE(receiver_.WaitForUnanswered(1));
  Disable(endpoint_);
  receiver_.Release();
  WaitForState(delivery_, v1::DELIVERY_STATE_SUCCEEDED);
  EXPECT_EQ(AttemptsOf(delivery_).size(), 1u);
  EXPECT_EQ(GetEndpoint(endpoint_).state(), v1::ENDPOINT_STATE_DISABLED);
}

using DeletedEndpointTest = DisabledEndpointTest;

TEST_F(DeletedEndpointTest, WhatItStillHadToGetIsCanceled) {
  CreateWithWaitingDelivery();
  Delete(endpoint_);
  const v1::Delivery delivery = WaitForState(delivery_, v1::DELIVERY_STATE_CANCELED);
  EXPECT_EQ(delivery.state_reason(), v1::DELIVERY_STATE_REASON_ENDPOINT_DELETED);
  EXPECT_TRUE(delivery.has_complete_time());
  EXPECT_EQ(delivery.attempt_count(), 1);
}

TEST_F(DeletedEndpointTest, NothingMoreIsSentToIt) {
  CreateWithRetryingDelivery();
  Delete(endpoint_);
  EXPECT_TRUE(receiver_.StaysAt(1, absl::Milliseconds(2200)));
  EXPECT_EQ(GetDelivery(delivery_).state(), v1::DELIVERY_STATE_CANCELED);
}

TEST_F(DeletedEndpointTest, ItsLogStays) {
  CreateWithWaitingDelivery();
  Delete(endpoint_);
  EXPECT_EQ(AttemptsOf(delivery_).size(), 1u);
  EXPECT_EQ(DeliveriesTo(endpoint_).size(), 1u);
  v1::GetEndpointRequest request;
  request.set_endpoint_id(endpoint_);
  EXPECT_REFUSED(api().GetEndpoint(request).status, grpc::StatusCode::NOT_FOUND);
}

TEST_F(DeletedEndpointTest, AnAttemptUnderWayIsStillLogged) {
  receiver_.AlwaysAnswer(Answer{.hold = true});
  endpoint_ = CreateAt(receiver_.Url()).id();
  delivery_ = DeliveryOf(PublishEvent()).id();
  ASSERT_TRUE(receiver_.WaitForUnanswered(1));
  Delete(endpoint_);
  WaitForState(delivery_, v1::DELIVERY_STATE_CANCELED);
  receiver_.Release();
  ASSERT_TRUE(WaitUntil([&] { return AttemptsOf(delivery_).size() == 1; }));
  EXPECT_EQ(AttemptsOf(delivery_)[0].outcome(), v1::ATTEMPT_OUTCOME_SUCCEEDED);
  EXPECT_EQ(GetDelivery(delivery_).state(), v1::DELIVERY_STATE_CANCELED);  // It stays what it is.
}

TEST_F(DeletedEndpointTest, WhatAFanOutCommitsInTheSameMomentIsCanceledToo) {
  constexpr int kRounds = 12;
  constexpr int kThreads = 4;
  receiver_.AlwaysAnswer(Answer{.status = 500});  // So that nothing ends by itself.
  for (int round = 0; round < kRounds; ++round) {
    v1::Endpoint endpoint = EndpointAt(receiver_.Url());
    *endpoint.add_retry_schedule() = ToProto(absl::Hours(1));
    endpoint.set_disable_threshold(0);
    const std::string id = Create(endpoint).id();
    std::atomic<bool> stop{false};
    std::atomic<int> count{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&] {
        while (!stop) {
          api().Publish(Event());
          ++count;
        }
      });
    }
    EXPECT_TRUE(WaitUntil([&] { return count >= 20; }));
    Delete(id);
    stop = true;
    for (std::thread& thread : threads) thread.join();
    EXPECT_TRUE(WaitUntilIdle(id)) << "round " << round;
    for (const v1::Delivery& delivery : DeliveriesTo(id)) {
      EXPECT_EQ(delivery.state(), v1::DELIVERY_STATE_CANCELED);
      EXPECT_EQ(delivery.state_reason(), v1::DELIVERY_STATE_REASON_ENDPOINT_DELETED);
    }
  }
}

}  // namespace
}  // namespace postrider::testing

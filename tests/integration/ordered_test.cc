// Ordered endpoints: one delivery at a time, in the order of acceptance, and nothing goes around
// one that waits for its retry.

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "tests/support/engine_test.h"
#include "tests/support/expect.h"
#include "tests/support/publish_stream_call.h"
#include "tests/support/wait.h"

namespace postrider::testing {
namespace {

using ::testing::ElementsAre;

v1::Endpoint OrderedAt(const Caller& caller, const std::string& url,
                       const std::vector<absl::Duration>& schedule = {absl::Seconds(1)}) {
  v1::Endpoint endpoint = caller.EndpointAt(url);
  endpoint.set_ordered(true);
  for (absl::Duration delay : schedule) *endpoint.add_retry_schedule() = ToProto(delay);
  return endpoint;
}

// The events in the order in which they came.
std::vector<std::string> EventsOf(const std::vector<ReceivedRequest>& requests) {
  std::vector<std::string> events;
  for (const ReceivedRequest& request : requests) events.push_back(request.WebhookId());
  return events;
}

class OrderedTest : public EngineTest {
 protected:
  // In one call.
  std::vector<std::string> PublishBatch(int count) {
    v1::BatchPublishRequest request;
    for (int i = 0; i < count; ++i) *request.add_requests() = Event();
    const auto reply = api().BatchPublish(request);
    EXPECT_TRUE(reply.ok()) << ToText(reply.status);
    std::vector<std::string> events;
    for (const v1::PublishResponse& response : reply->responses()) {
      events.push_back(response.event_id());
    }
    return events;
  }
  std::vector<std::string> PublishOneByOne(int count) {
    std::vector<std::string> events;
    for (int i = 0; i < count; ++i) events.push_back(PublishEvent());
    return events;
  }
  // Deliveries to the endpoint that show when they are due.
  std::set<std::string> WithATime(const std::string& endpoint_id) {
    std::set<std::string> ids;
    for (const v1::Delivery& delivery : DeliveriesTo(endpoint_id)) {
      if (delivery.has_next_attempt_time()) ids.insert(delivery.id());
    }
    return ids;
  }
};

TEST_F(OrderedTest, EventsArriveInTheOrderOfTheirAcceptanceThoughSomeFail) {
  // Every fiftieth of them fails at first.
  std::map<std::string, int> seen;
  receiver_.AnswerBy([&seen, count = 0](const ReceivedRequest& request) mutable {
    const bool first = seen[request.WebhookId()]++ == 0;
    if (first) ++count;
    return Answer{.status = first && count % 50 == 7 ? 500 : 200};
  });
  const CreatedEndpoint endpoint = Create(OrderedAt(caller(), receiver_.Url()));
  EXPECT_TRUE(endpoint.endpoint.ordered());
  std::vector<std::string> accepted;
  while (accepted.size() < 200) {
    for (const auto& some : {PublishOneByOne(10), PublishBatch(40)}) {
      accepted.insert(accepted.end(), some.begin(), some.end());
    }
  }
  ASSERT_TRUE(WaitUntilIdle(endpoint.id(), absl::Seconds(40)));
  const std::vector<std::string> arrived = EventsOf(receiver_.Requests());
  ASSERT_EQ(arrived.size(), accepted.size() + 4);
  std::vector<std::string> expected;
  for (size_t i = 0; i < accepted.size(); ++i) {
    expected.push_back(accepted[i]);
    if (i % 50 == 6) expected.push_back(accepted[i]);  // its retry
  }
  EXPECT_EQ(arrived, expected);
  EXPECT_EQ(receiver_.MostUnanswered(), 1);
}

TEST_F(OrderedTest, OfAStreamTheEarlierMessageGoesFirst) {
  const CreatedEndpoint endpoint = Create(OrderedAt(caller(), receiver_.Url()));
  PublishStreamCall stream(server().grpc_address());
  constexpr int kEvents = 100;
  for (int i = 0; i < kEvents; ++i) ASSERT_TRUE(stream.Send(i, Event()));
  std::map<int64_t, std::string> events;
  for (int i = 0; i < kEvents; ++i) {
    const auto answer = stream.Read();
    ASSERT_TRUE(answer.has_value());
    events[answer->sequence()] = answer->response().event_id();
  }
  std::vector<std::string> accepted;
  for (const auto& [sequence, event] : events) accepted.push_back(event);
  ASSERT_TRUE(WaitUntilIdle(endpoint.id()));
  EXPECT_EQ(EventsOf(receiver_.Requests()), accepted);
}

TEST_F(OrderedTest, WhatWaitsForItsRetryHoldsBackWhatIsBehindItAndNoOtherEndpoint) {
  receiver_.AnswerBy([](const ReceivedRequest& request) {
    return Answer{.status = request.target == "/hook" && request.AttemptNumber() == 1 ? 500 : 200};
  });
  const CreatedEndpoint endpoint =
      Create(OrderedAt(caller(), receiver_.Url(), {absl::Milliseconds(2500)}));
  CreateAt(receiver_.Url("/other"));
  const std::vector<std::string> events = PublishBatch(3);
  EXPECT_TRUE(receiver_.WaitFor(
      [](const std::vector<ReceivedRequest>& requests) { return requests.size() == 4; }));
  EXPECT_EQ(receiver_.RequestsTo("/other").size(), 3u);
  std::vector<v1::Delivery> deliveries;
  for (const std::string& event : events) {
    for (const v1::Delivery& delivery : DeliveriesOf(event)) {
      if (delivery.endpoint_id() == endpoint.id()) deliveries.push_back(delivery);
    }
  }
  ASSERT_EQ(deliveries.size(), 3u);
  const v1::Delivery head = WaitForAttempts(deliveries[0].id(), 1);
  EXPECT_TRUE(head.has_next_attempt_time());
  // The head, and it alone, says when it goes on.
  EXPECT_THAT(WithATime(endpoint.id()), ElementsAre(head.id()));
  for (int i : {1, 2}) {
    const v1::Delivery waiting = GetDelivery(deliveries[static_cast<size_t>(i)].id());
    EXPECT_EQ(waiting.state(), v1::DELIVERY_STATE_PENDING);
    EXPECT_FALSE(waiting.has_next_attempt_time());
  }
  EXPECT_TRUE(receiver_.StaysAt(4));
  ASSERT_TRUE(WaitUntilIdle(endpoint.id()));
  const std::vector<ReceivedRequest> requests = receiver_.RequestsTo("/hook");
  EXPECT_THAT(EventsOf(requests),
              ElementsAre(events[0], events[0], events[1], events[1], events[2], events[2]));
  EXPECT_GE(requests[1].time - requests[0].time, absl::Milliseconds(2480));
}

TEST_F(OrderedTest, WhatHasFailedForGoodHoldsBackNobody) {
  receiver_.AlwaysAnswer(Answer{.status = 500});
  v1::Endpoint endpoint = OrderedAt(caller(), receiver_.Url(), {});
  endpoint.set_retries_disabled(true);
  const std::string id = Create(endpoint).id();
  const std::vector<std::string> events = PublishOneByOne(3);
  ASSERT_TRUE(WaitUntilIdle(id));
  EXPECT_EQ(EventsOf(receiver_.Requests()), events);
  EXPECT_EQ(DeliveriesTo(id, v1::DELIVERY_STATE_FAILED).size(), 3u);
}

TEST_F(OrderedTest, WhenTheHeadIsCanceledTheNextOneGoes) {
  receiver_.AnswerInTurn({Answer{.status = 500}, Answer{.hold = true}, Answer{}});
  Create(OrderedAt(caller(), receiver_.Url(), {absl::Hours(24)}));
  const std::vector<std::string> events = PublishBatch(3);
  const std::string head = DeliveryOf(events[0]).id();
  WaitForAttempts(head, 1);
  Cancel(head);
  ASSERT_TRUE(receiver_.WaitForUnanswered(1));
  // And what is canceled under its attempt is waited for.
  Cancel(DeliveryOf(events[1]).id());
  EXPECT_TRUE(receiver_.StaysAt(2));
  receiver_.Release();
  EXPECT_EQ(EventsOf(receiver_.WaitForRequests(3)), events);
  WaitForState(DeliveryOf(events[2]).id(), v1::DELIVERY_STATE_SUCCEEDED);
}

TEST_F(OrderedTest, WhatLostItsPayloadEndsAndHoldsUpTheQueueForNoTime) {
  receiver_.AnswerInTurn({Answer{.status = 500}, Answer{}});
  const std::string id = Create(OrderedAt(caller(), receiver_.Url(), {absl::Hours(24)})).id();
  const std::vector<std::string> events = PublishBatch(61);
  const std::string head = DeliveryOf(events[0]).id();
  WaitForAttempts(head, 1);
  database().Query(absl::StrCat(
      "UPDATE events SET body = NULL WHERE env_no IN (SELECT env_no FROM environments WHERE "
      "org_id = '",
      org(), "')"));
  const std::string last = PublishEvent();
  Cancel(head);
  // 60 searches for due work would take 15 s.
  ASSERT_TRUE(WaitUntilIdle(id, absl::Seconds(10)));
  EXPECT_THAT(EventsOf(receiver_.Requests()), ElementsAre(events[0], last));
  EXPECT_EQ(DeliveryOf(events[60]).state_reason(), v1::DELIVERY_STATE_REASON_EXPIRED);
}

TEST_F(OrderedTest, DisablingHoldsTheQueueAndEnablingGoesOnInOrder) {
  receiver_.AnswerInTurn({Answer{.status = 500}, Answer{}});
  const std::string id = Create(OrderedAt(caller(), receiver_.Url())).id();
  const std::vector<std::string> events = PublishBatch(3);
  WaitForAttempts(DeliveryOf(events[0]).id(), 1);
  Disable(id);
  EXPECT_TRUE(receiver_.StaysAt(1, absl::Seconds(2)));
  Enable(id);
  ASSERT_TRUE(WaitUntilIdle(id));
  EXPECT_THAT(EventsOf(receiver_.Requests()),
              ElementsAre(events[0], events[0], events[1], events[2]));
}

TEST_F(OrderedTest, FromTheSwitchOnThereIsOneAtATime) {
  receiver_.AlwaysAnswer(Answer{.hold = true});
  v1::Endpoint endpoint = CreateAt(receiver_.Url()).endpoint;
  PublishBatch(4);
  ASSERT_TRUE(receiver_.WaitForUnanswered(4));
  endpoint.set_ordered(true);
  Update(endpoint, {"ordered"});
  LetChangeHold();
  const std::vector<std::string> ordered = PublishBatch(5);
  EXPECT_TRUE(receiver_.StaysAt(4, absl::Seconds(1)));
  constexpr absl::Duration kAnswerTime = absl::Milliseconds(40);
  receiver_.AlwaysAnswer(Answer{.delay = kAnswerTime});
  receiver_.Release();
  ASSERT_TRUE(WaitUntilIdle(endpoint.id()));
  std::vector<ReceivedRequest> requests = receiver_.Requests();
  ASSERT_EQ(requests.size(), 9u);
  requests.erase(requests.begin(), requests.begin() + 4);
  EXPECT_EQ(EventsOf(requests), ordered);
  for (size_t i = 1; i < requests.size(); ++i) {
    EXPECT_GE(requests[i].time - requests[i - 1].time, kAnswerTime);
  }
}

TEST_F(OrderedTest, WhatWasAcceptedInOrderKeepsItAfterTheSwitchBack) {
  receiver_.AnswerInTurn({Answer{.status = 500}, Answer{}});
  v1::Endpoint endpoint = Create(OrderedAt(caller(), receiver_.Url(), {absl::Hours(24)})).endpoint;
  const std::vector<std::string> queued = PublishBatch(20);
  const std::string head = DeliveryOf(queued[0]).id();
  WaitForAttempts(head, 1);
  endpoint.set_ordered(false);
  Update(endpoint, {"ordered"});
  // What comes now does not wait for the queue.
  const std::string later = PublishEvent();
  WaitForState(DeliveryOf(later).id(), v1::DELIVERY_STATE_SUCCEEDED);
  EXPECT_EQ(DeliveryOf(queued[1]).state(), v1::DELIVERY_STATE_PENDING);
  Cancel(head);
  ASSERT_TRUE(WaitUntilIdle(endpoint.id()));
  std::vector<std::string> expected = queued;
  expected.insert(expected.begin() + 1, later);
  EXPECT_EQ(EventsOf(receiver_.Requests()), expected);
}

TEST_F(OrderedTest, ARedeliveryGoesToTheEnd) {
  const std::string id = Create(OrderedAt(caller(), receiver_.Url())).id();
  const std::string old = PublishEvent();
  const std::string delivery = DeliveryOf(old).id();
  WaitForState(delivery, v1::DELIVERY_STATE_SUCCEEDED);
  receiver_.AnswerInTurn({Answer{.hold = true}, Answer{}});
  const std::vector<std::string> before = PublishOneByOne(2);
  ASSERT_TRUE(receiver_.WaitForUnanswered(1));
  Redeliver(delivery);
  const std::string after = PublishEvent();
  receiver_.Release();
  ASSERT_TRUE(WaitUntilIdle(id));
  EXPECT_THAT(EventsOf(receiver_.Requests()), ElementsAre(old, before[0], before[1], old, after));
}

class OrderedClusterTest : public OwnServersTest {};

TEST_F(OrderedClusterTest, ServersKeepOneOrderAndOneGoesOnForTheOther) {
  ServerProcess* const first = StartServer();
  ServerProcess* const second = StartServer();
  ASSERT_TRUE(first != nullptr && second != nullptr);
  Caller one(first->api());
  Caller two(second->api(), one.org());
  const std::string id = one.Create(OrderedAt(one, receiver_.Url())).id();
  std::vector<std::string> accepted;
  const auto publish = [&](int count) {
    for (int i = 0; i < count; ++i) {
      accepted.push_back((i % 3 == 0 ? one : two).PublishEvent());
    }
  };
  publish(60);
  ASSERT_TRUE(one.WaitUntilIdle(id));
  EXPECT_EQ(EventsOf(receiver_.Requests()), accepted);
  publish(60);
  EXPECT_EQ(first->Terminate(), 0);
  one.Use(second->api());
  publish(10);
  ASSERT_TRUE(two.WaitUntilIdle(id));
  EXPECT_EQ(EventsOf(receiver_.Requests()), accepted);
  EXPECT_EQ(receiver_.MostUnanswered(), 1);
}

TEST_F(OrderedClusterTest, WhenAServerDiesItsHeadIsSentAgainBeforeWhatIsBehindIt) {
  ServerProcess* const first = StartServer();
  ServerProcess* const second = StartServer();
  ASSERT_TRUE(first != nullptr && second != nullptr);
  // Several endpoints, so that each server has some.
  constexpr int kEndpoints = 6;
  Caller one(first->api());
  std::vector<std::string> ids;
  for (int i = 0; i < kEndpoints; ++i) {
    ids.push_back(one.Create(OrderedAt(one, receiver_.Url(absl::StrCat("/", i)))).id());
  }
  receiver_.AnswerBy(
      [](const ReceivedRequest& request) { return Answer{.hold = request.AttemptNumber() == 1}; });
  std::vector<std::string> accepted;
  for (int i = 0; i < 5; ++i) accepted.push_back(one.PublishEvent());
  ASSERT_TRUE(receiver_.WaitForUnanswered(kEndpoints));
  first->Kill();
  one.Use(second->api());
  EXPECT_TRUE(receiver_.StaysAt(kEndpoints));
  // Those of the living server get their answer when the others are taken over.
  ASSERT_FALSE(receiver_.WaitForRequests(kEndpoints + 1, absl::Seconds(40)).empty());
  receiver_.Release();
  for (int i = 0; i < kEndpoints; ++i) {
    ASSERT_TRUE(one.WaitUntilIdle(ids[static_cast<size_t>(i)], absl::Seconds(40)));
    std::vector<std::string> arrived = EventsOf(receiver_.RequestsTo(absl::StrCat("/", i)));
    // The first one may have come twice.
    if (arrived.size() > accepted.size()) {
      EXPECT_EQ(arrived[0], arrived[1]);
      arrived.erase(arrived.begin());
    }
    EXPECT_EQ(arrived, accepted);
  }
}

}  // namespace
}  // namespace postrider::testing

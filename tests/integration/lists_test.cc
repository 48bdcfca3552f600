// Lists of events and deliveries: order, pages and filters.

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/support/engine_test.h"
#include "tests/support/expect.h"

namespace postrider::testing {
namespace {

class ListsTest : public EngineTest {
 protected:
  std::vector<std::string> Events(const v1::ListEventsRequest& request) {
    const Reply<v1::ListEventsResponse> reply = api().ListEvents(request);
    EXPECT_TRUE(reply.ok()) << ToText(reply.status);
    std::vector<std::string> ids;
    for (const v1::Event& event : reply->events()) ids.push_back(event.id());
    return ids;
  }

  std::vector<std::string> Deliveries(const v1::ListDeliveriesRequest& request) {
    const Reply<v1::ListDeliveriesResponse> reply = api().ListDeliveries(request);
    EXPECT_TRUE(reply.ok()) << ToText(reply.status);
    std::vector<std::string> ids;
    for (const v1::Delivery& delivery : reply->deliveries()) ids.push_back(delivery.id());
    return ids;
  }

  // An event of its own millisecond.
  std::string PublishApart(absl::string_view type) {
    const absl::Time now = absl::Now();
    WaitUntil([&] { return absl::Now() > now + absl::Milliseconds(3); });
    return PublishEvent(type);
  }
};

TEST_F(ListsTest, EventsAreNewestFirstAndPaged) {
  std::vector<std::string> ids;
  for (int i = 0; i < 7; ++i) ids.push_back(PublishApart("a.b"));
  std::reverse(ids.begin(), ids.end());
  v1::ListEventsRequest request;
  request.set_org_id(org());
  request.set_page_size(3);
  std::vector<std::string> listed;
  int pages = 0;
  do {
    const Reply<v1::ListEventsResponse> page = api().ListEvents(request);
    ASSERT_TRUE(page.ok()) << ToText(page.status);
    ASSERT_LE(page->events_size(), 3);
    for (const v1::Event& event : page->events()) listed.push_back(event.id());
    request.set_page_token(page->next_page_token());
    ASSERT_LE(++pages, 4);
  } while (!request.page_token().empty());
  EXPECT_EQ(listed, ids);
}

TEST_F(ListsTest, APageHas50UnlessAskedOtherwise) {
  v1::BatchPublishRequest batch;
  for (int i = 0; i < 60; ++i) *batch.add_requests() = Event();
  ASSERT_TRUE(api().BatchPublish(batch).ok());
  v1::ListEventsRequest request;
  request.set_org_id(org());
  EXPECT_EQ(Events(request).size(), 50u);
  request.set_page_size(55);
  EXPECT_EQ(Events(request).size(), 55u);
  request.set_page_size(5000);
  EXPECT_EQ(Events(request).size(), 60u);
}

TEST_F(ListsTest, EventsCanBeFilteredByTypesExactOrByPrefix) {
  const std::string received = PublishApart("message.received");
  const std::string sent = PublishApart("message.sent.later");
  const std::string plain = PublishApart("message");
  const std::string domain = PublishApart("domain.added");
  v1::ListEventsRequest request;
  request.set_org_id(org());
  request.add_types("message.*");
  EXPECT_EQ(Events(request), (std::vector<std::string>{sent, received}));
  request.add_types("domain.added");
  EXPECT_EQ(Events(request), (std::vector<std::string>{domain, sent, received}));
  request.clear_types();
  request.add_types("message");
  EXPECT_EQ(Events(request), std::vector<std::string>{plain});
}

TEST_F(ListsTest, EventsCanBeFilteredByTimeAndEnvironment) {
  std::vector<std::string> ids;
  for (int i = 0; i < 4; ++i) ids.push_back(PublishApart("a.b"));
  v1::PublishRequest elsewhere = Event();
  elsewhere.set_env_id("env_2");
  const std::string other = Publish(elsewhere).event_id();
  v1::ListEventsRequest request;
  request.set_org_id(org());
  request.set_env_id(env());
  EXPECT_EQ(Events(request).size(), 4u);
  *request.mutable_start_time() = GetEvent(ids[1]).create_time();
  *request.mutable_end_time() = GetEvent(ids[3]).create_time();
  EXPECT_EQ(Events(request), (std::vector<std::string>{ids[2], ids[1]}));
  request.set_env_id("env_2");
  request.clear_start_time();
  request.clear_end_time();
  EXPECT_EQ(Events(request), std::vector<std::string>{other});
}

TEST_F(ListsTest, AListOfAnUnknownOrgIsEmpty) {
  v1::ListEventsRequest request;
  request.set_org_id(org() + "_unknown");
  EXPECT_TRUE(Events(request).empty());
}

TEST_F(ListsTest, DeliveriesCanBeFilteredByEventEndpointAndState) {
  receiver_.AnswerBy([](const ReceivedRequest& request) {
    return Answer{.status = request.target == "/bad" ? 500 : 200};
  });
  std::vector<std::string> endpoints;
  for (const char* path : {"/good", "/bad"}) {
    v1::Endpoint endpoint = EndpointAt(receiver_.Url(path));
    endpoint.set_retries_disabled(true);
    endpoints.push_back(Create(endpoint).id());
  }
  std::vector<std::string> events;
  for (int i = 0; i < 3; ++i) events.push_back(PublishApart("a.b"));
  for (const std::string& id : endpoints) ASSERT_TRUE(WaitUntilIdle(id));
  v1::ListDeliveriesRequest request;
  request.set_org_id(org());
  request.set_env_id(env());
  EXPECT_EQ(Deliveries(request).size(), 6u);
  request.set_state(v1::DELIVERY_STATE_FAILED);
  EXPECT_EQ(Deliveries(request).size(), 3u);
  request.set_endpoint_id(endpoints[1]);
  EXPECT_EQ(Deliveries(request).size(), 3u);
  request.set_endpoint_id(endpoints[0]);
  EXPECT_TRUE(Deliveries(request).empty());
  request.clear_state();
  request.set_event_id(events[1]);
  EXPECT_EQ(Deliveries(request).size(), 1u);
  request.clear_endpoint_id();
  EXPECT_EQ(Deliveries(request).size(), 2u);
}

TEST_F(ListsTest, DeliveriesAreNewestFirstAndPagedOverOpenAndClosedOnes) {
  // Every other delivery stays open.
  receiver_.AnswerBy([](const ReceivedRequest& request) {
    return Answer{.status = request.body.find("\"odd\"") == std::string::npos ? 200 : 500};
  });
  v1::Endpoint endpoint = EndpointAt(receiver_.Url());
  *endpoint.add_retry_schedule() = ToProto(absl::Hours(1));
  endpoint.set_disable_threshold(0);
  const std::string id = Create(endpoint).id();
  for (int i = 0; i < 10; ++i) PublishApart(i % 2 == 0 ? "even" : "odd");
  ASSERT_TRUE(WaitUntil([&] {
    return DeliveriesTo(id, v1::DELIVERY_STATE_SUCCEEDED).size() == 5 &&
           DeliveriesTo(id, v1::DELIVERY_STATE_PENDING).size() == 5;
  }));
  v1::ListDeliveriesRequest request;
  request.set_endpoint_id(id);
  request.set_page_size(3);
  std::vector<v1::Delivery> listed;
  int pages = 0;
  do {
    const Reply<v1::ListDeliveriesResponse> page = api().ListDeliveries(request);
    ASSERT_TRUE(page.ok()) << ToText(page.status);
    listed.insert(listed.end(), page->deliveries().begin(), page->deliveries().end());
    request.set_page_token(page->next_page_token());
    ASSERT_LE(++pages, 5);
  } while (!request.page_token().empty());
  ASSERT_EQ(listed.size(), 10u);
  for (size_t i = 1; i < listed.size(); ++i) {
    EXPECT_GT(ToTime(listed[i - 1].create_time()), ToTime(listed[i].create_time()));
  }
}

TEST_F(ListsTest, DeliveriesCanBeFilteredByTime) {
  CreateAt(receiver_.Url());
  std::vector<v1::Delivery> deliveries;
  for (int i = 0; i < 4; ++i) deliveries.push_back(DeliveryOf(PublishApart("a.b")));
  v1::ListDeliveriesRequest request;
  request.set_org_id(org());
  *request.mutable_start_time() = deliveries[1].create_time();
  *request.mutable_end_time() = deliveries[3].create_time();
  EXPECT_EQ(Deliveries(request),
            (std::vector<std::string>{deliveries[2].id(), deliveries[1].id()}));
}

TEST_F(ListsTest, APageOfEndpointsStopsAt3MiB) {
  constexpr int kEndpoints = 150;  // of 28 KiB each
  constexpr size_t kMaxPageBytes = 3 * 1024 * 1024;
  v1::Endpoint endpoint = EndpointAt(receiver_.Url());
  for (int i = 0; i < 50; ++i) {
    (*endpoint.mutable_metadata())[absl::StrCat(std::string(60, 'k'), i)] = std::string(512, 'v');
  }
  for (int i = 0; i < kEndpoints; ++i) Create(endpoint);
  v1::ListEndpointsRequest request;
  request.set_org_id(org());
  request.set_page_size(1000);
  int count = 0;
  int pages = 0;
  do {
    const Reply<v1::ListEndpointsResponse> page = api().ListEndpoints(request);
    ASSERT_TRUE(page.ok()) << ToText(page.status);
    ASSERT_GT(page->endpoints_size(), 0);
    EXPECT_LE(page->ByteSizeLong(), kMaxPageBytes);
    count += page->endpoints_size();
    ++pages;
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(count, kEndpoints);
  EXPECT_EQ(pages, 2);
}

TEST_F(ListsTest, APageOfAttemptsStopsAt3MiB) {
  constexpr int kAttempts = 900;  // of 4 KiB each
  constexpr size_t kMaxPageBytes = 3 * 1024 * 1024;
  receiver_.AlwaysAnswer(Answer{.body = std::string(4096, 'x')});
  const std::string endpoint = CreateAt(receiver_.Url()).id();
  v1::BatchPublishRequest batch;
  for (int i = 0; i < kAttempts; ++i) *batch.add_requests() = Event();
  ASSERT_TRUE(api().BatchPublish(batch).ok());
  ASSERT_TRUE(WaitUntilIdle(endpoint));
  v1::ListAttemptsRequest request;
  request.set_endpoint_id(endpoint);
  request.set_page_size(1000);
  int count = 0;
  int pages = 0;
  do {
    const Reply<v1::ListAttemptsResponse> page = api().ListAttempts(request);
    ASSERT_TRUE(page.ok()) << ToText(page.status);
    ASSERT_GT(page->attempts_size(), 0);
    EXPECT_LE(page->ByteSizeLong(), kMaxPageBytes);
    count += page->attempts_size();
    ++pages;
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(count, kAttempts);
  EXPECT_EQ(pages, 2);
}

}  // namespace
}  // namespace postrider::testing

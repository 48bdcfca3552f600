// SEMANTICS, "The event": the envelope, its id and times, and that its bytes never change.

#include <algorithm>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/support/engine_test.h"
#include "tests/support/json_fields.h"
#include "tests/support/ulid_text.h"

namespace postrider::testing {
namespace {

class EventEnvelopeTest : public EngineTest {
 protected:
  // The body that arrives for an event.
  std::string BodyOf(const v1::PublishRequest& request) {
    CreateAt(receiver_.Url());
    Publish(request);
    const std::vector<ReceivedRequest> requests = receiver_.WaitForRequests(1);
    EXPECT_EQ(requests.size(), 1u);
    return requests.empty() ? "" : requests[0].body;
  }
};

TEST_F(EventEnvelopeTest, HasTheSixFieldsInThisOrder) {
  CreateAt(receiver_.Url());
  v1::PublishRequest request = Event("message.received", R"({"b":1,"a":[2]})");
  *request.mutable_event_time() = ToProto(absl::FromUnixMillis(1772980200000));
  const std::string id = Publish(request).event_id();
  const std::vector<ReceivedRequest> requests = receiver_.WaitForRequests(1);
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].body,
            absl::StrCat(R"({"id":")", id, R"(","type":"message.received",)",
                         R"("timestamp":"2026-03-08T14:30:00.000Z","org_id":")", org(),
                         R"(","env_id":")", env(), R"(","data":{"b":1,"a":[2]}})"));
}

TEST_F(EventEnvelopeTest, IdIsEvtAndACrockfordUlidOfTheAcceptance) {
  const absl::Time before = absl::Now() - absl::Seconds(1);
  const std::string id = PublishEvent();
  ASSERT_EQ(id.size(), 30u) << id;
  ASSERT_TRUE(absl::StartsWith(id, "evt_")) << id;
  const std::optional<absl::Time> time = TimeOfUlid(id.substr(4));
  ASSERT_TRUE(time.has_value()) << id;
  EXPECT_GT(*time, before);
  EXPECT_LT(*time, absl::Now() + absl::Seconds(1));
}

TEST_F(EventEnvelopeTest, IdsAreInTheOrderOfTime) {
  std::vector<std::string> ids;
  for (int i = 0; i < 20; ++i) {
    ids.push_back(PublishEvent());
    // An id tells times apart by the millisecond.
    const absl::Time accepted = absl::Now();
    WaitUntil([&] { return absl::Now() > accepted + absl::Milliseconds(2); });
  }
  EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
}

TEST_F(EventEnvelopeTest, TimestampIsTheEventTimeCutToThreeDecimals) {
  v1::PublishRequest request = Event();
  request.mutable_event_time()->set_seconds(951782400);  // 2000-02-29T00:00:00Z
  request.mutable_event_time()->set_nanos(7999999);
  EXPECT_EQ(JsonString(BodyOf(request), "timestamp"), "2000-02-29T00:00:00.007Z");
}

TEST_F(EventEnvelopeTest, TimestampOfAWholeSecondHasThreeDecimalsToo) {
  v1::PublishRequest request = Event();
  request.mutable_event_time()->set_seconds(-62135596800);  // 0001-01-01T00:00:00Z
  EXPECT_EQ(JsonString(BodyOf(request), "timestamp"), "0001-01-01T00:00:00.000Z");
}

TEST_F(EventEnvelopeTest, TimestampIsTheAcceptanceWhereThereIsNoEventTime) {
  CreateAt(receiver_.Url());
  const v1::PublishResponse published = Publish(Event());
  const std::vector<ReceivedRequest> requests = receiver_.WaitForRequests(1);
  ASSERT_EQ(requests.size(), 1u);
  const std::string text = JsonString(requests[0].body, "timestamp");
  ASSERT_EQ(text.size(), 24u) << text;
  EXPECT_EQ(text[19], '.');
  EXPECT_EQ(text[23], 'Z');
  absl::Time timestamp;
  std::string error;
  ASSERT_TRUE(absl::ParseTime(absl::RFC3339_full, text, &timestamp, &error)) << error;
  EXPECT_EQ(timestamp, absl::FromUnixMillis(absl::ToUnixMillis(ToTime(published.create_time()))));
  EXPECT_EQ(ToTime(GetEvent(published.event_id()).timestamp()), timestamp);
}

TEST_F(EventEnvelopeTest, OrgAndEnvironmentAreOpaqueUpTo64Characters) {
  const std::string org = "-_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  ASSERT_EQ(org.size(), 64u);
  Caller other(api(), org, "0");
  const CreatedEndpoint endpoint = other.CreateAt(receiver_.Url());
  other.Publish();
  const std::vector<ReceivedRequest> requests = receiver_.WaitForRequests(1);
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(JsonString(requests[0].body, "org_id"), org);
  EXPECT_EQ(JsonString(requests[0].body, "env_id"), "0");
  other.Delete(endpoint.id());
}

TEST_F(EventEnvelopeTest, TypesAreDottedLowerCaseWordsOfAtMost128BytesAndNeedNotBeCatalogued) {
  for (const std::string& type :
       {std::string("a"), std::string("0"), std::string("_"), std::string("message.received"),
        std::string("a.b.c.d_1"), std::string("postrider"), std::string("postriders.x"),
        std::string(128, 'x')}) {
    EXPECT_EQ(GetEvent(PublishEvent(type)).type(), type);
  }
}

TEST_F(EventEnvelopeTest, EveryAttemptRetryAndRedeliverySendsTheSameBytesUnderTheSameId) {
  receiver_.AnswerInTurn({Answer{.status = 500}, Answer{.status = 500}, Answer{}});
  CreateAt(receiver_.Url());
  v1::PublishRequest request;
  request =
      Event("message.received", R"(  {"z": 1.50, "a" : "\u00e9", "n":12345678901234567890}  )");
  const std::string id = Publish(request).event_id();
  ASSERT_EQ(receiver_.WaitForRequests(3).size(), 3u);
  const v1::Delivery delivery = DeliveryOf(id);
  WaitForState(delivery.id(), v1::DELIVERY_STATE_SUCCEEDED);
  Redeliver(delivery.id());
  const std::vector<ReceivedRequest> requests = receiver_.WaitForRequests(4);
  ASSERT_EQ(requests.size(), 4u);
  for (const ReceivedRequest& received : requests) {
    EXPECT_EQ(received.body, requests[0].body);
    EXPECT_EQ(received.WebhookId(), id);
    EXPECT_EQ(JsonString(received.body, "id"), id);
  }
}

TEST_F(EventEnvelopeTest, TheTraceContextOfTheCallIsKeptWhereItIsWellFormed) {
  const std::string context = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  for (const std::string& given : {context, std::string("00-nonsense"), std::string()}) {
    const Reply<std::string> reply =
        api().CallRaw("postrider.v1.PublisherService/Publish", Event().SerializeAsString(),
                      {{"traceparent", given}});
    v1::PublishResponse response;
    ASSERT_TRUE(response.ParseFromString(reply.value)) << ToText(reply.status);
    EXPECT_EQ(GetEvent(response.event_id()).traceparent(), given == context ? context : "");
  }
}

class EventIdTest : public OwnServersTest {};

TEST_F(EventIdTest, IsUniqueAcrossReplicas) {
  constexpr int kThreads = 4;
  constexpr int kEach = 250;
  ServerProcess* const first = StartServer();
  ServerProcess* const second = StartServer();
  ASSERT_TRUE(first != nullptr && second != nullptr);
  std::vector<std::vector<std::string>> ids(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      Caller caller(t % 2 == 0 ? first->api() : second->api());
      for (int i = 0; i < kEach; ++i) ids[t].push_back(caller.PublishEvent());
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<std::string> all;
  for (const std::vector<std::string>& some : ids) all.insert(some.begin(), some.end());
  EXPECT_EQ(all.size(), static_cast<size_t>(kThreads * kEach));
  EXPECT_EQ(database().Value("SELECT count(DISTINCT event_id) FROM events"), "1000");
}

}  // namespace
}  // namespace postrider::testing

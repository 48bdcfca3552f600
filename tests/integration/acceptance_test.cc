// SEMANTICS, "Acceptance".

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/support/engine_test.h"
#include "tests/support/expect.h"

namespace postrider::testing {
namespace {

using ::grpc::StatusCode;

class AcceptanceTest : public EngineTest {
 protected:
  CreatedEndpoint CreateFor(const std::vector<std::string>& events) {
    v1::Endpoint endpoint = EndpointAt(receiver_.Url());
    for (const std::string& entry : events) endpoint.add_events(entry);
    return Create(endpoint);
  }

  // Whether the endpoint would get an event of the type.
  bool Matches(const CreatedEndpoint& endpoint, const std::string& type) {
    v1::PublishRequest request = Event(type);
    request.set_validate_only(true);
    const v1::PublishResponse response = Publish(request);
    return std::find(response.matched_endpoint_ids().begin(), response.matched_endpoint_ids().end(),
                     endpoint.id()) != response.matched_endpoint_ids().end();
  }

  std::string EventsOfOrg() {
    return absl::StrCat("FROM events JOIN environments USING (env_no) WHERE org_id = '", org(),
                        "'");
  }
};

TEST_F(AcceptanceTest, OkMeansThatTheEventAndItsDeliveriesAreStored) {
  receiver_.AlwaysAnswer(Answer{.hold = true});
  CreateAt(receiver_.Url("/a"));
  CreateAt(receiver_.Url("/b"));
  for (int i = 0; i < 20; ++i) {
    const v1::PublishResponse response = Publish(Event());
    // Whoever asks next, by whatever way, finds them.
    EXPECT_EQ(database().Value(absl::StrCat("SELECT count(*) ", EventsOfOrg())),
              absl::StrCat(i + 1));
    EXPECT_EQ(DeliveriesOf(response.event_id()).size(), 2u);
    EXPECT_EQ(GetEvent(response.event_id()).id(), response.event_id());
  }
}

TEST_F(AcceptanceTest, TheEventAndItsDeliveriesAreOneTransaction) {
  receiver_.AlwaysAnswer(Answer{.hold = true});
  CreateAt(receiver_.Url("/a"));
  CreateAt(receiver_.Url("/b"));
  Publish();
  // The row of an open delivery that nothing was recorded of yet is as it was inserted.
  EXPECT_EQ(database().Value(absl::StrCat(
                "SELECT count(DISTINCT x) FROM (SELECT events.xmin::text AS x ", EventsOfOrg(),
                " UNION ALL SELECT d.xmin::text FROM open_deliveries d JOIN environments USING "
                "(env_no) WHERE org_id = '",
                org(), "') AS all_rows")),
            "1");
}

TEST_F(AcceptanceTest, AnEventThatMatchesNothingIsStoredWithNoDeliveries) {
  CreateFor({"message.sent"});
  const v1::PublishResponse response = Publish(Event("message.received"));
  EXPECT_EQ(response.delivery_count(), 0);
  EXPECT_EQ(GetEvent(response.event_id()).type(), "message.received");
  EXPECT_TRUE(DeliveriesOf(response.event_id()).empty());
}

TEST_F(AcceptanceTest, DeliveryCountIsTheNumberOfMatchingEndpoints) {
  for (int i = 0; i < 5; ++i) CreateFor({"message.received"});
  for (int i = 0; i < 3; ++i) CreateFor({"message.sent"});
  EXPECT_EQ(Publish(Event("message.received")).delivery_count(), 5);
  EXPECT_EQ(receiver_.WaitForRequests(5).size(), 5u);
}

TEST_F(AcceptanceTest, EventsOfAnotherOrgOrEnvironmentDoNotMatch) {
  const CreatedEndpoint endpoint = CreateFor({});
  v1::PublishRequest request = Event();
  request.set_env_id("env_2");
  EXPECT_EQ(Publish(request).delivery_count(), 0);
  request.set_env_id(env());
  request.set_org_id(org() + "x");
  EXPECT_EQ(Publish(request).delivery_count(), 0);
  request.set_org_id(org());
  EXPECT_EQ(Publish(request).delivery_count(), 1);
  EXPECT_EQ(receiver_.WaitForRequests(1).size(), 1u);
  EXPECT_TRUE(receiver_.StaysAt(1));
}

TEST_F(AcceptanceTest, AnEndpointMustBeEnabledAtThatMoment) {
  const CreatedEndpoint endpoint = CreateFor({});
  EXPECT_TRUE(Matches(endpoint, "a.b"));
  Disable(endpoint.id());
  EXPECT_FALSE(Matches(endpoint, "a.b"));
  EXPECT_EQ(Publish(Event()).delivery_count(), 0);
  Enable(endpoint.id());
  EXPECT_TRUE(Matches(endpoint, "a.b"));
  EXPECT_EQ(Publish(Event()).delivery_count(), 1);
  Delete(endpoint.id());
  EXPECT_EQ(Publish(Event()).delivery_count(), 0);
}

TEST_F(AcceptanceTest, AnEmptySubscriptionMatchesEveryType) {
  const CreatedEndpoint endpoint = CreateFor({});
  for (const char* type : {"a", "message.received", "postrider", "a.b.c.d.e"}) {
    EXPECT_TRUE(Matches(endpoint, type)) << type;
  }
}

TEST_F(AcceptanceTest, AnExactTypeMatchesItselfAlone) {
  const CreatedEndpoint endpoint = CreateFor({"message.received"});
  EXPECT_TRUE(Matches(endpoint, "message.received"));
  for (const char* type : {"message", "message.received.a", "message.receive", "message.receivedx",
                           "x.message.received"}) {
    EXPECT_FALSE(Matches(endpoint, type)) << type;
  }
}

TEST_F(AcceptanceTest, APrefixPatternMatchesWhatIsBelowAtAnyDepthAndNotTheWordItself) {
  const CreatedEndpoint endpoint = CreateFor({"message.*"});
  for (const char* type : {"message.received", "message.a.b"}) {
    EXPECT_TRUE(Matches(endpoint, type)) << type;
  }
  for (const char* type : {"message", "messages.a", "messag", "a.message.b"}) {
    EXPECT_FALSE(Matches(endpoint, type)) << type;
  }
  const CreatedEndpoint deeper = CreateFor({"message.a.*"});
  EXPECT_TRUE(Matches(deeper, "message.a.b"));
  EXPECT_TRUE(Matches(deeper, "message.a.b.c"));
  EXPECT_FALSE(Matches(deeper, "message.a"));
  EXPECT_FALSE(Matches(deeper, "message.ab.c"));
}

TEST_F(AcceptanceTest, ABareStarIsRefused) {
  v1::CreateEndpointRequest request;
  *request.mutable_endpoint() = EndpointAt(receiver_.Url());
  request.mutable_endpoint()->add_events("message.*");
  request.mutable_endpoint()->add_events("*");
  EXPECT_BAD_FIELDS(api().CreateEndpoint(request).status, "endpoint.events[1]");
}

TEST_F(AcceptanceTest, PatternsThatOverlapGiveOneDelivery) {
  CreateFor({"message.*", "message.received", "message.a.*", "message.received"});
  EXPECT_EQ(Publish(Event("message.received")).delivery_count(), 1);
  EXPECT_EQ(Publish(Event("message.a.b")).delivery_count(), 1);
  EXPECT_EQ(receiver_.WaitForRequests(2).size(), 2u);
  EXPECT_TRUE(receiver_.StaysAt(2));
}

TEST_F(AcceptanceTest, ADryRunNamesTheMatchingEndpointsAndStoresNothing) {
  std::set<std::string> expected;
  expected.insert(CreateFor({}).id());
  expected.insert(CreateFor({"message.received"}).id());
  CreateFor({"message.sent"});
  v1::PublishRequest request = Event("message.received");
  request.set_validate_only(true);
  const v1::PublishResponse response = Publish(request);
  EXPECT_EQ(std::set<std::string>(response.matched_endpoint_ids().begin(),
                                  response.matched_endpoint_ids().end()),
            expected);
  EXPECT_EQ(response.event_id(), "");
  EXPECT_FALSE(response.has_create_time());
  EXPECT_EQ(database().Value(absl::StrCat("SELECT count(*) ", EventsOfOrg())), "0");
  EXPECT_TRUE(receiver_.StaysAt(0));
}

TEST_F(AcceptanceTest, ADryRunMakesAllChecks) {
  v1::PublishRequest request = Event("Bad Type", "[]");
  request.set_validate_only(true);
  EXPECT_BAD_FIELDS(api().Publish(request).status, "type", "data_json");
}

TEST_F(AcceptanceTest, TheAnswersTimesAndCountsAreThoseOfTheEvent) {
  CreateFor({});
  const v1::PublishResponse response = Publish(Event());
  EXPECT_FALSE(response.duplicate());
  EXPECT_EQ(response.matched_endpoint_ids_size(), 0);
  const v1::Event event = GetEvent(response.event_id());
  EXPECT_EQ(ToTime(event.create_time()), ToTime(response.create_time()));
  const v1::Delivery delivery = DeliveryOf(response.event_id());
  EXPECT_EQ(ToTime(delivery.create_time()), ToTime(response.create_time()));
  EXPECT_EQ(delivery.origin(), v1::DELIVERY_ORIGIN_PUBLISH);
  EXPECT_EQ(delivery.event_type(), "message.received");
  EXPECT_EQ(delivery.org_id(), org());
  EXPECT_EQ(delivery.env_id(), env());
}

TEST_F(AcceptanceTest, AnErrorMeansThatNothingWasStored) {
  v1::PublishRequest good = Event();
  good.set_idempotency_key("k");
  Publish(good);
  const std::string before = database().Value(absl::StrCat("SELECT count(*) ", EventsOfOrg()));
  v1::PublishRequest conflict = good;
  conflict.set_data_json("{}");
  EXPECT_REFUSED(api().Publish(conflict).status, StatusCode::ALREADY_EXISTS);
  EXPECT_BAD_FIELDS(api().Publish(Event("postrider.x")).status, "type");
  EXPECT_EQ(database().Value(absl::StrCat("SELECT count(*) ", EventsOfOrg())), before);
}

// 410 events for 490 endpoints are more than one transaction may make.
TEST_F(AcceptanceTest, ACallThatWouldFanOutTooFarIsRefusedWholeAndSmallerOnesAreTaken) {
  constexpr int kEndpoints = 490;
  receiver_.AlwaysAnswer(Answer{.hold = true});
  v1::Endpoint endpoint = EndpointAt(receiver_.Url());
  endpoint.add_events("wide.*");
  const std::string id = Create(endpoint).id();
  // Copies of it, which nothing is sent to because they have no secret.
  const std::string copies = absl::StrCat(
      "WITH one AS (SELECT * FROM endpoints ORDER BY create_time DESC LIMIT 1), "
      "ids AS (SELECT ulid_at(now()) AS id FROM generate_series(2, ",
      kEndpoints,
      ")), "
      "made AS (INSERT INTO endpoints SELECT (jsonb_populate_record(NULL::endpoints, "
      "  to_jsonb(o) || jsonb_build_object('endpoint_id', id))).* FROM one o, ids RETURNING "
      "endpoint_id, env_no), "
      "states AS (INSERT INTO endpoint_states (endpoint_id) SELECT endpoint_id FROM made) "
      "INSERT INTO subscriptions SELECT env_no, 'wide.*', endpoint_id FROM made");
  database().Query(copies);
  v1::BatchPublishRequest request;
  for (int i = 0; i < 410; ++i) *request.add_requests() = Event("wide.open");
  const grpc::Status status = api().BatchPublish(request).status;
  EXPECT_EQ(status.error_code(), StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), ::testing::HasSubstr("smaller batches"));
  EXPECT_EQ(database().Value(absl::StrCat("SELECT count(*) ", EventsOfOrg())), "0");
  EXPECT_EQ(Publish(Event("wide.open")).delivery_count(), kEndpoints);
  database().Query(
      "DELETE FROM open_deliveries WHERE event_type = 'wide.open';"
      "DELETE FROM subscriptions WHERE pattern = 'wide.*'");
}

}  // namespace
}  // namespace postrider::testing

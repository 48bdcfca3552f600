// PurgeEvent: the payload of one event, and whatever can repeat it, is erased for good.

#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/support/engine_test.h"
#include "tests/support/expect.h"

namespace postrider::testing {
namespace {

using ::grpc::StatusCode;

// A receiver that repeats the whole request in its answer.
Answer Echo(const ReceivedRequest& request, int status) {
  return Answer{.status = status, .headers = {{"x-echo", request.body}}, .body = request.body};
}

class PurgeEventTest : public EngineTest {
 protected:
  void EchoWith(int status) {
    receiver_.AnswerBy([status](const ReceivedRequest& r) { return Echo(r, status); });
  }

  // An event whose data nobody else has, under an idempotency key.
  v1::PublishRequest Secretive() {
    v1::PublishRequest request = Event("patient.admitted", R"({"name":"Rosalind Unforgotten"})");
    request.set_idempotency_key("admission-4711");
    return request;
  }

  v1::PurgeEventResponse Purge(const std::string& event_id) {
    v1::PurgeEventRequest request;
    request.set_event_id(event_id);
    const Reply<v1::PurgeEventResponse> reply = api().PurgeEvent(request);
    EXPECT_TRUE(reply.ok()) << ToText(reply.status);
    return reply.value;
  }

  // Whether any row of the database holds the payload, as text, as bytes, or as what SHA-256 makes
  // of it.
  bool Stored() {
    const std::string dump = database().Dump();
    const std::string name = "Rosalind Unforgotten";
    return absl::StrContains(dump, name) || absl::StrContains(dump, absl::BytesToHexString(name)) ||
           database().Value(absl::StrCat("SELECT count(*) FROM idempotency_keys k JOIN environments"
                                         " USING (env_no) WHERE org_id = '",
                                         org(), "' AND content_digest <> ''")) != "0";
  }
};

TEST_F(PurgeEventTest, ErasesTheEventsBodyTheAnswersThatRepeatItAndItsDigest) {
  const std::string endpoint = CreateAt(receiver_.Url()).id();
  EchoWith(500);
  const std::string event = Publish(Secretive()).event_id();
  const std::string delivery = DeliveryOf(event).id();
  WaitForState(delivery, v1::DELIVERY_STATE_FAILED);
  ASSERT_TRUE(Stored());
  ASSERT_TRUE(absl::StrContains(AttemptsOf(delivery)[0].response_body(), "Rosalind"));

  const v1::PurgeEventResponse purged = Purge(event);
  EXPECT_TRUE(purged.payload_erased());
  EXPECT_EQ(purged.canceled_delivery_count(), 0);
  EXPECT_EQ(purged.erased_response_count(), 3);
  EXPECT_FALSE(Stored());
  EXPECT_EQ(GetEvent(event).data_json(), "");
  EXPECT_EQ(GetEvent(event).type(), "patient.admitted");
  // The log stays, without what was answered.
  const std::vector<v1::Attempt> attempts = AttemptsOf(delivery);
  ASSERT_EQ(attempts.size(), 3u);
  for (const v1::Attempt& attempt : attempts) {
    EXPECT_EQ(attempt.http_status(), 500);
    EXPECT_EQ(attempt.response_body(), "");
    EXPECT_EQ(attempt.response_headers_size(), 0);
    EXPECT_TRUE(attempt.response_body_truncated());
  }
  EXPECT_FALSE(absl::StrContains(server().Log(), "Rosalind"));
}

TEST_F(PurgeEventTest, ASecondTimeIsOkAndErasesNothing) {
  CreateAt(receiver_.Url());
  const std::string event = Publish(Secretive()).event_id();
  WaitForState(DeliveryOf(event).id(), v1::DELIVERY_STATE_SUCCEEDED);
  Purge(event);
  const v1::PurgeEventResponse again = Purge(event);
  EXPECT_FALSE(again.payload_erased());
  EXPECT_EQ(again.canceled_delivery_count(), 0);
  EXPECT_EQ(again.erased_response_count(), 0);
}

TEST_F(PurgeEventTest, OpenDeliveriesEndAsExpiredAndARedeliveryIsRefused) {
  receiver_.AlwaysAnswer(Answer{.status = 500});
  v1::Endpoint endpoint = EndpointAt(receiver_.Url());
  *endpoint.add_retry_schedule() = ToProto(absl::Hours(1));
  Create(endpoint);
  const std::string event = Publish(Secretive()).event_id();
  const std::string delivery = DeliveryOf(event).id();
  WaitForAttempts(delivery, 1);
  EXPECT_EQ(Purge(event).canceled_delivery_count(), 1);
  const v1::Delivery ended = GetDelivery(delivery);
  EXPECT_EQ(ended.state(), v1::DELIVERY_STATE_CANCELED);
  EXPECT_EQ(ended.state_reason(), v1::DELIVERY_STATE_REASON_EXPIRED);
  EXPECT_EQ(ended.attempt_count(), 1);
  v1::RedeliverDeliveryRequest request;
  request.set_delivery_id(delivery);
  EXPECT_REFUSED(api().RedeliverDelivery(request).status, StatusCode::FAILED_PRECONDITION);
  EXPECT_TRUE(receiver_.StaysAt(1));
}

TEST_F(PurgeEventTest, AnAttemptUnderWayIsLoggedWithoutItsAnswer) {
  receiver_.AnswerBy([](const ReceivedRequest& r) {
    Answer answer = Echo(r, 200);
    answer.hold = true;
    return answer;
  });
  CreateAt(receiver_.Url());
  const std::string event = Publish(Secretive()).event_id();
  const std::string delivery = DeliveryOf(event).id();
  ASSERT_TRUE(receiver_.WaitForUnanswered(1));
  EXPECT_EQ(Purge(event).canceled_delivery_count(), 1);
  receiver_.Release();
  ASSERT_TRUE(WaitUntil([&] { return AttemptsOf(delivery).size() == 1; }));
  const v1::Attempt attempt = AttemptsOf(delivery)[0];
  EXPECT_EQ(attempt.outcome(), v1::ATTEMPT_OUTCOME_SUCCEEDED);
  EXPECT_EQ(attempt.response_body(), "");
  EXPECT_EQ(attempt.response_headers_size(), 0);
  EXPECT_TRUE(attempt.response_body_truncated());
  EXPECT_EQ(GetDelivery(delivery).state(), v1::DELIVERY_STATE_CANCELED);
  EXPECT_FALSE(Stored());
}

TEST_F(PurgeEventTest, APublishersRetryUnderTheKeyBringsThePayloadNotBack) {
  CreateAt(receiver_.Url());
  const std::string event = Publish(Secretive()).event_id();
  WaitForState(DeliveryOf(event).id(), v1::DELIVERY_STATE_SUCCEEDED);
  Purge(event);
  v1::PublishRequest other = Secretive();
  other.set_data_json(R"({"name":"somebody else"})");
  for (v1::PublishRequest request : {Secretive(), other}) {
    for (const bool dry_run : {true, false}) {
      request.set_validate_only(dry_run);
      const v1::PublishResponse repeated = Publish(request);
      EXPECT_TRUE(repeated.duplicate());
      EXPECT_EQ(repeated.event_id(), event);
    }
  }
  EXPECT_FALSE(Stored());
  EXPECT_TRUE(receiver_.StaysAt(1));
}

TEST_F(PurgeEventTest, OtherEventsKeepWhatTheyHave) {
  const std::string endpoint = CreateAt(receiver_.Url()).id();
  EchoWith(200);
  const std::string purged = PublishEvent();
  v1::PublishRequest request = Event("message.received", R"({"kept":"as it is"})");
  request.set_idempotency_key("kept");
  const std::string kept = Publish(request).event_id();
  ASSERT_TRUE(WaitUntilIdle(endpoint));
  Purge(purged);
  EXPECT_EQ(GetEvent(kept).data_json(), R"({"kept":"as it is"})");
  EXPECT_TRUE(absl::StrContains(AttemptsOf(DeliveryOf(kept).id())[0].response_body(), "as it is"));
  request.set_data_json("{}");
  EXPECT_REFUSED(api().Publish(request).status, StatusCode::ALREADY_EXISTS);
}

TEST_F(PurgeEventTest, AnEventThatIsNotThereIsNotFoundAndNoIdIsRefused) {
  v1::PurgeEventRequest request;
  EXPECT_BAD_FIELDS(api().PurgeEvent(request).status, "event_id");
  request.set_event_id("evt_01ARZ3NDEKTSV4RRFFQ69G5FAV");
  EXPECT_REFUSED(api().PurgeEvent(request).status, StatusCode::NOT_FOUND);
}

}  // namespace
}  // namespace postrider::testing

// SEMANTICS, "The event": BatchPublish is all or nothing.

#include <set>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/support/engine_test.h"
#include "tests/support/expect.h"

namespace postrider::testing {
namespace {

using ::grpc::StatusCode;

class BatchPublishTest : public EngineTest {
 protected:
  v1::PublishRequest* Add(v1::BatchPublishRequest& batch, const std::string& key,
                          absl::string_view data = R"({"n":1})") {
    v1::PublishRequest* item = batch.add_requests();
    *item = Event("message.received", data);
    item->set_idempotency_key(key);
    return item;
  }

  int64_t EventCount() {
    v1::ListEventsRequest request;
    request.set_org_id(org());
    request.set_page_size(1000);
    return api().ListEvents(request)->events_size();
  }
};

TEST_F(BatchPublishTest, AnswersInTheOrderOfTheRequest) {
  v1::BatchPublishRequest batch;
  for (int i = 0; i < 100; ++i) {
    Add(batch, absl::StrCat("k", i), absl::StrCat("{\"n\":", i, "}"));
  }
  const Reply<v1::BatchPublishResponse> reply = api().BatchPublish(batch);
  ASSERT_EQ(reply->responses_size(), 100) << ToText(reply.status);
  for (int i = 0; i < 100; ++i) {
    const v1::Event event = GetEvent(reply->responses(i).event_id());
    EXPECT_EQ(event.data_json(), absl::StrCat("{\"n\":", i, "}"));
  }
}

TEST_F(BatchPublishTest, TakesAThousandEventsAndDeliversEachOnce) {
  CreateAt(receiver_.Url());
  v1::BatchPublishRequest batch;
  for (int i = 0; i < 1000; ++i) *batch.add_requests() = Event();
  const Reply<v1::BatchPublishResponse> reply = api().BatchPublish(batch);
  ASSERT_EQ(reply->responses_size(), 1000) << ToText(reply.status);
  std::set<std::string> ids;
  for (const v1::PublishResponse& response : reply->responses()) {
    EXPECT_EQ(response.delivery_count(), 1);
    ids.insert(response.event_id());
  }
  EXPECT_EQ(ids.size(), 1000u);
  for (const ReceivedRequest& request : receiver_.WaitForRequests(1000)) {
    ids.erase(request.WebhookId());
  }
  EXPECT_TRUE(ids.empty()) << ids.size() << " did not arrive";
  EXPECT_TRUE(receiver_.StaysAt(1000));
}

TEST_F(BatchPublishTest, OneInvalidItemFailsTheBatchAndIsNamed) {
  v1::BatchPublishRequest batch;
  Add(batch, "a");
  Add(batch, "b")->set_type("Bad Type");
  Add(batch, "c")->set_data_json("[]");
  EXPECT_BAD_FIELDS(api().BatchPublish(batch).status, "requests[1].type", "requests[2].data_json");
  EXPECT_EQ(EventCount(), 0);
  // Nor was its key kept.
  EXPECT_FALSE(Publish(batch.requests(0)).duplicate());
}

TEST_F(BatchPublishTest, OneItemThatAlreadyExistsFailsTheBatchAndIsNamed) {
  v1::BatchPublishRequest first;
  Add(first, "taken");
  ASSERT_TRUE(api().BatchPublish(first).ok());
  v1::BatchPublishRequest batch;
  Add(batch, "new");
  Add(batch, "taken", R"({"n":2})");
  const grpc::Status status = api().BatchPublish(batch).status;
  EXPECT_REFUSED(status, StatusCode::ALREADY_EXISTS);
  EXPECT_TRUE(absl::StrContains(status.error_message(), "requests[1]")) << ToText(status);
  EXPECT_EQ(EventCount(), 1);
}

TEST_F(BatchPublishTest, AnItemStoredBeforeIsADuplicateAndTheBatchGoesOn) {
  v1::BatchPublishRequest first;
  Add(first, "a");
  const Reply<v1::BatchPublishResponse> before = api().BatchPublish(first);
  v1::BatchPublishRequest batch;
  Add(batch, "b");
  Add(batch, "a");
  Add(batch, "c");
  const Reply<v1::BatchPublishResponse> reply = api().BatchPublish(batch);
  ASSERT_EQ(reply->responses_size(), 3) << ToText(reply.status);
  EXPECT_FALSE(reply->responses(0).duplicate());
  EXPECT_TRUE(reply->responses(1).duplicate());
  EXPECT_EQ(reply->responses(1).event_id(), before->responses(0).event_id());
  EXPECT_FALSE(reply->responses(2).duplicate());
  EXPECT_EQ(EventCount(), 3);
}

TEST_F(BatchPublishTest, AKeyRepeatedInTheBatchIsADuplicateOfItsFirstOccurrence) {
  CreateAt(receiver_.Url());
  v1::BatchPublishRequest batch;
  Add(batch, "a");
  Add(batch, "b");
  Add(batch, "a");
  const Reply<v1::BatchPublishResponse> reply = api().BatchPublish(batch);
  ASSERT_EQ(reply->responses_size(), 3) << ToText(reply.status);
  EXPECT_FALSE(reply->responses(0).duplicate());
  EXPECT_TRUE(reply->responses(2).duplicate());
  EXPECT_EQ(reply->responses(2).event_id(), reply->responses(0).event_id());
  EXPECT_EQ(reply->responses(2).delivery_count(), 1);
  EXPECT_EQ(receiver_.WaitForRequests(2).size(), 2u);
  EXPECT_TRUE(receiver_.StaysAt(2));
}

TEST_F(BatchPublishTest, AKeyRepeatedInTheBatchWithOtherContentAlreadyExists) {
  v1::BatchPublishRequest batch;
  Add(batch, "a");
  Add(batch, "b");
  Add(batch, "a", R"({"n":2})");
  const grpc::Status status = api().BatchPublish(batch).status;
  EXPECT_REFUSED(status, StatusCode::ALREADY_EXISTS);
  EXPECT_TRUE(absl::StrContains(status.error_message(), "requests[2]")) << ToText(status);
  EXPECT_EQ(EventCount(), 0);
}

TEST_F(BatchPublishTest, MayHoldEventsOfSeveralOrgs) {
  v1::BatchPublishRequest batch;
  Add(batch, "a");
  Add(batch, "a")->set_org_id(org() + "_2");
  const Reply<v1::BatchPublishResponse> reply = api().BatchPublish(batch);
  ASSERT_EQ(reply->responses_size(), 2) << ToText(reply.status);
  EXPECT_FALSE(reply->responses(1).duplicate());
  EXPECT_EQ(GetEvent(reply->responses(1).event_id()).org_id(), org() + "_2");
}

TEST_F(BatchPublishTest, ADryRunStoresNothing) {
  const CreatedEndpoint endpoint = CreateAt(receiver_.Url());
  v1::BatchPublishRequest batch;
  Add(batch, "a")->set_validate_only(true);
  Add(batch, "b")->set_validate_only(true);
  const Reply<v1::BatchPublishResponse> reply = api().BatchPublish(batch);
  ASSERT_EQ(reply->responses_size(), 2) << ToText(reply.status);
  for (const v1::PublishResponse& response : reply->responses()) {
    EXPECT_EQ(response.event_id(), "");
    ASSERT_EQ(response.matched_endpoint_ids_size(), 1);
    EXPECT_EQ(response.matched_endpoint_ids(0), endpoint.id());
  }
  EXPECT_EQ(EventCount(), 0);
  EXPECT_TRUE(receiver_.StaysAt(0));
}

}  // namespace
}  // namespace postrider::testing

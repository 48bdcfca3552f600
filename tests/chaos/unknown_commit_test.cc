// A connection that breaks around a commit: the answer is never OK and never "not stored", and the
// same key, sent again, gives one event.

#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/chaos/proxied_test.h"

namespace postrider::testing {
namespace {

using ::grpc::StatusCode;
using Moment = DatabaseProxy::Moment;

// A lease lasts 30 s: what waits for its end is late.
constexpr absl::Duration kFlowsWithin = absl::Seconds(5);

std::string NameOf(const ::testing::TestParamInfo<Moment>& moment) {
  switch (moment.param) {
    case Moment::kBeforeStatement:
      return "BeforeStatement";
    case Moment::kWithStatement:
      return "WithStatement";
    case Moment::kBeforeAnswer:
      return "BeforeAnswer";
  }
  return "";
}

class UnknownCommitTest : public ProxiedTest, public ::testing::WithParamInterface<Moment> {
 protected:
  std::string CountOf(const std::string& table) {
    return database().Value(absl::StrCat("SELECT count(*) FROM ", table));
  }
};
INSTANTIATE_TEST_SUITE_P(At, UnknownCommitTest,
                         ::testing::Values(Moment::kBeforeStatement, Moment::kWithStatement,
                                           Moment::kBeforeAnswer),
                         NameOf);

TEST_P(UnknownCommitTest, PublishIsUnavailableAndTheSameKeyGivesOneEvent) {
  ServerProcess* const server = StartProxied();
  ASSERT_NE(server, nullptr);
  Caller caller(server->api());
  const std::string endpoint = caller.CreateAt(receiver_.Url()).id();
  caller.PublishEvent();  // Statements are prepared now.
  ASSERT_TRUE(caller.WaitUntilIdle(endpoint));

  v1::PublishRequest request = caller.Event();
  request.set_idempotency_key("order-1");
  proxy_.CutAt("accept_store", GetParam(), 1);
  const grpc::Status cut = server->api().Publish(request).status;
  EXPECT_EQ(proxy_.cuts(), 1);
  EXPECT_EQ(cut.error_code(), StatusCode::UNAVAILABLE) << ToText(cut);
  const bool stored = CountOf("events") == "2";
  if (GetParam() != Moment::kWithStatement) {
    EXPECT_EQ(stored, GetParam() == Moment::kBeforeAnswer);
  }

  const v1::PublishResponse again = caller.Publish(request);
  if (GetParam() != Moment::kWithStatement) {
    EXPECT_EQ(again.duplicate(), stored);
  }
  EXPECT_EQ(caller.Publish(request).event_id(), again.event_id());
  EXPECT_EQ(CountOf("events"), "2");
  EXPECT_EQ(CountOf("(SELECT FROM open_deliveries UNION ALL SELECT FROM closed_deliveries) AS x"),
            "2");
  // What was stored and not told is leased to a node that does not know it, and gives it back.
  EXPECT_TRUE(caller.WaitUntilIdle(endpoint, kFlowsWithin));
  EXPECT_EQ(receiver_.Requests().size(), 2u);
  EXPECT_EQ(CountOf("closed_deliveries WHERE state = 3"), "2");
  EXPECT_EQ(CountOf("attempts WHERE outcome = 8"), "0");
}

TEST_P(UnknownCommitTest, ABatchIsUnavailableAndTheSameKeysGiveItOnce) {
  ServerProcess* const server = StartProxied();
  ASSERT_NE(server, nullptr);
  Caller caller(server->api());
  caller.PublishEvent();
  v1::BatchPublishRequest request;
  for (int i = 0; i < 20; ++i) {
    *request.add_requests() = caller.Event();
    request.mutable_requests(i)->set_idempotency_key(absl::StrCat("order-", i));
  }
  proxy_.CutAt("accept_store", GetParam(), 1);
  const grpc::Status cut = server->api().BatchPublish(request).status;
  EXPECT_EQ(cut.error_code(), StatusCode::UNAVAILABLE) << ToText(cut);
  const Reply<v1::BatchPublishResponse> again = server->api().BatchPublish(request);
  ASSERT_TRUE(again.ok()) << ToText(again.status);
  EXPECT_EQ(again->responses_size(), 20);
  EXPECT_EQ(CountOf("events"), "21");
}

TEST_P(UnknownCommitTest, AnOutcomeIsRecordedOnce) {
  ServerProcess* const server = StartProxied({"--retry-schedule", "1s"});
  ASSERT_NE(server, nullptr);
  Caller caller(server->api());
  const std::string endpoint = caller.CreateAt(receiver_.Url()).id();
  caller.PublishEvent();
  ASSERT_TRUE(caller.WaitUntilIdle(endpoint));
  receiver_.AnswerInTurn({Answer{.status = 500}, Answer{}});
  proxy_.CutAt("record", GetParam(), 1);
  const std::string delivery = caller.DeliveryOf(caller.PublishEvent()).id();
  ASSERT_TRUE(proxy_.WaitForCuts(1));
  caller.WaitForAttempts(delivery, 1);
  proxy_.CutAt("record", GetParam(), 1);
  ASSERT_TRUE(proxy_.WaitForCuts(2));
  caller.WaitForState(delivery, v1::DELIVERY_STATE_SUCCEEDED);
  const std::vector<v1::Attempt> attempts = caller.AttemptsOf(delivery);
  ASSERT_EQ(attempts.size(), 2u);
  EXPECT_EQ(attempts[0].outcome(), v1::ATTEMPT_OUTCOME_HTTP_STATUS);
  EXPECT_EQ(attempts[1].outcome(), v1::ATTEMPT_OUTCOME_SUCCEEDED);
  EXPECT_EQ(receiver_.Requests().size(), 3u);
  EXPECT_EQ(caller.GetEndpoint(endpoint).consecutive_failures(), 0);
}

TEST_P(UnknownCommitTest, AnEndpointIsMadeOnceUnderItsRequestId) {
  ServerProcess* const server = StartProxied();
  ASSERT_NE(server, nullptr);
  Caller caller(server->api());
  v1::CreateEndpointRequest request;
  *request.mutable_endpoint() = caller.EndpointAt(receiver_.Url());
  request.set_request_id("make-1");
  proxy_.CutAt("COMMIT", GetParam(), 1);
  const grpc::Status cut = server->api().CreateEndpoint(request).status;
  EXPECT_EQ(proxy_.cuts(), 1);
  EXPECT_EQ(cut.error_code(), StatusCode::UNAVAILABLE) << ToText(cut);
  const Reply<v1::CreateEndpointResponse> made = server->api().CreateEndpoint(request);
  ASSERT_TRUE(made.ok()) << ToText(made.status);
  EXPECT_EQ(CountOf("endpoints"), "1");
  // The secret that it is answered with is the one that signs.
  caller.PublishEvent();
  const std::vector<ReceivedRequest> requests = receiver_.WaitForRequests(1);
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_TRUE(VerifySignature(requests[0], {made->secret()}).ok());
}

class StandbyWaitTest : public ::testing::Test {};

TEST_F(StandbyWaitTest, ACommitWhoseWaitForTheStandbyWasCanceledIsUnavailable) {
  absl::StatusOr<std::unique_ptr<TestCluster>> cluster = TestCluster::Start();
  ASSERT_TRUE(cluster.ok()) << cluster.status();
  const std::unique_ptr<TestDatabase> database = (*cluster)->NewDatabase();
  ServerProcess::Options options;
  options.database = database->conninfo();
  absl::StatusOr<std::unique_ptr<ServerProcess>> server = ServerProcess::Start(options);
  ASSERT_TRUE(server.ok()) << server.status();
  Caller caller((*server)->api());
  caller.PublishEvent();
  v1::PublishRequest request = caller.Event();
  request.set_idempotency_key("order-1");
  // A standby that never comes.
  database->Query("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
  database->Query("SELECT pg_reload_conf()");
  ASSERT_TRUE(
      WaitUntil([&] { return database->Value("SHOW synchronous_standby_names") == "nobody"; }));
  grpc::Status status;
  std::thread publisher([&] { status = (*server)->api().Publish(request).status; });
  // Reading waits for no standby.
  EXPECT_TRUE(WaitUntil([&] {
    return database->Value(
               "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = "
               "'SyncRep' AND query LIKE '-- The second half of a group commit%'") != "0";
  }));
  publisher.join();
  EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE) << ToText(status);
  database->Query("ALTER SYSTEM RESET synchronous_standby_names");
  database->Query("SELECT pg_reload_conf()");
  EXPECT_TRUE(WaitUntil([&] { return (*server)->api().Publish(request).ok(); }));
  EXPECT_TRUE(caller.Publish(request).duplicate());
  EXPECT_EQ(database->Value("SELECT count(*) FROM events"), "2");
}

}  // namespace
}  // namespace postrider::testing

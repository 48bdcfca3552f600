// Several servers on one database: every delivery ends, whatever happens to a server.

#include <signal.h>

#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/support/engine_test.h"
#include "tests/support/expect.h"
#include "tests/support/wait.h"

namespace postrider::testing {
namespace {

class ClusterTest : public OwnServersTest {
 protected:
  static std::set<std::string> Arrived(const std::vector<ReceivedRequest>& requests) {
    std::set<std::string> ids;
    for (const ReceivedRequest& request : requests) ids.insert(request.WebhookId());
    return ids;
  }
};

TEST_F(ClusterTest, TwoServersDeliverEveryEventOnceAndFinish) {
  constexpr int kThreads = 4;
  constexpr int kEach = 100;
  ServerProcess* const first = StartServer();
  ServerProcess* const second = StartServer();
  ASSERT_TRUE(first != nullptr && second != nullptr);
  Caller caller(first->api());
  const std::string endpoint = caller.CreateAt(receiver_.Url()).id();
  std::vector<std::set<std::string>> published(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      Caller own(t % 2 == 0 ? first->api() : second->api(), caller.org());
      for (int i = 0; i < kEach; ++i) published[t].insert(own.PublishEvent());
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<std::string> all;
  for (const std::set<std::string>& some : published) all.insert(some.begin(), some.end());
  ASSERT_EQ(receiver_.WaitForRequests(all.size()).size(), all.size());
  ASSERT_TRUE(caller.WaitUntilIdle(endpoint));
  // At least once is the promise; with nothing going wrong it is once.
  EXPECT_TRUE(receiver_.StaysAt(all.size()));
  EXPECT_EQ(Arrived(receiver_.Requests()), all);
  EXPECT_EQ(database().Value("SELECT count(*) FROM closed_deliveries WHERE state = 3"),
            absl::StrCat(all.size()));
}

TEST_F(ClusterTest, ARetryIsMadeByWhicheverServerLives) {
  ServerProcess* const first = StartServer({"--retry-schedule", "2s"});
  ServerProcess* const second = StartServer({"--retry-schedule", "2s"});
  ASSERT_TRUE(first != nullptr && second != nullptr);
  receiver_.AnswerInTurn({Answer{.status = 500}, Answer{}});
  Caller caller(first->api());
  caller.CreateAt(receiver_.Url());
  const std::string delivery = caller.DeliveryOf(caller.PublishEvent()).id();
  caller.WaitForAttempts(delivery, 1);
  EXPECT_EQ(first->Terminate(), 0);
  caller.Use(second->api());
  caller.WaitForState(delivery, v1::DELIVERY_STATE_SUCCEEDED);
  EXPECT_EQ(receiver_.Requests().size(), 2u);
}

TEST_F(ClusterTest, AnAttemptThatDiedWithItsServerIsAbandonedAndTheNextHasTheNextNumber) {
  ServerProcess* const first = StartServer({"--retry-schedule", "1s"});
  ServerProcess* const second = StartServer({"--retry-schedule", "1s"});
  ASSERT_TRUE(first != nullptr && second != nullptr);
  receiver_.AnswerInTurn({Answer{.hold = true}, Answer{.status = 500}, Answer{}});
  Caller caller(first->api());
  const std::string endpoint = caller.CreateAt(receiver_.Url()).id();
  const std::string delivery = caller.DeliveryOf(caller.PublishEvent()).id();
  ASSERT_TRUE(receiver_.WaitForUnanswered(1));
  first->Kill();
  caller.Use(second->api());
  const absl::Time killed = absl::Now();
  // A node is dead after 8 s without a heartbeat.
  caller.WaitForState(delivery, v1::DELIVERY_STATE_SUCCEEDED, absl::Seconds(40));
  EXPECT_GE(receiver_.Requests()[1].time - killed, absl::Seconds(5));
  const std::vector<v1::Attempt> attempts = caller.AttemptsOf(delivery);
  ASSERT_EQ(attempts.size(), 3u);
  EXPECT_EQ(attempts[0].outcome(), v1::ATTEMPT_OUTCOME_ABANDONED);
  EXPECT_FALSE(attempts[0].has_duration());
  EXPECT_EQ(attempts[1].outcome(), v1::ATTEMPT_OUTCOME_HTTP_STATUS);
  EXPECT_EQ(attempts[2].outcome(), v1::ATTEMPT_OUTCOME_SUCCEEDED);  // It used up no retry.
  for (int i = 0; i < 3; ++i) EXPECT_EQ(attempts[i].number(), i + 1);
  const std::vector<ReceivedRequest> requests = receiver_.Requests();
  ASSERT_EQ(requests.size(), 3u);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(requests[i].AttemptNumber(), i + 1);
  // It neither counted nor reset: one failure, then a success.
  EXPECT_EQ(caller.GetEndpoint(endpoint).consecutive_failures(), 0);
}

TEST_F(ClusterTest, ALateOutcomeCompletesTheAbandonedAttemptAndASuccessEndsTheDelivery) {
  // The first server stops for longer than others take it for alive, and then goes on.
  const std::vector<std::string> flags = {"--retry-schedule", "24h", "--attempt-timeout", "40s",
                                          "--lease-duration", "60s"};
  ServerProcess* const first = StartServer(flags);
  ServerProcess* const second = StartServer(flags);
  ASSERT_TRUE(first != nullptr && second != nullptr);
  receiver_.AnswerInTurn({Answer{.hold = true}, Answer{.status = 500}});
  Caller caller(first->api());
  caller.CreateAt(receiver_.Url());
  const std::string delivery = caller.DeliveryOf(caller.PublishEvent()).id();
  ASSERT_TRUE(receiver_.WaitForUnanswered(1));
  first->program().Stop();
  caller.Use(second->api());
  // The other server takes over, and its own attempt fails.
  EXPECT_EQ(caller.WaitForAttempts(delivery, 2, absl::Seconds(30)).state(),
            v1::DELIVERY_STATE_PENDING);
  EXPECT_EQ(caller.AttemptsOf(delivery)[0].outcome(), v1::ATTEMPT_OUTCOME_ABANDONED);
  receiver_.Release();
  first->program().Signal(SIGCONT);
  caller.WaitForState(delivery, v1::DELIVERY_STATE_SUCCEEDED);
  const std::vector<v1::Attempt> attempts = caller.AttemptsOf(delivery);
  ASSERT_EQ(attempts.size(), 2u);
  EXPECT_EQ(attempts[0].outcome(), v1::ATTEMPT_OUTCOME_SUCCEEDED);
  EXPECT_EQ(attempts[0].number(), 1);
  EXPECT_EQ(attempts[0].http_status(), 200);
  EXPECT_EQ(attempts[1].outcome(), v1::ATTEMPT_OUTCOME_HTTP_STATUS);
  EXPECT_TRUE(receiver_.StaysAt(2));
}

TEST_F(ClusterTest, AChangeByOneServerHoldsForAttemptsOfTheOtherAfterASecond) {
  ServerProcess* const first = StartServer();
  ServerProcess* const second = StartServer();
  ASSERT_TRUE(first != nullptr && second != nullptr);
  Caller one(first->api());
  Caller two(second->api(), one.org());
  v1::Endpoint endpoint = one.CreateAt(receiver_.Url("/old")).endpoint;
  two.PublishEvent();  // The other server knows the endpoint now.
  ASSERT_EQ(receiver_.WaitForRequests(1).size(), 1u);
  endpoint.set_url(receiver_.Url("/new"));
  one.Update(endpoint, {"url"});
  LetChangeHold();
  two.PublishEvent();
  ASSERT_EQ(receiver_.WaitForRequests(2).size(), 2u);
  EXPECT_EQ(receiver_.Requests()[1].target, "/new");
  const std::string secret = one.Rotate(endpoint.id(), absl::ZeroDuration());
  LetChangeHold();
  two.PublishEvent();
  ASSERT_EQ(receiver_.WaitForRequests(3).size(), 3u);
  EXPECT_TRUE(VerifySignature(receiver_.Requests()[2], {secret}).ok());
}

TEST_F(ClusterTest, ADisablingByOneServerHoldsForTheRetriesOfTheOther) {
  ServerProcess* const first = StartServer({"--retry-schedule", "1500ms"});
  ServerProcess* const second = StartServer({"--retry-schedule", "1500ms"});
  ASSERT_TRUE(first != nullptr && second != nullptr);
  receiver_.AlwaysAnswer(Answer{.status = 500});
  Caller one(first->api());
  Caller two(second->api(), one.org());
  const std::string endpoint = one.CreateAt(receiver_.Url()).id();
  const std::string delivery = two.DeliveryOf(two.PublishEvent()).id();
  two.WaitForAttempts(delivery, 1);
  one.Disable(endpoint);
  EXPECT_TRUE(receiver_.StaysAt(1, absl::Seconds(3)));
  EXPECT_EQ(two.GetDelivery(delivery).state_reason(), v1::DELIVERY_STATE_REASON_ENDPOINT_DISABLED);
}

TEST_F(ClusterTest, TheDataFolderIsHeldByOneServer) {
  ServerProcess* const first = StartServer();
  ASSERT_NE(first, nullptr);
  ServerProcess::Options options;
  options.database = database().conninfo();
  options.data_dir = first->options().data_dir;
  const absl::StatusOr<std::unique_ptr<ServerProcess>> second = ServerProcess::Start(options);
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.status().message().find("ended with 1"), std::string::npos) << second.status();
}

TEST_F(ClusterTest, AServerThatWasForgottenAfterALongSilenceComesBack) {
  ServerProcess* const server = StartServer();
  ASSERT_TRUE(server != nullptr);
  Caller caller(server->api());
  caller.CreateAt(receiver_.Url());
  const std::string before = database().Value("SELECT node_no || ' ' || epoch FROM nodes");
  database().Query("DELETE FROM nodes");
  ASSERT_TRUE(WaitUntil([&] { return database().Value("SELECT count(*) FROM nodes") == "1"; }));
  EXPECT_EQ(database().Value("SELECT node_no || ' ' || epoch FROM nodes"), before);
  caller.WaitForState(caller.DeliveryOf(caller.PublishEvent()).id(), v1::DELIVERY_STATE_SUCCEEDED);
}

TEST_F(ClusterTest, AServerWhoseNodeIdAnotherOneTookStartsNothingMore) {
  ServerProcess* const server = StartServer();
  ASSERT_TRUE(server != nullptr);
  database().Query(
      "WITH gone AS (DELETE FROM nodes RETURNING node_id, epoch) "
      "INSERT INTO nodes (node_id, epoch) SELECT node_id, epoch + 1 FROM gone");
  EXPECT_TRUE(WaitUntil([&] {
    return server->Log().find("another server runs under the node id") != std::string::npos;
  }));
}

}  // namespace
}  // namespace postrider::testing

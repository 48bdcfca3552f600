// "kill -9 of the server at any moment and a restart lose nothing that was acknowledged", draining,
// and the private PostgreSQL.

#include <signal.h>

#include <atomic>
#include <functional>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/support/engine_test.h"
#include "tests/support/health.h"

namespace postrider::testing {
namespace {

std::set<std::string> Arrived(const std::vector<ReceivedRequest>& requests) {
  std::set<std::string> ids;
  for (const ReceivedRequest& request : requests) ids.insert(request.WebhookId());
  return ids;
}

class RestartTest : public OwnServersTest {
 protected:
  // The same server again: its database and its data folder.
  ServerProcess* StartAgain(const ServerProcess& earlier) {
    return StartServerWith(earlier.options());
  }
  static bool IsDraining(const ServerProcess& server) {
    return absl::StrContains(server.Log(), "\"draining\"");
  }
  void ExpectNothingLost(const std::function<void(ServerProcess&)>& end);
};

// Ends the server in the middle of publishing, again and again.
void RestartTest::ExpectNothingLost(const std::function<void(ServerProcess&)>& end) {
  constexpr int kRounds = 4;
  constexpr int kThreads = 4;
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  ServerProcess* server = StartServer({"--retry-schedule", "1s,1s"});
  ASSERT_NE(server, nullptr);
  Caller caller(server->api());
  // Some answers take a while, so that attempts of every age are under way.
  receiver_.AnswerBy([](const ReceivedRequest& request) {
    return Answer{.delay = absl::Milliseconds(request.body.size() % 40)};
  });
  const std::string endpoint = caller.CreateAt(receiver_.Url()).id();
  std::set<std::string> acknowledged;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<std::set<std::string>> ids(kThreads);
    std::atomic<int> count{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0;; ++i) {
          const Reply<v1::PublishResponse> reply = server->api().Publish(
              caller.Event("a.b", absl::StrCat("{\"x\":\"", std::string(i % 50, 'x'), "\"}")));
          if (!reply.ok()) return;
          ids[t].insert(reply->event_id());
          ++count;
        }
      });
    }
    const int kill_at = std::uniform_int_distribution<int>(20, 400)(random);
    EXPECT_TRUE(WaitUntil([&] { return count >= kill_at; }));
    end(*server);
    for (std::thread& thread : threads) thread.join();
    for (const std::set<std::string>& some : ids) acknowledged.insert(some.begin(), some.end());
    server = StartAgain(*server);
    ASSERT_NE(server, nullptr);
    caller.Use(server->api());
  }
  EXPECT_TRUE(receiver_.WaitFor(
      [&](const std::vector<ReceivedRequest>& requests) {
        const std::set<std::string> arrived = Arrived(requests);
        return std::includes(arrived.begin(), arrived.end(), acknowledged.begin(),
                             acknowledged.end());
      },
      absl::Seconds(60)));
  EXPECT_TRUE(caller.WaitUntilIdle(endpoint, absl::Seconds(60)));
  // What an error left open may have been stored; nothing is stored twice or in part.
  EXPECT_EQ(database().Value("SELECT count(*) FROM events WHERE delivery_count <> 1"), "0");
  EXPECT_EQ(database().Value("SELECT count(*) FROM open_deliveries"), "0");
  EXPECT_EQ(database().Value("SELECT count(*) - count(DISTINCT event_id) FROM closed_deliveries"),
            "0");
  EXPECT_EQ(database().Value("SELECT count(*) FROM events"),
            database().Value("SELECT count(*) FROM closed_deliveries WHERE state = 3"));
  // Attempts are numbered without holes, also over deaths.
  EXPECT_EQ(database().Value("SELECT count(*) FROM (SELECT FROM attempts GROUP BY delivery_id "
                             "HAVING max(number) <> count(*) OR min(number) <> 1) AS x"),
            "0");
}

TEST_F(RestartTest, KillInTheMiddleOfPublishingLosesNothingThatWasAcknowledged) {
  ExpectNothingLost([](ServerProcess& server) { server.Kill(); });
}

TEST_F(RestartTest, KillInTheMiddleOfADrainLosesNothingEither) {
  bool at_once = false;
  ExpectNothingLost([&](ServerProcess& server) {
    server.program().Signal(SIGTERM);
    at_once = !at_once;
    if (!at_once) {
      EXPECT_TRUE(WaitUntil([&] { return IsDraining(server); }));
    }
    server.Kill();
  });
}

TEST_F(RestartTest, TheSameServerTakesItsDeliveriesBackAtOnce) {
  ServerProcess* const first = StartServer({"--retry-schedule", "1s"});
  ASSERT_NE(first, nullptr);
  receiver_.AnswerInTurn({Answer{.hold = true}, Answer{}});
  Caller caller(first->api());
  caller.CreateAt(receiver_.Url());
  const std::string delivery = caller.DeliveryOf(caller.PublishEvent()).id();
  ASSERT_TRUE(receiver_.WaitForUnanswered(1));
  first->Kill();
  ServerProcess* const second = StartAgain(*first);
  ASSERT_NE(second, nullptr);
  const absl::Time ready = absl::Now();
  caller.Use(second->api());
  caller.WaitForState(delivery, v1::DELIVERY_STATE_SUCCEEDED);
  // Not only after 8 s, as for another server.
  EXPECT_LT(receiver_.Requests().back().time - ready, absl::Seconds(3));
  const std::vector<v1::Attempt> attempts = caller.AttemptsOf(delivery);
  ASSERT_EQ(attempts.size(), 2u);
  EXPECT_EQ(attempts[0].outcome(), v1::ATTEMPT_OUTCOME_ABANDONED);
  EXPECT_NE(attempts[0].error(), "");
  EXPECT_EQ(attempts[1].number(), 2);
}

TEST_F(RestartTest, ARetryThatWasPlannedIsKept) {
  ServerProcess* const first = StartServer({"--retry-schedule", "2s"});
  ASSERT_NE(first, nullptr);
  receiver_.AnswerInTurn({Answer{.status = 500}, Answer{}});
  Caller caller(first->api());
  caller.CreateAt(receiver_.Url());
  const std::string id = caller.DeliveryOf(caller.PublishEvent()).id();
  const v1::Delivery waiting = caller.WaitForAttempts(id, 1);
  first->Kill();
  ServerProcess* const second = StartAgain(*first);
  ASSERT_NE(second, nullptr);
  caller.Use(second->api());
  EXPECT_EQ(receiver_.WaitForRequests(2).size(), 2u);
  EXPECT_GE(receiver_.Requests()[1].time, ToTime(waiting.next_attempt_time()));
  EXPECT_EQ(receiver_.Requests()[1].AttemptNumber(), 2);
}

TEST_F(RestartTest, ADrainLetsAttemptsEndAndExitsWithZero) {
  ServerProcess* const server = StartServer();
  ASSERT_NE(server, nullptr);
  receiver_.AlwaysAnswer(Answer{.delay = absl::Milliseconds(700)});
  Caller caller(server->api());
  caller.CreateAt(receiver_.Url());
  for (int i = 0; i < 5; ++i) caller.PublishEvent();
  ASSERT_TRUE(receiver_.WaitForUnanswered(5));
  EXPECT_EQ(server->Terminate(), 0);
  EXPECT_EQ(database().Value("SELECT count(*) FROM closed_deliveries WHERE state = 3"), "5");
  EXPECT_EQ(database().Value("SELECT count(*) FROM attempts WHERE outcome = 1"), "5");
}

TEST_F(RestartTest, ADrainIsShownToProbes) {
  ServerProcess* const server = StartServer();
  ASSERT_NE(server, nullptr);
  receiver_.AlwaysAnswer(Answer{.hold = true});
  Caller caller(server->api());
  caller.CreateAt(receiver_.Url());
  caller.PublishEvent();
  ASSERT_TRUE(receiver_.WaitForUnanswered(1));
  server->program().Signal(SIGTERM);
  EXPECT_TRUE(WaitUntil([&] {
    return absl::StartsWith(HttpGet(server->http_address(), "/readyz"), "HTTP/1.1 503");
  }));
  EXPECT_NE(HealthOf(server->api()), Health::kServing);
  receiver_.Release();
  EXPECT_EQ(server->program().WaitForExit(kPatience), 0);
}

TEST_F(RestartTest, ADrainDoesNotWaitLongerThanItsTimeout) {
  ServerProcess* const server = StartServer({"--drain-timeout", "1s"});
  ASSERT_NE(server, nullptr);
  receiver_.AlwaysAnswer(Answer{.hold = true});
  Caller caller(server->api());
  caller.CreateAt(receiver_.Url());
  caller.PublishEvent();
  ASSERT_TRUE(receiver_.WaitForUnanswered(1));
  const absl::Time start = absl::Now();
  EXPECT_TRUE(server->Terminate().has_value());
  EXPECT_LT(absl::Now() - start, absl::Seconds(6));
}

TEST_F(RestartTest, ASecondSignalEndsTheWaitOfTheDrainAndNothingIsLost) {
  ServerProcess* const server = StartServer({"--drain-timeout", "60s", "--attempt-timeout", "15s"});
  ASSERT_NE(server, nullptr);
  receiver_.AnswerInTurn({Answer{.hold = true}, Answer{}});
  Caller caller(server->api());
  caller.CreateAt(receiver_.Url());
  const std::string delivery = caller.DeliveryOf(caller.PublishEvent()).id();
  ASSERT_TRUE(receiver_.WaitForUnanswered(1));
  server->program().Signal(SIGTERM);
  ASSERT_TRUE(WaitUntil([&] { return IsDraining(*server); }));
  EXPECT_EQ(server->program().WaitForExit(absl::Seconds(1)), std::nullopt);  // It waits.
  const absl::Time hurried = absl::Now();
  server->program().Signal(SIGTERM);
  EXPECT_EQ(server->program().WaitForExit(kPatience), 0);
  EXPECT_LT(absl::Now() - hurried, absl::Seconds(5));
  // What was in flight may have been received, which the log says, and goes on at once.
  ServerProcess* const next = StartAgain(*server);
  ASSERT_NE(next, nullptr);
  caller.Use(next->api());
  caller.WaitForState(delivery, v1::DELIVERY_STATE_SUCCEEDED);
  const std::vector<v1::Attempt> attempts = caller.AttemptsOf(delivery);
  ASSERT_EQ(attempts.size(), 2u);
  EXPECT_EQ(attempts[0].outcome(), v1::ATTEMPT_OUTCOME_ABANDONED);
}

TEST_F(RestartTest, AFailureAtStartExitsWithOneAndAReason) {
  ServerProcess::Options options;
  options.database = "host=/nonexistent dbname=nothing connect_timeout=2";
  absl::StatusOr<std::unique_ptr<ServerProcess>> server = ServerProcess::Start(options);
  ASSERT_FALSE(server.ok());
  EXPECT_TRUE(absl::StrContains(server.status().message(), "ended with 1")) << server.status();
  options.database = database().conninfo();
  options.flags = {"--retry-schedule", "soon"};
  server = ServerProcess::Start(options);
  ASSERT_FALSE(server.ok());
  EXPECT_TRUE(absl::StrContains(server.status().message(), "ended with 1")) << server.status();
  EXPECT_TRUE(absl::StrContains(server.status().message(), "retry-schedule")) << server.status();
}

class PrivatePostgresTest : public ::testing::Test {
 protected:
  ServerProcess* Start(const std::string& data_dir = "") {
    ServerProcess::Options options;
    options.data_dir = data_dir;
    absl::StatusOr<std::unique_ptr<ServerProcess>> server = ServerProcess::Start(options);
    if (!server.ok()) {
      ADD_FAILURE() << server.status();
      return nullptr;
    }
    servers_.push_back(*std::move(server));
    return servers_.back().get();
  }

  std::vector<std::unique_ptr<ServerProcess>> servers_;
  Receiver receiver_;
};

TEST_F(PrivatePostgresTest, ServesWithoutADatabaseGivenAndFindsItsDataAgain) {
  ServerProcess* const first = Start();
  ASSERT_NE(first, nullptr);
  Caller caller(first->api());
  const CreatedEndpoint endpoint = caller.CreateAt(receiver_.Url());
  const std::string event = caller.PublishEvent();
  ASSERT_EQ(receiver_.WaitForRequests(1).size(), 1u);
  EXPECT_EQ(first->Terminate(), 0);
  ServerProcess* const second = Start(first->options().data_dir);
  ASSERT_NE(second, nullptr);
  caller.Use(second->api());
  EXPECT_EQ(caller.GetEvent(event).id(), event);
  EXPECT_EQ(caller.GetEndpoint(endpoint.id()).etag(), endpoint.endpoint.etag());
  // The secret can be opened again: the master key stayed too.
  caller.PublishEvent();
  const std::vector<ReceivedRequest> requests = receiver_.WaitForRequests(2);
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_TRUE(VerifySignature(requests[1], {endpoint.secret}).ok());
  EXPECT_EQ(second->Terminate(), 0);
}

TEST_F(PrivatePostgresTest, SurvivesAKillOfTheServerAndIsTakenOver) {
  ServerProcess* server = Start();
  ASSERT_NE(server, nullptr);
  Caller caller(server->api());
  caller.CreateAt(receiver_.Url());
  std::set<std::string> events;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 20; ++i) events.insert(caller.PublishEvent());
    server->Kill();
    server = Start(server->options().data_dir);
    ASSERT_NE(server, nullptr);
    caller.Use(server->api());
  }
  events.insert(caller.PublishEvent());
  EXPECT_TRUE(receiver_.WaitFor(
      [&](const std::vector<ReceivedRequest>& requests) { return Arrived(requests) == events; }));
  EXPECT_EQ(server->Terminate(), 0);
}

}  // namespace
}  // namespace postrider::testing

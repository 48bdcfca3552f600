// More than there is room for: publishers at several times what a server can do, receivers that are
// down, and restarts in good order under load.

#include <signal.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/chaos/proxied_test.h"
#include "tests/support/sanitized.h"

namespace postrider::testing {
namespace {

using ::grpc::StatusCode;

constexpr int64_t kMebibyte = 1024 * 1024;

class LoadTest : public ProxiedTest {
 protected:
  std::set<std::string> Arrived() const {
    std::set<std::string> ids;
    for (const ReceivedRequest& request : receiver_.Requests()) ids.insert(request.WebhookId());
    return ids;
  }
};

TEST_F(LoadTest, OverloadIsRefusedWithAWaitAndWhatWasAcceptedArrives) {
  // A database that takes its time makes the server's limit low, so that few callers are too many.
  constexpr int kCallers = 48;
  constexpr int kEventsOfACall = 500;
  ServerProcess* const server = StartProxied({"--retry-schedule", "1s,1s"});
  ASSERT_NE(server, nullptr);
  Caller caller(server->api());
  v1::Endpoint endpoint = caller.EndpointAt(receiver_.Url());
  endpoint.add_events("wanted");
  const std::string endpoint_id = caller.Create(endpoint).id();
  caller.PublishEvent();
  proxy_.Delay(absl::Milliseconds(40));

  std::atomic<bool> stop{false};
  std::atomic<int> refused{0};
  std::vector<std::set<std::string>> accepted(kCallers);
  std::vector<std::thread> threads;
  for (int t = 0; t < kCallers; ++t) {
    threads.emplace_back([&, t] {
      v1::BatchPublishRequest batch;
      for (int i = 0; i < kEventsOfACall; ++i) {
        *batch.add_requests() = caller.Event(i == 0 ? "wanted" : "unwanted");
      }
      while (!stop) {
        const Reply<v1::BatchPublishResponse> reply = server->api().BatchPublish(batch);
        if (reply.ok()) {
          accepted[t].insert(reply->responses(0).event_id());
          continue;
        }
        EXPECT_EQ(reply.status.error_code(), StatusCode::RESOURCE_EXHAUSTED)
            << ToText(reply.status);
        const ErrorDetails details = DetailsOf(reply.status);
        EXPECT_TRUE(details.has_retry);
        EXPECT_GT(ToDuration(details.retry.retry_delay()), absl::ZeroDuration());
        ++refused;
        absl::SleepFor(ToDuration(details.retry.retry_delay()));
      }
    });
  }
  // Not before the allocator has what it needs for that many calls.
  EXPECT_TRUE(WaitUntil([&] { return refused >= 10 * kCallers; }, absl::Seconds(60)));
  const int64_t early = server->program().ResidentBytes();
  const int before = refused;
  EXPECT_TRUE(WaitUntil([&] { return refused >= before + 10 * kCallers; }, absl::Seconds(60)));
  const int64_t late = server->program().ResidentBytes();
  stop = true;
  for (std::thread& thread : threads) thread.join();
  RecordProperty("mebibytes", absl::StrCat(early / kMebibyte, " then ", late / kMebibyte));
  EXPECT_LT(late, early + early / 10);

  proxy_.Delay(absl::ZeroDuration());
  std::set<std::string> all;
  for (const std::set<std::string>& some : accepted) all.insert(some.begin(), some.end());
  EXPECT_GT(all.size(), 0u);
  EXPECT_TRUE(caller.WaitUntilIdle(endpoint_id, absl::Seconds(60)));
  EXPECT_EQ(Arrived(), all);
}

TEST_F(LoadTest, AReceiverThatIsDownGrowsNoMemory) {
  // What does not fit waits in the database: 60 MB of bodies here.
  constexpr int kBatches = 30;
  constexpr int kEventsOfACall = 20;
  ServerProcess* const server = StartServer({"--retry-schedule", "1h"});
  ASSERT_NE(server, nullptr);
  Caller caller(server->api());
  v1::Endpoint endpoint = caller.EndpointAt(absl::StrCat("http://127.0.0.1:", RefusingPort()));
  endpoint.set_max_in_flight(1);
  const std::string endpoint_id = caller.Create(endpoint).id();
  const std::string data = absl::StrCat("{\"x\":\"", std::string(100'000, 'x'), "\"}");
  v1::BatchPublishRequest batch;
  for (int i = 0; i < kEventsOfACall; ++i) *batch.add_requests() = caller.Event("a.b", data);
  const auto publish_all = [&] {
    for (int i = 0; i < kBatches; ++i) {
      const Reply<v1::BatchPublishResponse> reply = server->api().BatchPublish(batch);
      EXPECT_TRUE(reply.ok()) << ToText(reply.status);
    }
  };
  publish_all();
  const int64_t once = server->program().ResidentBytes();
  publish_all();
  publish_all();
  const int64_t thrice = server->program().ResidentBytes();
  RecordProperty("mebibytes", absl::StrCat(once / kMebibyte, " then ", thrice / kMebibyte));
  if (!kSanitized) EXPECT_LT(thrice, once + 20 * kMebibyte);
}

TEST_F(LoadTest, CleanRestartsUnderLoadMakeNothingComeTwice) {
  constexpr int kRestarts = 3;
  constexpr int kThreads = 4;
  ServerProcess* servers[2] = {StartServer(), StartServer()};
  ASSERT_TRUE(servers[0] != nullptr && servers[1] != nullptr);
  Caller caller(servers[1]->api());
  receiver_.AnswerBy([](const ReceivedRequest& request) {
    return Answer{.delay = absl::Milliseconds(request.body.size() % 7 * 30)};
  });
  const std::string endpoint = caller.CreateAt(receiver_.Url()).id();
  std::atomic<bool> stop{false};
  std::atomic<int> published{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      // By way of the server that stays; the other one takes its share of retries and claims.
      while (!stop) {
        caller.api().Publish(caller.Event());
        ++published;
      }
    });
  }
  for (int i = 0; i < kRestarts; ++i) {
    const int before = published;
    EXPECT_TRUE(WaitUntil([&] { return published >= before + 100; }));
    EXPECT_EQ(servers[0]->Terminate(absl::Seconds(25)), 0) << servers[0]->LogTail();
    servers[0] = StartServerWith(servers[0]->options());
    ASSERT_NE(servers[0], nullptr);
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(caller.WaitUntilIdle(endpoint, absl::Seconds(60)));
  EXPECT_EQ(receiver_.Requests().size(), Arrived().size());
  EXPECT_EQ(database().Value("SELECT count(*) FROM attempts WHERE outcome = 8"), "0");
}

}  // namespace
}  // namespace postrider::testing

// SEMANTICS, "Acceptance": what an error means when PostgreSQL is lost, and what health says.

#include <atomic>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/support/engine_test.h"
#include "tests/support/health.h"

namespace postrider::testing {
namespace {

using ::grpc::StatusCode;

// Tests that end their PostgreSQL have one of their own.
class DatabaseOutageTest : public ::testing::Test {
 protected:
  void SetUp() override {
    absl::StatusOr<std::unique_ptr<TestCluster>> cluster = TestCluster::Start();
    ASSERT_TRUE(cluster.ok()) << cluster.status();
    cluster_ = *std::move(cluster);
    database_ = cluster_->NewDatabase();
    ServerProcess::Options options;
    options.database = database_->conninfo();
    options.flags = {"--retry-schedule", "1s,1s"};
    absl::StatusOr<std::unique_ptr<ServerProcess>> server = ServerProcess::Start(options);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  void TearDown() override {
    if (HasFailure() && server_ != nullptr) {
      std::fprintf(stderr, "server log:\n%s\n", server_->LogTail().c_str());
    }
    server_.reset();  // Before its PostgreSQL.
  }

  std::unique_ptr<TestCluster> cluster_;
  std::unique_ptr<TestDatabase> database_;
  std::unique_ptr<ServerProcess> server_;
  Receiver receiver_;
};

TEST_F(DatabaseOutageTest, PublishIsUnavailableAndHealthSaysNotServingUntilTheDatabaseIsBack) {
  Caller caller(server_->api());
  caller.CreateAt(receiver_.Url());
  ASSERT_EQ(HealthOf(server_->api()), Health::kServing);
  cluster_->Stop();
  EXPECT_TRUE(WaitUntil([&] { return HealthOf(server_->api()) == Health::kNotServing; }));
  const grpc::Status status = server_->api().Publish(caller.Event()).status;
  EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE) << ToText(status);
  ASSERT_TRUE(cluster_->StartAgain().ok());
  EXPECT_TRUE(WaitUntil([&] { return HealthOf(server_->api()) == Health::kServing; }));
  caller.Publish();
  EXPECT_EQ(receiver_.WaitForRequests(1).size(), 1u);
}

TEST_F(DatabaseOutageTest, ARetryUnderTheSameKeyIsSafeAfterAnUnknownOutcome) {
  constexpr int kThreads = 4;
  constexpr int kCrashes = 3;
  Caller caller(server_->api());
  caller.CreateAt(receiver_.Url());
  std::atomic<bool> stop{false};
  std::atomic<int> published{0};
  std::vector<std::map<std::string, std::string>> ids(kThreads);  // By key.
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; !stop; ++i) {
        v1::PublishRequest request = caller.Event();
        request.set_idempotency_key(absl::StrCat(t, "-", i));
        const bool done = WaitUntil([&] {
          const Reply<v1::PublishResponse> reply = server_->api().Publish(request);
          if (reply.ok()) ids[t][request.idempotency_key()] = reply->event_id();
          // Only these two may leave the outcome open.
          EXPECT_TRUE(reply.ok() || reply.status.error_code() == StatusCode::UNAVAILABLE ||
                      reply.status.error_code() == StatusCode::DEADLINE_EXCEEDED)
              << ToText(reply.status);
          return reply.ok();
        });
        EXPECT_TRUE(done) << "not accepted after the database was back";
        if (done) ++published;
      }
    });
  }
  for (int crash = 0; crash < kCrashes; ++crash) {
    const int before = published;
    EXPECT_TRUE(WaitUntil([&] { return published >= before + 50; }));
    cluster_->Kill();
    EXPECT_TRUE(cluster_->StartAgain().ok());
  }
  const int before = published;
  EXPECT_TRUE(WaitUntil([&] { return published >= before + 50; }));
  stop = true;
  for (std::thread& thread : threads) thread.join();

  std::set<std::string> all;
  size_t keys = 0;
  for (const std::map<std::string, std::string>& some : ids) {
    keys += some.size();
    for (const auto& [key, id] : some) all.insert(id);
  }
  EXPECT_EQ(all.size(), keys);
  EXPECT_EQ(database_->Value("SELECT count(*) FROM events"), absl::StrCat(keys));
  // Everything arrives, and nothing but what was accepted.
  EXPECT_TRUE(receiver_.WaitFor(
      [&](const std::vector<ReceivedRequest>& requests) {
        std::set<std::string> arrived;
        for (const ReceivedRequest& request : requests) arrived.insert(request.WebhookId());
        return arrived == all;
      },
      absl::Seconds(60)));
}

}  // namespace
}  // namespace postrider::testing

// Several hosts in the connection string: servers follow a standby that was promoted, and look past
// a host that does not answer.

#include <atomic>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "tests/support/engine_test.h"
#include "tests/support/sanitized.h"

namespace postrider::testing {
namespace {

// The value of a keyword of a connection string.
std::string ValueOf(const std::string& conninfo, const std::string& keyword) {
  for (absl::string_view word : absl::StrSplit(conninfo, ' ')) {
    if (absl::ConsumePrefix(&word, keyword + "=")) return std::string(word);
  }
  return "";
}

// One connection string for a database on either of two servers.
std::string EitherOf(const std::string& one, const std::string& other) {
  const auto both = [&](const std::string& keyword) {
    return absl::StrCat(keyword, "=", ValueOf(one, keyword), ",", ValueOf(other, keyword), " ");
  };
  return absl::StrCat(both("host"), both("port"), "dbname=", ValueOf(one, "dbname"),
                      " user=", ValueOf(one, "user"), " sslmode=disable gssencmode=disable");
}

class FailoverTest : public ::testing::Test {
 protected:
  void SetUp() override {
    absl::StatusOr<std::unique_ptr<TestCluster>> primary = TestCluster::Start();
    ASSERT_TRUE(primary.ok()) << primary.status();
    primary_ = *std::move(primary);
    database_ = primary_->NewDatabase();
  }

  void TearDown() override {
    for (const std::unique_ptr<ServerProcess>& server : servers_) {
      if (HasFailure()) std::fprintf(stderr, "server log:\n%s\n", server->LogTail().c_str());
    }
    servers_.clear();  // Before their PostgreSQL.
  }

  ServerProcess* StartServer(const std::string& conninfo) {
    ServerProcess::Options options;
    options.database = conninfo;
    options.flags = {"--retry-schedule", "1s,1s"};
    absl::StatusOr<std::unique_ptr<ServerProcess>> server = ServerProcess::Start(options);
    EXPECT_TRUE(server.ok()) << server.status();
    if (!server.ok()) return nullptr;
    servers_.push_back(*std::move(server));
    return servers_.back().get();
  }

  std::unique_ptr<TestCluster> primary_;
  std::unique_ptr<TestDatabase> database_;
  std::vector<std::unique_ptr<ServerProcess>> servers_;
  Receiver receiver_;
};

TEST_F(FailoverTest, APromotedStandbyIsFollowedAndNothingAcknowledgedIsLost) {
  constexpr int kThreads = 4;
  constexpr int kBeforeAndAfter = 300;
  absl::StatusOr<std::unique_ptr<TestCluster>> started = primary_->StartStandby();
  ASSERT_TRUE(started.ok()) << started.status();
  const std::unique_ptr<TestCluster> standby = *std::move(started);
  const std::string name = ValueOf(database_->conninfo(), "dbname");
  const std::unique_ptr<TestDatabase> copy = standby->Database(name);
  database_->Query("ALTER SYSTEM SET synchronous_standby_names = '*'");
  database_->Query("SELECT pg_reload_conf()");
  ASSERT_TRUE(WaitUntil(
      [&] { return database_->Value("SELECT sync_state FROM pg_stat_replication") == "sync"; }));
  const std::string either = EitherOf(database_->conninfo(), copy->conninfo());
  ServerProcess* const one = StartServer(either);
  ServerProcess* const two = StartServer(either);
  ASSERT_TRUE(one != nullptr && two != nullptr);
  Caller caller(one->api());
  const std::string endpoint = caller.CreateAt(receiver_.Url()).id();

  std::atomic<bool> stop{false};
  std::atomic<int> published{0};
  std::vector<std::map<std::string, std::string>> ids(kThreads);  // By key.
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      Api& api = (t % 2 == 0 ? one : two)->api();
      for (int i = 0; !stop; ++i) {
        v1::PublishRequest request = caller.Event();
        request.set_idempotency_key(absl::StrCat(t, "-", i));
        EXPECT_TRUE(WaitUntil([&] {
          const Reply<v1::PublishResponse> reply = api.Publish(request);
          if (reply.ok()) ids[t][request.idempotency_key()] = reply->event_id();
          return reply.ok();
        })) << "not accepted after the standby was promoted";
        ++published;
      }
    });
  }
  EXPECT_TRUE(WaitUntil([&] { return published >= kBeforeAndAfter; }));
  const absl::Time killed = absl::Now();
  primary_->Kill();
  copy->Query("SELECT pg_promote()");  // Returns when it is a primary.
  const int before = published;
  EXPECT_TRUE(WaitUntil([&] { return published > before + kThreads; }));
  const absl::Duration resumed = absl::Now() - killed;
  EXPECT_LT(resumed, absl::Seconds(5 * kSlowness));
  RecordProperty("resumed_after_ms", std::to_string(absl::ToInt64Milliseconds(resumed)));
  EXPECT_TRUE(WaitUntil([&] { return published >= before + kBeforeAndAfter; }));
  stop = true;
  for (std::thread& thread : threads) thread.join();

  std::set<std::string> all;
  size_t keys = 0;
  for (const std::map<std::string, std::string>& some : ids) {
    keys += some.size();
    for (const auto& [key, id] : some) all.insert(id);
  }
  EXPECT_EQ(all.size(), keys);
  EXPECT_EQ(copy->Value("SELECT count(*) FROM events"), absl::StrCat(keys));
  EXPECT_TRUE(receiver_.WaitFor(
      [&](const std::vector<ReceivedRequest>& requests) {
        std::set<std::string> arrived;
        for (const ReceivedRequest& request : requests) arrived.insert(request.WebhookId());
        return arrived == all;
      },
      absl::Seconds(60)));
  EXPECT_TRUE(caller.WaitUntilIdle(endpoint, absl::Seconds(60)));
  // What came more than once says so in its log.
  EXPECT_EQ(copy->Value("SELECT count(*) FROM closed_deliveries WHERE state = 3"),
            absl::StrCat(keys));
  EXPECT_EQ(copy->Value("SELECT count(*) FROM attempts WHERE outcome NOT IN (1, 8)"), "0");
  EXPECT_EQ(copy->Value("SELECT count(*) FROM attempts WHERE outcome = 1"), absl::StrCat(keys));
  for (const std::unique_ptr<ServerProcess>& server : servers_) EXPECT_EQ(server->Terminate(), 0);
  servers_.clear();
}

}  // namespace
}  // namespace postrider::testing

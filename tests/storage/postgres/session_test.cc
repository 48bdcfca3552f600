// Deadlines, broken connections, and what errors are called.

#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "tests/storage/postgres/store_test_base.h"
#include "tests/support/wait.h"

namespace postrider {
namespace {

constexpr Statement kOne{"one", "SELECT 1"};
constexpr Statement kSleep{"sleep", "SELECT pg_sleep(60)"};
constexpr Statement kPid{"pid", "SELECT pg_backend_pid()"};
constexpr Statement kFail{"fail", "SELECT expect(false, 'as it should not be')"};
constexpr Statement kPut{"put", "INSERT INTO things VALUES (1)"};

class SessionTest : public StoreTest, public ::testing::WithParamInterface<SessionKind> {
 protected:
  SessionTest() : tested_(Options(GetParam())) {}

  void Terminate(int64_t pid) {
    Value(absl::StrCat("SELECT pg_terminate_backend(", pid, ", 5000)"));
  }

  Session tested_;
};
INSTANTIATE_TEST_SUITE_P(Kinds, SessionTest,
                         ::testing::Values(SessionKind::kHot, SessionKind::kGeneral),
                         [](const auto& kind) {
                           return kind.param == SessionKind::kHot ? "Hot" : "General";
                         });

TEST_P(SessionTest, ConnectsWhenItIsUsed) {
  EXPECT_FALSE(tested_.connected());
  ASSERT_TRUE(tested_.Run(kOne).ok());
  EXPECT_TRUE(tested_.connected());
}

TEST_P(SessionTest, ADeadlineEndsAStatementAndTheSessionGoesOn) {
  ASSERT_TRUE(tested_.Run(kOne).ok());
  const absl::Time start = absl::Now();
  const absl::Status status = tested_.Run(kSleep, {}, absl::Milliseconds(200)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded) << status;
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(200));
  EXPECT_LT(absl::Now() - start, absl::Seconds(2));
  const auto after = tested_.Run(kOne);
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_EQ(after->Int(0, 0), 1);
}

TEST_P(SessionTest, AStatementThatWasGivenUpEndsOnTheServerToo) {
  EXPECT_FALSE(tested_.Run(kSleep, {}, absl::Milliseconds(50)).ok());
  EXPECT_TRUE(testing::WaitUntil([this] {
    return Value("SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'") ==
           "0";
  }));
}

TEST_P(SessionTest, AConnectionThatEndedWhileNobodyUsedItIsReplacedUnseen) {
  const int64_t pid = tested_.Run(kPid)->Int(0, 0);
  Terminate(pid);
  const auto after = tested_.Run(kPid);
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_NE(after->Int(0, 0), pid);
}

TEST_P(SessionTest, AConnectionThatBreaksUnderAStatementIsUnavailableOnce) {
  const int64_t pid = tested_.Run(kPid)->Int(0, 0);
  std::thread breaker([this, pid] {
    EXPECT_TRUE(testing::WaitUntil([this] {
      return Value("SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'") ==
             "1";
    }));
    Terminate(pid);
  });
  EXPECT_EQ(tested_.Run(kSleep).status().code(), absl::StatusCode::kUnavailable);
  breaker.join();
  EXPECT_FALSE(tested_.connected());
  const auto after = tested_.Run(kPid);
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_NE(after->Int(0, 0), pid);
}

TEST_P(SessionTest, AServerThatIsNotThereIsUnavailable) {
  SessionOptions options = Options(GetParam());
  options.conninfo = "host=/no/such/folder dbname=postrider user=postrider";
  Session nowhere(options);
  EXPECT_EQ(nowhere.Run(kOne).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(nowhere.connected());
}

TEST_P(SessionTest, ErrorsAreCalledByWhatToDoAboutThem) {
  Execute("CREATE TABLE things (id int PRIMARY KEY)");
  ASSERT_TRUE(tested_.Run(kPut).ok());
  EXPECT_EQ(tested_.Run(kPut).status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(tested_.Run(kFail).status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(tested_.Run({"bad", "SELECT nothing FROM nowhere"}).status().code(),
            absl::StatusCode::kInternal);
  EXPECT_EQ(tested_.Run({"zero", "SELECT 1 / (SELECT count(*) - 1 FROM things)"}).status().code(),
            absl::StatusCode::kInternal);
  // None of them cost the connection.
  EXPECT_TRUE(tested_.connected());
  EXPECT_TRUE(tested_.Run(kOne).ok());
}

TEST_P(SessionTest, ErrorsNeverHoldParameters) {
  Execute("CREATE TABLE words (word text PRIMARY KEY)");
  constexpr Statement kWord{"word", "INSERT INTO words VALUES ($1)"};
  ASSERT_TRUE(tested_.Run(kWord, Params().Text("geheim")).ok());
  const absl::Status status = tested_.Run(kWord, Params().Text("geheim")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(status.message().find("geheim"), std::string::npos) << status;
  EXPECT_NE(status.message().find("23505"), std::string::npos) << status;
}

TEST_P(SessionTest, ATransactionIsAllOrNothing) {
  Execute("CREATE TABLE things (id int PRIMARY KEY)");
  const absl::Status failed = tested_.Transaction([](Session& s) -> absl::Status {
    EXPECT_TRUE(s.Run(kPut).ok());
    return absl::FailedPreconditionError("changed my mind");
  });
  EXPECT_EQ(failed.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Value("SELECT count(*) FROM things"), "0");
  EXPECT_TRUE(tested_.Transaction([](Session& s) { return s.Run(kPut).status(); }).ok());
  EXPECT_EQ(Value("SELECT count(*) FROM things"), "1");
}

TEST_P(SessionTest, AnAbortedTransactionIsRunThreeTimes) {
  int runs = 0;
  EXPECT_EQ(tested_
                .Transaction([&runs](Session& s) {
                  ++runs;
                  return s.Run(kFail).status();
                })
                .code(),
            absl::StatusCode::kAborted);
  EXPECT_EQ(runs, 3);
  EXPECT_TRUE(tested_
                  .Transaction([&runs](Session& s) {
                    return ++runs < 5 ? s.Run(kFail).status() : absl::OkStatus();
                  })
                  .ok());
  EXPECT_EQ(runs, 5);
}

TEST_P(SessionTest, AnotherErrorEndsATransactionAtOnce) {
  int runs = 0;
  tested_
      .Transaction([&runs](Session&) {
        ++runs;
        return absl::NotFoundError("");
      })
      .IgnoreError();
  EXPECT_EQ(runs, 1);
}

TEST_P(SessionTest, AConnectionLostInATransactionLosesAllOfIt) {
  Execute("CREATE TABLE things (id int PRIMARY KEY)");
  const absl::Status status = tested_.Transaction([this](Session& s) -> absl::Status {
    EXPECT_TRUE(s.Run(kPut).ok());
    Terminate(s.Run(kPid)->Int(0, 0));
    EXPECT_FALSE(s.Run(kOne).ok());
    // On a connection of its own, outside of the transaction: must not pass for a part of it.
    return s.Run(kOne).status();
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_EQ(Value("SELECT count(*) FROM things"), "0");
  EXPECT_TRUE(tested_.Transaction([](Session& s) { return s.Run(kPut).status(); }).ok());
}

TEST_P(SessionTest, TimesAreUtcAndCompilationIsOff) {
  const auto rows =
      tested_.Run({"settings", "SELECT current_setting('timezone'), current_setting('jit')"});
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(rows->Text(0, 0), "UTC");
  EXPECT_EQ(rows->Text(0, 1), "off");
}

TEST_P(SessionTest, StatementsAreCounted) {
  ASSERT_TRUE(tested_.Run(kOne).ok());
  const int64_t before = tested_.statements();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(tested_.Run(kOne).ok());
  EXPECT_EQ(tested_.statements() - before, 5);
}

TEST_F(StoreTest, PlansOfHotSessionsDoNotFollowTheSizeOfTables) {
  Session hot(Options(SessionKind::kHot));
  const auto rows =
      hot.Run({"settings",
               "SELECT current_setting('plan_cache_mode'), "
               "current_setting('enable_seqscan'), current_setting('enable_hashjoin'), "
               "current_setting('enable_mergejoin')"});
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(rows->Text(0, 0), "force_generic_plan");
  for (int column : {1, 2, 3}) EXPECT_EQ(rows->Text(0, column), "off");
}

TEST_F(StoreTest, APoolLendsEachSessionToOneAtATime) {
  SessionPool pool(Options(SessionKind::kGeneral), 2);
  int64_t first = 0;
  {
    auto a = pool.Take();
    auto b = pool.Take();
    first = a->Run(kPid)->Int(0, 0);
    EXPECT_NE(first, b->Run(kPid)->Int(0, 0));
  }
  auto again = pool.Take();
  auto other = pool.Take();
  const int64_t pids[] = {again->Run(kPid)->Int(0, 0), other->Run(kPid)->Int(0, 0)};
  EXPECT_TRUE(pids[0] == first || pids[1] == first);
}

}  // namespace
}  // namespace postrider

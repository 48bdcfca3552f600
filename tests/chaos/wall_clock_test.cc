// SEMANTICS, "Time": a node's own wall clock may jump by hours without any effect.

#include <glob.h>

#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/support/engine_test.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/ulid_text.h"

namespace postrider::testing {
namespace {

constexpr absl::Duration kJump = absl::Hours(2);
constexpr absl::Duration kRetryDelay = absl::Seconds(3);

// The library that gives a process a wall clock of its own (Debian's package faketime); "" without.
std::string FakeClockLibrary() {
  glob_t found{};
  std::string path;
  if (::glob("/usr/lib/*/faketime/libfaketimeMT.so.1", 0, nullptr, &found) == 0) {
    path = found.gl_pathv[0];
  }
  ::globfree(&found);
  return path;
}

// A wall clock for servers, that is as far off as it is told; their monotonic clock stays true.
class WallClock {
 public:
  WallClock() : file_(ScratchFolder::NewFile("wall-clock")) { SetOffset(absl::ZeroDuration()); }

  void SetOffset(absl::Duration offset) {
    // Replaced in one step: the server reads it whenever it asks for the time.
    const std::string next = file_ + ".next";
    std::ofstream(next) << (offset < absl::ZeroDuration() ? "" : "+")
                        << absl::ToInt64Seconds(offset) << "\n";
    ASSERT_EQ(std::rename(next.c_str(), file_.c_str()), 0);
  }

  std::vector<std::pair<std::string, std::string>> Environment() const {
    return {{"LD_PRELOAD", FakeClockLibrary()},
            {"FAKETIME_TIMESTAMP_FILE", file_},
            {"FAKETIME_NO_CACHE", "1"},
            {"FAKETIME_DONT_FAKE_MONOTONIC", "1"}};
  }

 private:
  const std::string file_;
};

class WallClockTest : public OwnServersTest {
 protected:
  void SetUp() override {
    ASSERT_NE(FakeClockLibrary(), "") << "install the package faketime (tools/install --for-tests)";
    ServerProcess::Options options;
    options.database = database().conninfo();
    options.flags = {"--retry-schedule", "3s", "--node-id", "jumping"};
    options.environment = clock_.Environment();
    jumping_ = StartServerWith(options);
    steady_ = StartServer({"--retry-schedule", "3s"});
    ASSERT_TRUE(jumping_ != nullptr && steady_ != nullptr);
  }

  // Waits until the server whose clock jumps has renewed itself at a time that late.
  bool RenewsAfter(absl::Time time) {
    const std::string renewed =
        absl::StrCat("SELECT heartbeat_time > to_timestamp(", absl::ToUnixSeconds(time),
                     ") FROM nodes WHERE node_id = 'jumping'");
    return WaitUntil([&] { return database().Value(renewed) == "t"; });
  }

  WallClock clock_;
  ServerProcess* jumping_ = nullptr;
  ServerProcess* steady_ = nullptr;
};

TEST_F(WallClockTest, JumpsMakeNoRetryEarlyNoStormAndNoLostLeaseAndShowInNoSignatureOrId) {
  constexpr int kEach = 10;
  // A first attempt fails, the second one gets through.
  receiver_.AnswerBy([](const ReceivedRequest& request) {
    return Answer{.status = request.AttemptNumber() == 1 ? 500 : 200};
  });
  Caller caller(jumping_->api());
  const std::string endpoint = caller.CreateAt(receiver_.Url()).id();
  std::vector<std::string> events;
  for (const absl::Duration offset : {kJump, -kJump, absl::ZeroDuration()}) {
    SCOPED_TRACE(absl::StrCat("offset ", absl::FormatDuration(offset)));
    const size_t before = receiver_.Requests().size();
    for (int i = 0; i < kEach; ++i) events.push_back(caller.PublishEvent());
    ASSERT_GE(receiver_.WaitForRequests(before + kEach).size(), before + kEach);
    clock_.SetOffset(offset);
    const absl::Time jumped = absl::Now();
    for (int i = 0; i < kEach; ++i) events.push_back(caller.PublishEvent());
    EXPECT_EQ(receiver_.WaitForRequests(before + 4 * kEach).size(), before + 4 * kEach);
    EXPECT_TRUE(caller.WaitUntilIdle(endpoint));
    // Long enough for the others to miss a node that has lost its sense of time.
    EXPECT_TRUE(RenewsAfter(jumped + absl::Seconds(9)));
  }

  std::map<std::string, std::vector<ReceivedRequest>> deliveries;
  for (const ReceivedRequest& request : receiver_.Requests()) {
    deliveries[request.DeliveryId()].push_back(request);
    int64_t signed_at = 0;
    ASSERT_TRUE(absl::SimpleAtoi(request.Header("webhook-timestamp"), &signed_at));
    // Whole seconds, rounded down, of the moment before it was sent.
    const absl::Duration age = request.time - absl::FromUnixSeconds(signed_at);
    EXPECT_GE(age, -absl::Milliseconds(100));
    EXPECT_LT(age, absl::Seconds(2));
  }
  EXPECT_EQ(deliveries.size(), events.size());
  for (const auto& [id, requests] : deliveries) {
    ASSERT_EQ(requests.size(), 2u) << id;
    EXPECT_GE(requests[1].time - requests[0].time, kRetryDelay);
  }
  for (size_t i = 0; i < events.size(); ++i) {
    const std::optional<absl::Time> time = TimeOfUlid(events[i].substr(4));
    ASSERT_TRUE(time.has_value()) << events[i];
    EXPECT_LT(absl::AbsDuration(*time - absl::Now()), absl::Minutes(10));
    if (i > 0) {
      EXPECT_LT(events[i - 1], events[i]);
    }
  }
  EXPECT_EQ(database().Value("SELECT count(*) FROM attempts WHERE outcome = 8"), "0");
  EXPECT_EQ(jumping_->Terminate(), 0);
}

}  // namespace
}  // namespace postrider::testing

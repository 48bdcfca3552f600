// A dead node's work is with others within 10 s.

#include <string>

#include "absl/time/clock.h"
#include "tests/support/engine_test.h"

namespace postrider::testing {
namespace {

constexpr absl::Duration kTakenOverWithin = absl::Seconds(10);

class TakeOverTest : public OwnServersTest {
 protected:
  void SetUp() override {
    for (ServerProcess** server : {&first_, &second_}) {
      *server = StartServer({"--retry-schedule", "1s"});
      ASSERT_NE(*server, nullptr);
    }
    // A node that joins others leaves the work to them at first.
    ASSERT_TRUE(WaitUntil([&] {
      return database().Value(
                 "SELECT count(*) FROM nodes WHERE start_time < now() - interval "
                 "'4 seconds'") == "2";
    }));
  }

  ServerProcess* first_ = nullptr;
  ServerProcess* second_ = nullptr;
};

TEST_F(TakeOverTest, TheWorkOfADeadNodeGoesOnWithinTenSeconds) {
  constexpr int kInFlight = 20;
  Caller caller(first_->api());
  receiver_.AlwaysAnswer(Answer{.hold = true});
  const std::string endpoint = caller.CreateAt(receiver_.Url()).id();
  for (int i = 0; i < kInFlight; ++i) caller.PublishEvent();
  const std::string of_first =
      "SELECT count(*) FROM open_deliveries WHERE lease_node = (SELECT min(node_no) FROM nodes)";
  EXPECT_TRUE(WaitUntil([&] { return database().Value(of_first) != "0"; }));
  receiver_.AlwaysAnswer(Answer{});
  first_->Kill();
  const absl::Time killed = absl::Now();
  caller.Use(second_->api());
  EXPECT_TRUE(WaitUntil([&] { return database().Value(of_first) == "0"; }, absl::Seconds(20)));
  const absl::Duration taken = absl::Now() - killed;
  RecordProperty("taken_over_ms", std::to_string(absl::ToInt64Milliseconds(taken)));
  EXPECT_LT(taken, kTakenOverWithin);
  receiver_.Release();
  EXPECT_TRUE(caller.WaitUntilIdle(endpoint));
}

}  // namespace
}  // namespace postrider::testing

// A dead node's work is with others within 10 s, and a node that was stopped for long starts
// nothing of what others have taken over meanwhile.

#include <signal.h>

#include <set>
#include <string>
#include <thread>
#include <vector>

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

  // Some attempts of the first node are in flight; later ones are answered. Gives the endpoint.
  std::string GiveWorkToFirst(Caller& caller) {
    constexpr int kInFlight = 20;
    receiver_.AlwaysAnswer(Answer{.hold = true});
    const std::string endpoint = caller.CreateAt(receiver_.Url()).id();
    Caller publisher(first_->api(), caller.org());
    for (int i = 0; i < kInFlight; ++i) publisher.PublishEvent();
    EXPECT_TRUE(WaitUntil([this] { return database().Value(kOfFirst) != "0"; }));
    receiver_.AlwaysAnswer(Answer{});
    return endpoint;
  }
  void ExpectTakenOverInTime(absl::Time killed) {
    EXPECT_TRUE(WaitUntil([this] { return database().Value(kOfFirst) == "0"; }, absl::Seconds(20)));
    const absl::Duration taken = absl::Now() - killed;
    RecordProperty("taken_over_ms", std::to_string(absl::ToInt64Milliseconds(taken)));
    EXPECT_LT(taken, kTakenOverWithin);
  }

  static constexpr char kOfFirst[] =
      "SELECT count(*) FROM open_deliveries WHERE lease_node = (SELECT min(node_no) FROM nodes)";
  ServerProcess* first_ = nullptr;
  ServerProcess* second_ = nullptr;
};

TEST_F(TakeOverTest, TheWorkOfADeadNodeGoesOnWithinTenSeconds) {
  Caller caller(second_->api());
  const std::string endpoint = GiveWorkToFirst(caller);
  first_->Kill();
  ExpectTakenOverInTime(absl::Now());
  receiver_.Release();
  EXPECT_TRUE(caller.WaitUntilIdle(endpoint));
}

TEST_F(TakeOverTest, ANodeThatHasJustStartedTakesOverAsSoonAsOneThatHasBeenThereForLong) {
  Caller caller(second_->api());
  const std::string endpoint = GiveWorkToFirst(caller);
  first_->Kill();
  const absl::Time killed = absl::Now();
  // The one that saw it die dies too.
  EXPECT_TRUE(WaitUntil([&] {
    return database().Value(
               "SELECT count(*) FROM nodes WHERE heartbeat_time < now() - interval '4 s'") == "1";
  }));
  second_->Kill();
  ServerProcess* const third = StartServer({"--retry-schedule", "1s"});
  ASSERT_NE(third, nullptr);
  ExpectTakenOverInTime(killed);
  receiver_.Release();
  caller.Use(third->api());
  EXPECT_TRUE(caller.WaitUntilIdle(endpoint));
}

TEST_F(TakeOverTest, ANodeThatWasStoppedForLongStartsNothingThatOthersTookOver) {
  constexpr int kWaiting = 20;
  Caller caller(first_->api());
  v1::Endpoint endpoint = caller.EndpointAt(receiver_.Url());
  endpoint.set_max_in_flight(2);
  const std::string endpoint_id = caller.Create(endpoint).id();
  receiver_.AlwaysAnswer(Answer{.delay = absl::Milliseconds(400)});
  for (int i = 0; i < kWaiting; ++i) caller.PublishEvent();
  first_->program().Stop();
  caller.Use(second_->api());
  // Whatever the stopped one had is delivered by the other one.
  EXPECT_TRUE(caller.WaitUntilIdle(endpoint_id, absl::Seconds(40)));
  const size_t received = receiver_.Requests().size();
  first_->program().Signal(SIGCONT);
  EXPECT_TRUE(receiver_.StaysAt(received, absl::Seconds(4)));
  std::set<std::string> events;
  for (const ReceivedRequest& request : receiver_.Requests()) events.insert(request.WebhookId());
  EXPECT_EQ(events.size(), size_t{kWaiting});
  // Beyond one of each only what was in flight when it was stopped.
  EXPECT_LE(received, size_t{kWaiting + 2});
}

TEST_F(TakeOverTest, WhatANodeAcceptsBeforeItKnowsThatItWasThoughtDeadIsSentOnce) {
  Caller caller(first_->api());
  const std::string endpoint = caller.CreateAt(receiver_.Url()).id();
  caller.PublishEvent();
  ASSERT_TRUE(caller.WaitUntilIdle(endpoint));
  ASSERT_EQ(receiver_.Requests().size(), 1u);
  first_->program().Stop();
  // These wait in its sockets until it goes on, and are the first that it does then.
  std::vector<std::thread> publishers;
  for (int i = 0; i < 8; ++i) {
    publishers.emplace_back([&] { Caller(first_->api(), caller.org()).PublishEvent(); });
  }
  EXPECT_TRUE(WaitUntil([this] {
    return database().Value(
               "SELECT count(*) FROM nodes WHERE heartbeat_time < now() - interval '9 s'") == "1";
  }));
  first_->program().Signal(SIGCONT);
  for (std::thread& publisher : publishers) publisher.join();
  Caller other(second_->api(), caller.org());
  EXPECT_TRUE(other.WaitUntilIdle(endpoint, absl::Seconds(40)));
  EXPECT_EQ(receiver_.WaitForRequests(9).size(), 9u);
  EXPECT_TRUE(receiver_.StaysAt(9, absl::Seconds(4)));
}

}  // namespace
}  // namespace postrider::testing

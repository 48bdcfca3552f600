// Renewals: what the others may think of this node, and what it thinks of the time.

#include "server/dispatch/heartbeat.h"

#include <memory>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace postrider::dispatch {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// A database that takes its time.
class Registry : public NodeStore {
 public:
  struct State {
    Instant now = absl::Hours(3);
    absl::Duration took = absl::Milliseconds(2);
    absl::Status status;
    HeartbeatAnswer answer;
    std::vector<int32_t> forgotten;
  };
  explicit Registry(State& state) : state_(state) {}

  absl::StatusOr<NodeRegistration> Register(const std::string&) override {
    return NodeRegistration{};
  }
  absl::StatusOr<HeartbeatAnswer> Heartbeat(int32_t) override {
    state_.now += state_.took;
    if (!state_.status.ok()) return state_.status;
    return state_.answer;
  }
  absl::Status MarkStopped(int32_t) override { return absl::OkStatus(); }
  absl::Status Forget(const std::vector<int32_t>& node_nos) override {
    state_.forgotten = node_nos;
    return absl::OkStatus();
  }

 private:
  State& state_;
};

class HeartbeatTest : public ::testing::Test {
 protected:
  HeartbeatTest()
      : clock_([this] { return database_.now; }),
        heartbeat_(std::make_unique<Registry>(database_), {.node_no = 1, .epoch = 1},
                   {[this](const Membership& membership, const Standing& standing) {
                      memberships_.push_back(membership);
                      standings_.push_back(standing);
                    },
                    [this](bool reachable) { reachable_ = reachable; }},
                   clock_) {
    database_.answer.database_time = absl::FromUnixSeconds(1772980200);
    database_.answer.nodes = {{1, "a", absl::ZeroDuration(), false, absl::ZeroDuration()}};
  }

  void Beats(int count) {
    for (int i = 0; i < count; ++i) database_.now = heartbeat_.Step({});
  }

  Registry::State database_;
  DatabaseClock clock_;
  std::vector<Membership> memberships_;
  std::vector<Standing> standings_;
  bool reachable_ = false;
  Heartbeat heartbeat_;
};

TEST_F(HeartbeatTest, ANodeLivesForSevenSecondsAfterItSentARenewal) {
  database_.took = absl::Seconds(1);
  const Instant sent = database_.now;
  ASSERT_TRUE(heartbeat_.Beat().ok());
  EXPECT_EQ(standings_.back().alive_until, sent + absl::Seconds(7));
}

TEST_F(HeartbeatTest, ItBeatsEveryTwoSecondsAndSoonAgainAfterAFailure) {
  const Instant sent = database_.now;
  EXPECT_EQ(heartbeat_.Step({}), sent + absl::Seconds(2));
  EXPECT_TRUE(reachable_);
  database_.status = absl::UnavailableError("away");
  const Instant again = heartbeat_.Step({});
  EXPECT_EQ(again, database_.now + absl::Milliseconds(250));
  EXPECT_FALSE(reachable_);
  EXPECT_THAT(standings_, SizeIs(1));
}

TEST_F(HeartbeatTest, ANodeDoesNotBeginWithAnAnswerThatSaysLittleAboutTheTime) {
  database_.took = absl::Seconds(2) + absl::Nanoseconds(1);
  EXPECT_TRUE(absl::IsDeadlineExceeded(heartbeat_.Beat()));
  EXPECT_EQ(clock_.Now(), absl::InfinitePast());
  EXPECT_THAT(standings_, IsEmpty());
  database_.took = absl::Seconds(2);
  EXPECT_TRUE(heartbeat_.Beat().ok());
  // Later a slow one renews as well as any other.
  database_.took = absl::Seconds(3);
  EXPECT_TRUE(heartbeat_.Beat().ok());
  EXPECT_THAT(standings_, SizeIs(2));
}

TEST_F(HeartbeatTest, LeasesFromBeforeASilenceAreNotTrusted) {
  Beats(3);
  const Instant first = standings_.back().leases_from;
  database_.now += absl::Seconds(6);
  Beats(1);
  EXPECT_GT(standings_.back().leases_from, first);
  EXPECT_EQ(standings_.back().leases_from, database_.now - absl::Seconds(2) + database_.took);
}

TEST_F(HeartbeatTest, SilenceOfOthersMeansNothingUntilTheDatabaseWasInUseForEightSeconds) {
  database_.answer.nodes.push_back({2, "b", absl::Minutes(1), false, absl::ZeroDuration()});
  database_.answer.nodes[0].steady_for = absl::Seconds(7.5);
  const Instant sent = database_.now;
  EXPECT_EQ(heartbeat_.Step({}), sent + absl::Seconds(0.5));
  EXPECT_THAT(memberships_.back().liveness.gone, IsEmpty());
  database_.answer.nodes[0].steady_for = absl::Seconds(8);
  const Instant again = database_.now;
  EXPECT_EQ(heartbeat_.Step({}), again + absl::Seconds(2));
  EXPECT_THAT(memberships_.back().liveness.gone, ElementsAre(2));
  EXPECT_THAT(database_.forgotten, ElementsAre(2));
}

}  // namespace
}  // namespace postrider::dispatch

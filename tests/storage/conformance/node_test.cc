// What both sets of stores know of nodes: by it they share the limits of endpoints, and take over
// each other's work.

#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/dispatch/heartbeat.h"
#include "tests/storage/conformance/scene.h"

namespace postrider {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

template <typename Subject>
class NodeConformanceTest : public ConformanceTest<Subject> {
 protected:
  struct Node {
    std::unique_ptr<NodeStore> store;
    NodeRegistration made;
  };
  Node Start(const std::string& node_id) {
    Node node{this->scene_.subject().NewNodes(), {}};
    node.made = *node.store->Register(node_id);
    return node;
  }
  // "number id silent s steady s", by what a node's heartbeat is told, in steps of two seconds:
  // what the calls take themselves is less.
  std::vector<std::string> TellOf(Node& node) {
    std::vector<std::string> told;
    const auto answer = node.store->Heartbeat(node.made.node_no);
    if (!answer.ok()) return {absl::StatusCodeToString(answer.status().code())};
    for (const NodeRow& row : answer->nodes) {
      told.push_back(absl::StrCat(row.node_no, " ", row.node_id, " silent ", Seconds(row.silence),
                                  " steady ", Seconds(row.steady_for),
                                  row.stopped ? " stopped" : ""));
    }
    return told;
  }
  // Those with which a node shares the limits of endpoints.
  std::vector<int32_t> SharersOf(Node& node) {
    const auto answer = node.store->Heartbeat(node.made.node_no);
    EXPECT_TRUE(answer.ok()) << answer.status();
    return dispatch::MembershipOf(node.made.node_no, node.made.previous, answer->nodes)
        .cluster.nodes;
  }

 private:
  static int64_t Seconds(absl::Duration d) {
    return absl::ToInt64Seconds(absl::Floor(d + absl::Milliseconds(200), absl::Seconds(2)));
  }
};
TYPED_TEST_SUITE(NodeConformanceTest, Subjects);

TYPED_TEST(NodeConformanceTest, AnIncarnationIsToldOfThoseBeforeItAndHowTheyEnded) {
  const auto first = this->Start("a");
  EXPECT_EQ(first.made.epoch, 1);
  EXPECT_EQ(first.made.unclean_deaths, 0);
  EXPECT_THAT(first.made.previous, IsEmpty());
  this->Start("b");
  const auto second = this->Start("a");
  EXPECT_EQ(second.made.epoch, 2);
  EXPECT_EQ(second.made.unclean_deaths, 1);
  EXPECT_THAT(second.made.previous, ElementsAre(first.made.node_no));
  EXPECT_EQ(this->Start("a").made.unclean_deaths, 2);
  auto fourth = this->Start("a");
  EXPECT_EQ(fourth.made.unclean_deaths, 3);
  ASSERT_TRUE(fourth.store->MarkStopped(fourth.made.node_no).ok());
  const auto fifth = this->Start("a");
  EXPECT_EQ(fifth.made.epoch, 5);
  EXPECT_EQ(fifth.made.unclean_deaths, 0);
  EXPECT_EQ(fifth.made.previous.size(), 4u);
}

TYPED_TEST(NodeConformanceTest, EveryHeartbeatTellsOfAllNodesAndForHowLongTheyWereSteady) {
  auto& scene = this->scene_;
  auto a = this->Start("a");
  auto b = this->Start("b");
  EXPECT_THAT(this->TellOf(a),
              UnorderedElementsAre("1 a silent 0 steady 0", "2 b silent 0 steady 0"));
  for (int i = 0; i < 3; ++i) {
    scene.Pass(absl::Seconds(2));
    this->TellOf(a);
  }
  EXPECT_THAT(this->TellOf(b),
              UnorderedElementsAre("1 a silent 0 steady 6", "2 b silent 0 steady 0"));
  scene.Pass(absl::Seconds(2));
  ASSERT_TRUE(b.store->MarkStopped(2).ok());
  EXPECT_THAT(this->TellOf(a),
              UnorderedElementsAre("1 a silent 0 steady 8", "2 b silent 2 steady 0 stopped"));
  // A gap proves nothing of what was before it.
  scene.Pass(absl::Seconds(6));
  EXPECT_THAT(this->TellOf(b),
              UnorderedElementsAre("1 a silent 6 steady 8", "2 b silent 0 steady 0 stopped"));
  EXPECT_THAT(this->TellOf(a),
              UnorderedElementsAre("1 a silent 0 steady 0", "2 b silent 0 steady 0 stopped"));
}

TYPED_TEST(NodeConformanceTest, ADatabaseClockThatWasSetBackProvesNothing) {
  auto& scene = this->scene_;
  auto a = this->Start("a");
  this->TellOf(a);
  for (int i = 0; i < 3; ++i) {
    scene.Pass(absl::Seconds(2));
    this->TellOf(a);
  }
  auto b = this->Start("b");
  // By less than the time it was steady for; by more.
  for (const int back : {4, 60}) {
    scene.Pass(absl::Seconds(2));
    EXPECT_THAT(this->TellOf(a), Contains(MatchesRegex("1 a silent 0 steady [28]")));
    scene.Pass(-absl::Seconds(back));
    EXPECT_THAT(this->TellOf(b), Contains(StartsWith(absl::StrCat("1 a silent -", back, " "))));
    EXPECT_THAT(this->TellOf(a), Contains("1 a silent 0 steady 0"));
  }
}

TYPED_TEST(NodeConformanceTest, LimitsAreSharedByTheNodesThatMayBeAlive) {
  auto& scene = this->scene_;
  auto a = this->Start("a");
  EXPECT_THAT(this->SharersOf(a), ElementsAre(1));
  auto b = this->Start("b");
  auto c = this->Start("c");
  EXPECT_THAT(this->SharersOf(a), ElementsAre(1, 2, 3));
  ASSERT_TRUE(b.store->MarkStopped(2).ok());
  EXPECT_THAT(this->SharersOf(a), ElementsAre(1, 3));
  for (int i = 0; i < 5; ++i) {
    scene.Pass(absl::Seconds(2));
    this->SharersOf(a);
  }
  // The third is silent for too long, and the first was there all the time.
  EXPECT_THAT(this->SharersOf(a), ElementsAre(1));
  EXPECT_THAT(this->SharersOf(c), ElementsAre(1, 3));
  auto next = this->Start("a");
  EXPECT_THAT(this->SharersOf(next), ElementsAre(3, 4));
}

TYPED_TEST(NodeConformanceTest, OnlyNodesThatAreLongSilentAndHoldNothingAreForgotten) {
  auto& scene = this->scene_;
  scene.AddEndpoint();
  auto watcher = this->Start("watcher");
  const auto followed = this->Start("a");
  this->Start("a");
  const auto holder = this->Start("b");
  this->Start("b");
  scene.Accept(scene.MakeEvent("t"), holder.made.node_no);
  const auto forget = [&] {
    EXPECT_TRUE(watcher.store->Forget({2, 3, 4, 5}).ok());
    std::vector<int32_t> known;
    const auto answer = watcher.store->Heartbeat(1);
    EXPECT_TRUE(answer.ok()) << answer.status();
    for (const NodeRow& row : answer->nodes) known.push_back(row.node_no);
    return known;
  };
  EXPECT_THAT(forget(), UnorderedElementsAre(1, 2, 3, 4, 5));
  scene.Pass(absl::Minutes(50));
  EXPECT_THAT(forget(), UnorderedElementsAre(1, 2, 3, 4, 5));
  // The latest of a node stays for a day: its row says how it ended.
  scene.Pass(absl::Minutes(20));
  EXPECT_THAT(forget(), UnorderedElementsAre(1, 3, 4, 5));
  EXPECT_EQ(this->Start("a").made.node_no, 6);
  scene.Pass(absl::Hours(24));
  EXPECT_THAT(forget(), UnorderedElementsAre(1, 4, 6));
  EXPECT_EQ(scene.TakeOver({holder.made.node_no}).count, 1);
  EXPECT_THAT(forget(), UnorderedElementsAre(1, 6));
  // Nobody knows of its unclean ends any more.
  EXPECT_EQ(this->Start("b").made.epoch, 1);
}

TYPED_TEST(NodeConformanceTest, ANodeThatWasForgottenComesBackUnlessALaterOneTookItsPlace) {
  auto& scene = this->scene_;
  auto watcher = this->Start("watcher");
  auto lost = this->Start("a");
  auto replaced = this->Start("b");
  this->TellOf(lost);
  scene.Pass(absl::Hours(25));
  ASSERT_TRUE(watcher.store->Forget({2, 3}).ok());
  this->Start("b");
  EXPECT_THAT(this->TellOf(watcher),
              UnorderedElementsAre("1 watcher silent 0 steady 0", "4 b silent 0 steady 0"));
  EXPECT_THAT(this->TellOf(replaced), ElementsAre("NOT_FOUND"));
  EXPECT_THAT(this->TellOf(lost),
              UnorderedElementsAre("1 watcher silent 0 steady 0", "2 a silent 0 steady 0",
                                   "4 b silent 0 steady 0"));
  const auto next = this->Start("a");
  EXPECT_EQ(next.made.epoch, 2);
  EXPECT_THAT(next.made.previous, ElementsAre(2));
}

}  // namespace
}  // namespace postrider

#include "server/http/lookup_gate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace postrider::http {
namespace {

Request Make(uint64_t id) {
  Request request;
  request.id = id;
  return request;
}

std::vector<uint64_t> Ids(const std::vector<Request>& requests) {
  std::vector<uint64_t> ids;
  for (const Request& request : requests) ids.push_back(request.id);
  return ids;
}

TEST(LookupGateTest, OneLookupPerName) {
  LookupGate gate(10);
  EXPECT_TRUE(gate.Begin("a"));
  EXPECT_FALSE(gate.Begin("a"));
  EXPECT_TRUE(gate.Begin("b"));
  gate.Succeeded("a");
  EXPECT_TRUE(gate.Begin("a"));
}

TEST(LookupGateTest, AtMostTheLimitInAll) {
  LookupGate gate(2);
  EXPECT_TRUE(gate.Begin("a"));
  EXPECT_TRUE(gate.Begin("b"));
  EXPECT_FALSE(gate.Begin("c"));
  gate.Failed("a");
  EXPECT_EQ(gate.in_flight(), 1);
  EXPECT_TRUE(gate.Begin("c"));
}

TEST(LookupGateTest, RequestsComeBackWhenTheirNameIsResolved) {
  LookupGate gate(10);
  gate.Begin("a");
  gate.Park("a", Make(1));
  gate.Park("a", Make(2));
  EXPECT_FALSE(gate.HasRunnable());
  gate.Succeeded("a");
  EXPECT_TRUE(gate.HasRunnable());
  EXPECT_EQ(Ids(gate.TakeRunnable()), (std::vector<uint64_t>{1, 2}));
  EXPECT_FALSE(gate.HasRunnable());
}

TEST(LookupGateTest, RequestsComeBackWithTheFailureOfTheirName) {
  LookupGate gate(10);
  gate.Begin("a");
  gate.Begin("b");
  gate.Park("a", Make(1));
  gate.Park("b", Make(2));
  EXPECT_EQ(Ids(gate.Failed("a")), (std::vector<uint64_t>{1}));
  EXPECT_FALSE(gate.HasRunnable());
}

TEST(LookupGateTest, RequestsThatWaitForAFreeLookupAreTriedNameByName) {
  LookupGate gate(1);
  gate.Begin("a");
  gate.Park("b", Make(1));
  gate.Park("c", Make(2));
  gate.Park("b", Make(3));
  EXPECT_TRUE(gate.TakeRunnable().empty());
  gate.Failed("a");
  EXPECT_EQ(Ids(gate.TakeRunnable()), (std::vector<uint64_t>{1, 3}));
  EXPECT_TRUE(gate.Begin("b"));
  EXPECT_TRUE(gate.TakeRunnable().empty());
  gate.Succeeded("b");
  EXPECT_EQ(Ids(gate.TakeRunnable()), (std::vector<uint64_t>{2}));
  EXPECT_FALSE(gate.HasRunnable());
}

TEST(LookupGateTest, ARequestParkedAfterTheLookupEndedIsTriedAgain) {
  LookupGate gate(1);
  gate.Begin("a");
  EXPECT_FALSE(gate.Begin("a"));
  gate.Succeeded("a");
  gate.Park("a", Make(1));
  EXPECT_EQ(Ids(gate.TakeRunnable()), (std::vector<uint64_t>{1}));
}

TEST(LookupGateTest, OneThatWaitedForASlotJoinsALookupOfItsName) {
  LookupGate gate(1);
  gate.Begin("a");
  gate.Park("b", Make(1));
  gate.Succeeded("a");
  EXPECT_TRUE(gate.Begin("b"));  // A later request was quicker.
  EXPECT_TRUE(gate.TakeRunnable().empty());
  gate.Succeeded("b");
  EXPECT_EQ(Ids(gate.TakeRunnable()), (std::vector<uint64_t>{1}));
}

TEST(LookupGateTest, RequestsThatHadToStartAreGivenBack) {
  const Instant now = absl::Seconds(100);
  const auto make = [now](uint64_t id, int seconds) {
    Request request = Make(id);
    request.start_by = now + absl::Seconds(seconds);
    return request;
  };
  LookupGate gate(1);
  gate.Begin("a");
  gate.Park("a", make(1, 1));
  gate.Park("a", make(2, 2));
  gate.Park("b", make(3, 1));
  gate.Park("c", make(4, 1));
  gate.Park("c", Make(5));
  EXPECT_TRUE(gate.TakeExpired(now).empty());
  std::vector<uint64_t> expired = Ids(gate.TakeExpired(now + absl::Seconds(1)));
  std::sort(expired.begin(), expired.end());
  EXPECT_EQ(expired, (std::vector<uint64_t>{1, 3, 4}));
  EXPECT_TRUE(gate.HasParked());
  EXPECT_EQ(Ids(gate.Failed("a")), (std::vector<uint64_t>{2}));
  EXPECT_EQ(Ids(gate.TakeRunnable()), (std::vector<uint64_t>{5}));  // "b" is forgotten.
  EXPECT_FALSE(gate.HasParked());
  EXPECT_TRUE(gate.Begin("b"));
}

TEST(LookupGateTest, TakeAllTakesEveryParkedRequest) {
  LookupGate gate(1);
  gate.Begin("a");
  gate.Park("a", Make(1));
  gate.Park("b", Make(2));
  EXPECT_EQ(gate.TakeAll().size(), 2u);
  EXPECT_TRUE(gate.Failed("a").empty());
  EXPECT_TRUE(gate.TakeRunnable().empty());
}

}  // namespace
}  // namespace postrider::http

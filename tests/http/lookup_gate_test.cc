#include "server/http/lookup_gate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace postrider::http {
namespace {

constexpr Instant kNow = absl::Seconds(100);

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
  EXPECT_TRUE(gate.Begin("a", kNow));
  EXPECT_FALSE(gate.Begin("a", kNow));
  EXPECT_TRUE(gate.Begin("b", kNow));
  gate.Succeeded("a", kNow);
  EXPECT_TRUE(gate.Begin("a", kNow));
}

TEST(LookupGateTest, AFullGateOpensWhenALookupEnds) {
  LookupGate gate(4);
  EXPECT_TRUE(gate.Begin("a", kNow));
  EXPECT_TRUE(gate.Begin("b", kNow));
  EXPECT_TRUE(gate.Begin("c", kNow));
  EXPECT_FALSE(gate.Begin("d", kNow));
  EXPECT_EQ(gate.in_flight(), 3);
  gate.Failed("a", kNow);
  EXPECT_EQ(gate.in_flight(), 2);
  EXPECT_TRUE(gate.Begin("d", kNow));
}

TEST(LookupGateTest, RequestsComeBackWhenTheirNameIsResolved) {
  LookupGate gate(10);
  gate.Begin("a", kNow);
  gate.Park("a", Make(1), kNow);
  gate.Park("a", Make(2), kNow);
  EXPECT_FALSE(gate.HasRunnable());
  gate.Succeeded("a", kNow);
  EXPECT_TRUE(gate.HasRunnable());
  EXPECT_EQ(Ids(gate.TakeRunnable()), (std::vector<uint64_t>{1, 2}));
  EXPECT_FALSE(gate.HasRunnable());
}

TEST(LookupGateTest, RequestsComeBackWithTheFailureOfTheirName) {
  LookupGate gate(10);
  gate.Begin("a", kNow);
  gate.Begin("b", kNow);
  gate.Park("a", Make(1), kNow);
  gate.Park("b", Make(2), kNow);
  EXPECT_EQ(Ids(gate.Failed("a", kNow)), (std::vector<uint64_t>{1}));
  EXPECT_FALSE(gate.HasRunnable());
}

TEST(LookupGateTest, RequestsThatWaitForAFreeLookupAreTriedNameByName) {
  LookupGate gate(1);
  gate.Begin("a", kNow);
  gate.Park("b", Make(1), kNow);
  gate.Park("c", Make(2), kNow);
  gate.Park("b", Make(3), kNow);
  EXPECT_TRUE(gate.TakeRunnable().empty());
  gate.Failed("a", kNow);
  EXPECT_EQ(Ids(gate.TakeRunnable()), (std::vector<uint64_t>{1, 3}));
  EXPECT_TRUE(gate.Begin("b", kNow));
  EXPECT_TRUE(gate.TakeRunnable().empty());
  gate.Succeeded("b", kNow);
  EXPECT_EQ(Ids(gate.TakeRunnable()), (std::vector<uint64_t>{2}));
  EXPECT_FALSE(gate.HasRunnable());
}

TEST(LookupGateTest, ARequestParkedAfterTheLookupEndedIsTriedAgain) {
  LookupGate gate(1);
  gate.Begin("a", kNow);
  EXPECT_FALSE(gate.Begin("a", kNow));
  gate.Succeeded("a", kNow);
  gate.Park("a", Make(1), kNow);
  EXPECT_EQ(Ids(gate.TakeRunnable()), (std::vector<uint64_t>{1}));
}

TEST(LookupGateTest, OneThatWaitedForASlotJoinsALookupOfItsName) {
  LookupGate gate(1);
  gate.Begin("a", kNow);
  gate.Park("b", Make(1), kNow);
  gate.Succeeded("a", kNow);
  EXPECT_TRUE(gate.Begin("b", kNow));  // A later request was quicker.
  EXPECT_TRUE(gate.TakeRunnable().empty());
  gate.Succeeded("b", kNow);
  EXPECT_EQ(Ids(gate.TakeRunnable()), (std::vector<uint64_t>{1}));
}

// Ends a lookup of the name that began at `begin` and took so long; false if it could not begin.
bool LookUp(LookupGate& gate, const std::string& name, Instant begin, absl::Duration took) {
  if (!gate.Begin(name, begin)) return false;
  gate.Succeeded(name, begin + took);
  return true;
}

// How many of this kind of name can be looked up at once.
int CountBegun(LookupGate& gate, const std::string& kind, int names, Instant now) {
  int begun = 0;
  for (int i = 0; i < names; ++i) begun += gate.Begin(absl::StrCat(kind, i), now) ? 1 : 0;
  return begun;
}

TEST(LookupGateTest, NamesThatWereSlowHoldAQuarterOfThePlacesAtMost) {
  LookupGate gate(8);
  for (int i = 0; i < 10; ++i) LookUp(gate, absl::StrCat("slow", i), kNow, absl::Seconds(5));
  const Instant later = kNow + absl::Seconds(5);
  EXPECT_EQ(CountBegun(gate, "slow", 10, later), 2);
  EXPECT_EQ(CountBegun(gate, "new", 10, later), 4);
}

TEST(LookupGateTest, AQuarterOfThePlacesIsKeptForNamesThatWereQuick) {
  LookupGate gate(8);
  for (int i = 0; i < 10; ++i) {
    LookUp(gate, absl::StrCat("quick", i), kNow, absl::Milliseconds(20));
  }
  EXPECT_EQ(CountBegun(gate, "new", 10, kNow), 6);
  EXPECT_EQ(CountBegun(gate, "quick", 10, kNow), 2);
}

TEST(LookupGateTest, NamesThatWereQuickMayTakeAllPlaces) {
  LookupGate gate(8);
  for (int i = 0; i < 10; ++i) {
    LookUp(gate, absl::StrCat("quick", i), kNow, absl::Milliseconds(20));
  }
  EXPECT_EQ(CountBegun(gate, "quick", 10, kNow), 8);
}

TEST(LookupGateTest, AFailureThatCameQuicklyIsNoStain) {
  LookupGate gate(4);
  gate.Begin("a", kNow);
  gate.Failed("a", kNow + absl::Milliseconds(20));
  EXPECT_EQ(CountBegun(gate, "new", 10, kNow), 3);
  EXPECT_TRUE(gate.Begin("a", kNow + absl::Seconds(1)));
}

TEST(LookupGateTest, TheQuickAreServedBeforeTheUnknownAndThoseBeforeTheSlow) {
  LookupGate gate(4);
  LookUp(gate, "slow", kNow, absl::Seconds(5));
  LookUp(gate, "quick", kNow, absl::Milliseconds(20));
  for (const char* name : {"w", "x", "y", "z"}) LookUp(gate, name, kNow, absl::ZeroDuration());
  const Instant later = kNow + absl::Seconds(5);
  for (const char* name : {"w", "x", "y", "z"}) ASSERT_TRUE(gate.Begin(name, later));
  gate.Park("slow", Make(1), later);
  gate.Park("new", Make(2), later);
  gate.Park("quick", Make(3), later);
  for (const auto& [name, next] :
       {std::pair("w", "quick"), std::pair("x", "new"), std::pair("y", "slow")}) {
    EXPECT_TRUE(gate.TakeRunnable().empty());
    gate.Succeeded(name, later);
    const std::vector<Request> runnable = gate.TakeRunnable();
    ASSERT_EQ(runnable.size(), 1u) << next;
    EXPECT_TRUE(gate.Begin(next, later)) << next;
  }
}

TEST(LookupGateTest, ASlowNameIsForgivenAfterAWhile) {
  LookupGate gate(4);
  LookUp(gate, "a", kNow, absl::Seconds(5));
  LookUp(gate, "b", kNow, absl::Seconds(5));
  const Instant end = kNow + absl::Seconds(5) + LookupGate::kRecordLife;
  EXPECT_TRUE(gate.Begin("a", end - absl::Seconds(1)));
  EXPECT_FALSE(gate.Begin("b", end - absl::Seconds(1)));
  EXPECT_TRUE(gate.Begin("b", end));
}

TEST(LookupGateTest, RequestsThatHadToStartAreGivenBack) {
  const auto make = [](uint64_t id, int seconds) {
    Request request = Make(id);
    request.start_by = kNow + absl::Seconds(seconds);
    return request;
  };
  LookupGate gate(1);
  gate.Begin("a", kNow);
  gate.Park("a", make(1, 1), kNow);
  gate.Park("a", make(2, 2), kNow);
  gate.Park("b", make(3, 1), kNow);
  gate.Park("c", make(4, 1), kNow);
  gate.Park("c", Make(5), kNow);
  EXPECT_TRUE(gate.TakeExpired(kNow).empty());
  std::vector<uint64_t> expired = Ids(gate.TakeExpired(kNow + absl::Seconds(1)));
  std::sort(expired.begin(), expired.end());
  EXPECT_EQ(expired, (std::vector<uint64_t>{1, 3, 4}));
  EXPECT_TRUE(gate.HasParked());
  EXPECT_EQ(Ids(gate.Failed("a", kNow)), (std::vector<uint64_t>{2}));
  EXPECT_EQ(Ids(gate.TakeRunnable()), (std::vector<uint64_t>{5}));  // "b" is forgotten.
  EXPECT_FALSE(gate.HasParked());
  EXPECT_TRUE(gate.Begin("b", kNow));
}

TEST(LookupGateTest, TakeAllTakesEveryParkedRequest) {
  LookupGate gate(1);
  gate.Begin("a", kNow);
  gate.Park("a", Make(1), kNow);
  gate.Park("b", Make(2), kNow);
  EXPECT_EQ(gate.TakeAll().size(), 2u);
  EXPECT_TRUE(gate.Failed("a", kNow).empty());
  EXPECT_TRUE(gate.TakeRunnable().empty());
}

}  // namespace
}  // namespace postrider::http

#include "server/policy/node_slots.h"

#include <vector>

#include "gtest/gtest.h"

namespace postrider::policy {
namespace {

TEST(NodeSlotsTest, HalfOfThemAreAnybodys) {
  NodeSlots slots(100);
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(slots.MayStart(i, false, 1000)) << i;
    slots.OnStart(false);
  }
  EXPECT_FALSE(slots.MayStart(50, false, 1000));
  EXPECT_TRUE(slots.MayStart(0, false, 1000));
}

TEST(NodeSlotsTest, AboveHalfEachEndpointHasItsShare) {
  NodeSlots slots(100);
  for (int i = 0; i < 50; ++i) slots.OnStart(false);
  EXPECT_TRUE(slots.MayStart(9, false, 10));
  EXPECT_FALSE(slots.MayStart(10, false, 10));
  EXPECT_TRUE(slots.MayStart(99, false, 1));
}

TEST(NodeSlotsTest, ThoseThatFailNeverHaveMoreThanHalf) {
  NodeSlots slots(100);
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(slots.MayStart(0, true, 1000));
    slots.OnStart(true);
  }
  EXPECT_FALSE(slots.MayStart(0, true, 1000));
  EXPECT_TRUE(slots.MayStart(0, false, 1000));
  slots.OnEnd(true);
  EXPECT_TRUE(slots.MayStart(0, true, 1000));
}

TEST(NodeSlotsTest, NoMoreThanThereAre) {
  NodeSlots slots(3);
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(slots.full());
    slots.OnStart(false);
  }
  EXPECT_TRUE(slots.full());
  EXPECT_FALSE(slots.MayStart(0, false, 1));
  slots.OnEnd(false);
  EXPECT_EQ(slots.in_use(), 2);
  EXPECT_TRUE(slots.MayStart(0, false, 1));
}

// The case they are for: many endpoints that answer slowly want everything there is.
TEST(NodeSlotsTest, SlowEndpointsLeaveEachHealthyOneItsShare) {
  NodeSlots slots(2048);
  constexpr int kSlow = 100;
  constexpr int kHealthy = 100;
  std::vector<int> slow(kSlow, 0);
  for (bool started = true; started;) {
    started = false;
    for (int& in_flight : slow) {
      if (!slots.MayStart(in_flight, false, kSlow + kHealthy)) continue;
      slots.OnStart(false);
      ++in_flight;
      started = true;
    }
  }
  for (int endpoint = 0; endpoint < kHealthy; ++endpoint) {
    for (int i = 0; i < 2048 / (kSlow + kHealthy); ++i) {
      ASSERT_TRUE(slots.MayStart(i, false, kSlow + kHealthy)) << endpoint;
      slots.OnStart(false);
    }
  }
}

}  // namespace
}  // namespace postrider::policy

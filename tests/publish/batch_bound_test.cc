#include "server/publish/batch_bound.h"

#include "gtest/gtest.h"

namespace postrider::publish {
namespace {

class BatchBoundTest : public ::testing::Test {
 protected:
  void TwoOrgsPublish() {
    bound_.OnCall("one", now_);
    bound_.OnCall("two", now_);
  }

  const Instant now_ = absl::Seconds(100);
  BatchBound bound_{500};
};

TEST_F(BatchBoundTest, AnOrgAloneHasAllOfIt) {
  bound_.OnCall("one", now_);
  bound_.OnCall("one", now_);
  bound_.OnStored(500, absl::Milliseconds(100));
  EXPECT_EQ(bound_.Events(now_), 500u);
}

TEST_F(BatchBoundTest, WhenSeveralPublishAsManyAsAreStoredInTime) {
  TwoOrgsPublish();
  bound_.OnStored(500, absl::Milliseconds(100));
  EXPECT_EQ(bound_.Events(now_), 100u);
}

TEST_F(BatchBoundTest, ThatEndsASecondAfterTheyDid) {
  TwoOrgsPublish();
  bound_.OnStored(500, absl::Milliseconds(100));
  bound_.OnCall("two", now_ + absl::Milliseconds(500));
  EXPECT_EQ(bound_.Events(now_ + absl::Milliseconds(999)), 100u);
  EXPECT_EQ(bound_.Events(now_ + absl::Seconds(1)), 500u);
  bound_.OnCall("one", now_ + absl::Seconds(1));
  EXPECT_EQ(bound_.Events(now_ + absl::Seconds(1)), 100u);
}

TEST_F(BatchBoundTest, NothingIsKnownBeforeTheFirstTransaction) {
  TwoOrgsPublish();
  EXPECT_EQ(bound_.Events(now_), 500u);
}

TEST_F(BatchBoundTest, WhatFewEventsTookSaysNothing) {
  TwoOrgsPublish();
  bound_.OnStored(500, absl::Milliseconds(100));
  bound_.OnStored(49, absl::Seconds(10));
  EXPECT_EQ(bound_.Events(now_), 100u);
}

TEST_F(BatchBoundTest, TheTimeOfAnEventIsSmoothed) {
  TwoOrgsPublish();
  bound_.OnStored(100, absl::Milliseconds(20));
  bound_.OnStored(100, absl::Milliseconds(100));  // 0.2 ms + 0.8 ms / 8 = 0.3 ms each
  EXPECT_EQ(bound_.Events(now_), 66u);
}

TEST_F(BatchBoundTest, NeverFewerThanTheLeastNorMoreThanTheMost) {
  TwoOrgsPublish();
  bound_.OnStored(100, absl::Seconds(1));
  EXPECT_EQ(bound_.Events(now_), kMinShared);
  BatchBound fast(500);
  fast.OnCall("one", now_);
  fast.OnCall("two", now_);
  fast.OnStored(100, absl::Microseconds(100));
  EXPECT_EQ(fast.Events(now_), 500u);
  BatchBound small(10);
  small.OnCall("one", now_);
  small.OnCall("two", now_);
  small.OnStored(100, absl::Seconds(1));
  EXPECT_EQ(small.Events(now_), 10u);
}

}  // namespace
}  // namespace postrider::publish

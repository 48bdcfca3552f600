// What a node takes for the database's time.

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "server/runtime/clock.h"

namespace postrider {
namespace {

class DatabaseClockTest : public ::testing::Test {
 protected:
  // The database answers when `there` of the `took` have passed.
  void Exchange(absl::Duration took, double there) {
    const Instant sent = now_;
    const absl::Time said = Database() + took * there;
    now_ += took;
    clock_.Synchronize(said, sent, now_);
  }
  absl::Time Database() const { return epoch_ + now_; }
  absl::Duration Error() const { return clock_.Now() - Database(); }

  absl::Time epoch_ = absl::FromUnixSeconds(1772980200);
  Instant now_ = absl::Hours(700);
  DatabaseClock clock_{[this] { return now_; }};
};

TEST_F(DatabaseClockTest, BeforeTheFirstExchangeItIsTheInfinitePast) {
  EXPECT_EQ(clock_.Now(), absl::InfinitePast());
  EXPECT_EQ(clock_.At(now_), absl::InfinitePast());
}

TEST_F(DatabaseClockTest, TheFirstExchangeIsRightByHalfOfIt) {
  Exchange(absl::Seconds(2), 1);
  EXPECT_EQ(Error(), absl::Seconds(1));
}

TEST_F(DatabaseClockTest, TimeGoesOnBetweenExchanges) {
  Exchange(absl::Milliseconds(2), 0.5);
  now_ += absl::Hours(1);
  EXPECT_EQ(Error(), absl::ZeroDuration());
  EXPECT_EQ(clock_.At(now_ - absl::Seconds(5)), Database() - absl::Seconds(5));
}

TEST_F(DatabaseClockTest, ASlowExchangeMakesItNoWorse) {
  Exchange(absl::Milliseconds(2), 0.5);
  for (double there : {0.0, 1.0, 0.1, 0.9}) {
    Exchange(absl::Seconds(3), there);
    EXPECT_LE(absl::AbsDuration(Error()), absl::Milliseconds(10)) << there;
  }
}

TEST_F(DatabaseClockTest, SlowExchangesThatContradictEachOtherABitAgreeOnWhatIsLeft) {
  Exchange(absl::Seconds(2), 0.9);
  Exchange(absl::Seconds(2), 0.1);
  EXPECT_LE(absl::AbsDuration(clock_.At(now_) - Database()), absl::Milliseconds(5));
}

TEST_F(DatabaseClockTest, ADriftIsFollowed) {
  Exchange(absl::Milliseconds(2), 0.5);
  for (int i = 0; i < 1000; ++i) {
    now_ += absl::Seconds(2);
    epoch_ += absl::Microseconds(1000);  // 500 ppm
    Exchange(absl::Milliseconds(2), 0.5);
    ASSERT_LE(absl::AbsDuration(Error()), absl::Milliseconds(3)) << i;
  }
}

TEST_F(DatabaseClockTest, AClockThatWasSetForwardIsFollowedAtOnce) {
  Exchange(absl::Milliseconds(2), 0.5);
  epoch_ += absl::Hours(2);
  Exchange(absl::Seconds(1), 0.5);
  EXPECT_EQ(Error(), absl::ZeroDuration());
}

TEST_F(DatabaseClockTest, AClockThatWasSetBackIsWaitedFor) {
  Exchange(absl::Milliseconds(2), 0.5);
  const absl::Time before = clock_.Now();
  epoch_ -= absl::Seconds(10);
  Exchange(absl::Milliseconds(2), 0.5);
  EXPECT_GE(clock_.Now(), before);
  now_ += absl::Seconds(11);
  EXPECT_EQ(Error(), absl::ZeroDuration());
}

}  // namespace
}  // namespace postrider

#include "server/runtime/loop.h"

#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"

namespace postrider {
namespace {

// Takes one number a step, and wants to go on at once while some are left.
class OneAtATime {
 public:
  using Input = int;
  OneAtATime(std::vector<int>& taken, absl::Notification* first) : taken_(taken), first_(first) {}

  Instant Step(std::vector<int> inputs) {
    waiting_.insert(waiting_.end(), inputs.begin(), inputs.end());
    if (waiting_.empty()) return absl::InfiniteDuration();
    taken_.push_back(waiting_.front());
    waiting_.erase(waiting_.begin());
    if (first_ != nullptr && taken_.size() == 1) first_->Notify();
    return waiting_.empty() ? absl::InfiniteDuration() : -absl::InfiniteDuration();
  }

 private:
  std::vector<int>& taken_;
  absl::Notification* first_;
  std::vector<int> waiting_;
};

TEST(LoopTest, ItsThreadWakesForWhatIsPut) {
  std::vector<int> taken;
  absl::Notification first;
  Loop<OneAtATime> loop("test", taken, &first);
  loop.Start();
  EXPECT_TRUE(loop.Put(1));
  EXPECT_TRUE(first.WaitForNotificationWithTimeout(absl::Seconds(30)));
  loop.Stop();
  EXPECT_EQ(taken, std::vector<int>{1});
}

TEST(LoopTest, StopLetsTheCoreFinishWhatWasPutBefore) {
  std::vector<int> taken;
  Loop<OneAtATime> loop("test", taken, nullptr);
  loop.PutAll({1, 2, 3});
  loop.Start();
  loop.Stop();
  EXPECT_EQ(taken, (std::vector<int>{1, 2, 3}));
}

TEST(LoopTest, NothingIsPutIntoAStoppedLoop) {
  std::vector<int> taken;
  Loop<OneAtATime> loop("test", taken, nullptr);
  loop.Start();
  loop.Stop();
  EXPECT_FALSE(loop.Put(1));
  EXPECT_FALSE(loop.PutAll({2}));
  EXPECT_TRUE(taken.empty());
}

TEST(LoopTest, ItIsSteppedWithoutAThread) {
  std::vector<int> taken;
  Loop<OneAtATime> loop("test", taken, nullptr);
  loop.PutAll({1, 2});
  EXPECT_TRUE(loop.has_input());
  EXPECT_EQ(loop.Step(), -absl::InfiniteDuration());
  EXPECT_FALSE(loop.has_input());
  EXPECT_EQ(loop.Step(), absl::InfiniteDuration());
  EXPECT_EQ(taken, (std::vector<int>{1, 2}));
}

}  // namespace
}  // namespace postrider

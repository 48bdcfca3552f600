// What the sanitizers are run for is planted here, so that a run that would see nothing fails. Each
// program that has a finding ends with an exit code of its own, whatever it would have returned.

#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <limits>
#include <memory>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"

namespace postrider {
namespace {

#if defined(PLANT_RACES)

// As ThreadSanitizer ends a program by default.
constexpr int kFound = 66;

// Two threads do it a thousand times each, then the program ends.
[[noreturn]] void Twice(const std::function<void(int thread)>& action) {
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 2; ++thread) {
    threads.emplace_back([&action, thread] {
      for (int i = 0; i < 1000; ++i) action(thread);
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::exit(0);
}

class RaceDeathTest : public ::testing::Test {
 protected:
  RaceDeathTest() { ::testing::GTEST_FLAG(death_test_style) = "threadsafe"; }

  int counter_ = 0;
  absl::Mutex mutexes_[2];
};

TEST_F(RaceDeathTest, CountingWithoutALockIsReported) {
  EXPECT_EXIT(Twice([this](int) { ++counter_; }), ::testing::ExitedWithCode(kFound),
              "data race.*RaceDeathTest");
}

TEST_F(RaceDeathTest, CountingUnderDifferentLocksIsReported) {
  const auto count = [this](int thread) {
    absl::MutexLock lock(&mutexes_[thread]);
    ++counter_;
  };
  EXPECT_EXIT(Twice(count), ::testing::ExitedWithCode(kFound), "data race");
}

TEST_F(RaceDeathTest, LocksInDifferentOrderAreReported) {
  const auto lock = [this](int thread) {
    absl::MutexLock first(&mutexes_[thread]);
    absl::MutexLock second(&mutexes_[1 - thread]);
  };
  // One after the other, as they must not wait for each other, and unseen by Abseil's own detector.
  const auto both = [&lock] {
    absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
    std::thread([&lock] { lock(0); }).join();
    std::thread([&lock] { lock(1); }).join();
    std::exit(0);
  };
  EXPECT_EXIT(both(), ::testing::ExitedWithCode(kFound), "lock-order-inversion");
}

// That it knows Abseil's locks, readers and waits: absl_calls.cc.
TEST_F(RaceDeathTest, CountingUnderOneLockIsNot) {
  const auto count = [this](int thread) {
    if (thread == 0) {
      absl::ReaderMutexLock lock(&mutexes_[0]);
      if (counter_ < 0) std::abort();
    }
    absl::MutexLock lock(&mutexes_[0]);
    ++counter_;
  };
  EXPECT_EXIT(Twice(count), ::testing::ExitedWithCode(0), "");
}

TEST_F(RaceDeathTest, WhatIsWaitedForIsNot) {
  absl::Notification done;
  int before = 0;
  const auto take_turns = [&](int thread) {
    absl::MutexLock lock(&mutexes_[0]);
    const auto my_turn = [&] { return counter_ % 2 == thread; };
    if (counter_ % 4 < 2) {
      mutexes_[0].Await(absl::Condition(&my_turn));
    } else {
      mutexes_[0].AwaitWithTimeout(absl::Condition(&my_turn), absl::Minutes(1));
    }
    ++counter_;
  };
  const auto notify = [&] {
    std::thread thread([&] {
      before = 1;
      done.Notify();
    });
    done.WaitForNotification();
    const int seen = before;
    thread.join();
    if (seen != 1) std::abort();
    Twice(take_turns);
  };
  EXPECT_EXIT(notify(), ::testing::ExitedWithCode(0), "");
}

TEST_F(RaceDeathTest, AStatusThatThreadsHaveCopiesOfIsNot) {
  const absl::Status shared = absl::InternalError("somewhere else than in itself");
  const auto copy = [&](int) {
    const absl::Status copied = shared;
    if (copied.ok()) std::abort();
  };
  // Whoever is last ends what all had.
  const auto give_up = [&] {
    auto own = std::make_unique<absl::Status>(absl::InternalError("own"));
    std::atomic<bool> copied = false;
    std::thread other([theirs = *own, &copied]() mutable {
      { const absl::Status again = theirs; }
      theirs = absl::OkStatus();
      copied.store(true, std::memory_order_relaxed);
    });
    while (!copied.load(std::memory_order_relaxed)) std::this_thread::yield();
    own.reset();
    other.join();
    Twice(copy);
  };
  EXPECT_EXIT(give_up(), ::testing::ExitedWithCode(0), "");
}

#elif defined(PLANT_MEMORY_FAULTS)

// As AddressSanitizer, LeakSanitizer and, after a report, UndefinedBehaviorSanitizer end a program
// by default.
constexpr int kFound = 1;

class MemoryDeathTest : public ::testing::Test {
 protected:
  MemoryDeathTest() { ::testing::GTEST_FLAG(death_test_style) = "threadsafe"; }

  // What the compiler does not see through.
  volatile int one_ = 1;
};

TEST_F(MemoryDeathTest, ReadingBehindTheEndIsReported) {
  std::vector<int> three(3);
  EXPECT_EXIT(std::exit(three.data()[2 + one_]), ::testing::ExitedWithCode(kFound),
              "heap-buffer-overflow");
}

TEST_F(MemoryDeathTest, AReferenceToWhatIsGoneIsReported) {
  const auto read = [] {
    auto* number = new int(1);
    int* volatile kept = number;
    delete number;
    std::exit(*kept);
  };
  EXPECT_EXIT(read(), ::testing::ExitedWithCode(kFound), "heap-use-after-free");
}

TEST_F(MemoryDeathTest, ALeakIsReported) {
  const auto leak = [this] {
    // In a thread, because the only pointer is gone with its stack.
    std::thread([this] { std::fprintf(stderr, "%d\n", *new int(one_)); }).join();
    std::exit(0);
  };
  EXPECT_EXIT(leak(), ::testing::ExitedWithCode(kFound), "detected memory leaks");
}

TEST_F(MemoryDeathTest, UndefinedBehaviourEndsTheProgram) {
  const auto overflow = [this] {
    const int sum = std::numeric_limits<int>::max() + one_;
    std::exit(sum == 0 ? 2 : 0);
  };
  EXPECT_EXIT(overflow(), ::testing::ExitedWithCode(kFound), "signed integer overflow");
}

#else
#error "no sanitizer, or one that nothing is planted for"
#endif

}  // namespace
}  // namespace postrider

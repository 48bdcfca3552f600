// A queue from any threads to one loop, which takes everything at once. Putting never blocks; the
// bound is the putters' business (each names its own). Thread-safe.

#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "server/runtime/monotonic_mutex.h"

namespace postrider {

template <typename T>
class Mailbox {
 public:
  // Over: what is put from now on is dropped, and Take gives what is left and then false.
  void Close() {
    MonotonicMutexLock lock(&mutex_);
    closed_ = true;
    mutex_.Notify();
  }

  // False: closed.
  bool Put(T item) {
    MonotonicMutexLock lock(&mutex_);
    if (closed_) return false;
    items_.push_back(std::move(item));
    mutex_.Notify();
    return true;
  }

  bool PutAll(std::vector<T> items) {
    MonotonicMutexLock lock(&mutex_);
    if (closed_) return false;
    if (items_.empty()) {
      items_ = std::move(items);
    } else {
      for (T& item : items) items_.push_back(std::move(item));
    }
    mutex_.Notify();
    return true;
  }

  // Waits until there is something, the mailbox is closed, or the wait is over, then takes all of
  // it into `out`. False: closed and empty.
  bool Take(absl::Duration wait, std::vector<T>& out) {
    out.clear();
    MonotonicMutexLock lock(&mutex_);
    const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return closed_ || !items_.empty();
    };
    mutex_.AwaitFor(wait, ready);
    out.swap(items_);
    return !out.empty() || !closed_;
  }

  size_t size() const {
    MonotonicMutexLock lock(&mutex_);
    return items_.size();
  }

 private:
  mutable MonotonicMutex mutex_;
  std::vector<T> items_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace postrider

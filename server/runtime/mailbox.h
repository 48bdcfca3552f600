// A queue from any threads to one loop, which takes everything at once. Putting never blocks; the
// bound is the putters' business (each names its own). Thread-safe.

#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace postrider {

template <typename T>
class Mailbox {
 public:
  // Over: what is put from now on is dropped, and Take gives what is left and then false.
  void Close() {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
  }

  // False: closed.
  bool Put(T item) {
    absl::MutexLock lock(&mutex_);
    if (closed_) return false;
    items_.push_back(std::move(item));
    return true;
  }

  bool PutAll(std::vector<T> items) {
    absl::MutexLock lock(&mutex_);
    if (closed_) return false;
    if (items_.empty()) {
      items_ = std::move(items);
    } else {
      for (T& item : items) items_.push_back(std::move(item));
    }
    return true;
  }

  // Waits until there is something, the mailbox is closed, or the wait is over, then takes all of
  // it into `out`. False: closed and empty.
  bool Take(absl::Duration wait, std::vector<T>& out) {
    out.clear();
    absl::MutexLock lock(&mutex_);
    const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return closed_ || !items_.empty();
    };
    mutex_.AwaitWithTimeout(absl::Condition(&ready), wait);
    out.swap(items_);
    return !out.empty() || !closed_;
  }

  size_t size() const {
    absl::MutexLock lock(&mutex_);
    return items_.size();
  }

 private:
  mutable absl::Mutex mutex_;
  std::vector<T> items_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace postrider

// A lock whose waits go by CLOCK_MONOTONIC. Those of absl::Mutex with a timeout end at a time of
// day: when the wall clock jumps back by two hours, they last two hours longer.

#pragma once

#include <pthread.h>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/time/time.h"

namespace postrider {

// Thread-safe.
class ABSL_LOCKABLE MonotonicMutex {
 public:
  MonotonicMutex();
  ~MonotonicMutex();

  MonotonicMutex(const MonotonicMutex&) = delete;
  MonotonicMutex& operator=(const MonotonicMutex&) = delete;

  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION();
  void Unlock() ABSL_UNLOCK_FUNCTION();

  // Waits, without the lock, until the condition holds or the wait is over. Looks at the condition,
  // with the lock, now and after every Notify. An infinite wait has no end.
  void AwaitFor(absl::Duration wait, absl::FunctionRef<bool()> condition)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(this);

  // For whoever changed what a waiter may wait for.
  void Notify();

 private:
  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t changed_;
};

class ABSL_SCOPED_LOCKABLE MonotonicMutexLock {
 public:
  explicit MonotonicMutexLock(MonotonicMutex* mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex)
      : mutex_(mutex) {
    mutex_->Lock();
  }
  ~MonotonicMutexLock() ABSL_UNLOCK_FUNCTION() { mutex_->Unlock(); }

  MonotonicMutexLock(const MonotonicMutexLock&) = delete;
  MonotonicMutexLock& operator=(const MonotonicMutexLock&) = delete;

 private:
  MonotonicMutex* const mutex_;
};

}  // namespace postrider

#include "server/runtime/monotonic_mutex.h"

#include <errno.h>
#include <time.h>

#include "server/runtime/clock.h"

namespace postrider {

MonotonicMutex::MonotonicMutex() {
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&changed_, &attributes);
  pthread_condattr_destroy(&attributes);
}

MonotonicMutex::~MonotonicMutex() {
  pthread_cond_destroy(&changed_);
  pthread_mutex_destroy(&mutex_);
}

void MonotonicMutex::Lock() { pthread_mutex_lock(&mutex_); }

void MonotonicMutex::Unlock() { pthread_mutex_unlock(&mutex_); }

void MonotonicMutex::AwaitFor(absl::Duration wait, absl::FunctionRef<bool()> condition) {
  if (wait == absl::InfiniteDuration()) {
    while (!condition()) pthread_cond_wait(&changed_, &mutex_);
    return;
  }
  if (wait <= absl::ZeroDuration()) return;
  const timespec until = absl::ToTimespec(MonotonicNow() + wait);
  while (!condition()) {
    if (pthread_cond_timedwait(&changed_, &mutex_, &until) == ETIMEDOUT) return;
  }
}

void MonotonicMutex::Notify() { pthread_cond_broadcast(&changed_); }

}  // namespace postrider

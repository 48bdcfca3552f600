// Debian's Abseil is not built with ThreadSanitizer, which therefore sees none of its locks and
// takes what they guard for races. In the build with ThreadSanitizer the linker sends every call of
// ours to the functions below instead (--wrap, CMakeLists.txt here), which tell it what the lock
// does and call the real one. A function that is missing here shows as reports of races under a
// lock that is held; planted_test.cc fails when the names are not those of the installed Abseil.
// It does not see either who gives up an absl::Status last: the header counts up where it looks,
// the library counts down where it does not, and the end of one after a thread's copy was a race to
// it.
//
// What runs between a `pre` and its `post` is not looked at: neither Abseil's own atomics nor the
// conditions of waiters, which whoever unlocks may evaluate for them.

#include <sanitizer/tsan_interface.h>

#include <cstdint>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"

extern "C" {
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
}

namespace {

using absl::Condition;
using absl::Duration;
using absl::Mutex;
using absl::Notification;

constexpr unsigned kWrite = __tsan_mutex_not_static;
constexpr unsigned kRead = __tsan_mutex_not_static | __tsan_mutex_read_lock;

void Release(Mutex* mutex, unsigned flags) {
  __tsan_mutex_pre_unlock(mutex, flags);
  __tsan_mutex_post_unlock(mutex, flags);
}

}  // namespace

// RealX is the function of Abseil, X takes its place: NAME(X, its name for the linker).
#define NAME(function, symbol, result, ...)                     \
  result Real##function(__VA_ARGS__) __asm__("__real_" symbol); \
  result function(__VA_ARGS__) __asm__("__wrap_" symbol)

namespace postrider::sanitizer {

NAME(Lock, "_ZN4absl7debian35Mutex4LockEv", void, Mutex*);
NAME(Unlock, "_ZN4absl7debian35Mutex6UnlockEv", void, Mutex*);
NAME(ReaderLock, "_ZN4absl7debian35Mutex10ReaderLockEv", void, Mutex*);
NAME(ReaderUnlock, "_ZN4absl7debian35Mutex12ReaderUnlockEv", void, Mutex*);
NAME(Await, "_ZN4absl7debian35Mutex5AwaitERKNS0_9ConditionE", void, Mutex*, const Condition&);
NAME(AwaitWithTimeout, "_ZN4absl7debian35Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE",
     bool, Mutex*, const Condition&, Duration);
NAME(Destroy, "_ZN4absl7debian35MutexD1Ev", void, Mutex*);
NAME(Notify, "_ZN4absl7debian312Notification6NotifyEv", void, Notification*);
NAME(WaitForNotification, "_ZNK4absl7debian312Notification19WaitForNotificationEv", void,
     Notification*);
NAME(WaitForNotificationWithTimeout,
     "_ZNK4absl7debian312Notification30WaitForNotificationWithTimeoutENS0_8DurationE", bool,
     Notification*, Duration);

NAME(GiveUpStatus, "_ZN4absl7debian36Status15UnrefNonInlinedEm", void, uintptr_t);

void Lock(Mutex* mutex) {
  __tsan_mutex_pre_lock(mutex, kWrite);
  RealLock(mutex);
  __tsan_mutex_post_lock(mutex, kWrite, 0);
}

void Unlock(Mutex* mutex) {
  __tsan_mutex_pre_unlock(mutex, kWrite);
  RealUnlock(mutex);
  __tsan_mutex_post_unlock(mutex, kWrite);
}

void ReaderLock(Mutex* mutex) {
  __tsan_mutex_pre_lock(mutex, kRead);
  RealReaderLock(mutex);
  __tsan_mutex_post_lock(mutex, kRead, 0);
}

void ReaderUnlock(Mutex* mutex) {
  __tsan_mutex_pre_unlock(mutex, kRead);
  RealReaderUnlock(mutex);
  __tsan_mutex_post_unlock(mutex, kRead);
}

// A wait gives the lock to others and takes it again. All of ours hold it for writing.
void Await(Mutex* mutex, const Condition& condition) {
  Release(mutex, kWrite);
  __tsan_mutex_pre_lock(mutex, kWrite);
  RealAwait(mutex, condition);
  __tsan_mutex_post_lock(mutex, kWrite, 0);
}

bool AwaitWithTimeout(Mutex* mutex, const Condition& condition, Duration timeout) {
  Release(mutex, kWrite);
  __tsan_mutex_pre_lock(mutex, kWrite);
  const bool holds = RealAwaitWithTimeout(mutex, condition, timeout);
  __tsan_mutex_post_lock(mutex, kWrite, 0);
  return holds;
}

// The header tells of the construction, but not of this.
void Destroy(Mutex* mutex) {
  __tsan_mutex_destroy(mutex, kWrite);
  RealDestroy(mutex);
}

void Notify(Notification* notification) {
  __tsan_release(notification);
  RealNotify(notification);
}

void WaitForNotification(Notification* notification) {
  RealWaitForNotification(notification);
  __tsan_acquire(notification);
}

bool WaitForNotificationWithTimeout(Notification* notification, Duration timeout) {
  const bool notified = RealWaitForNotificationWithTimeout(notification, timeout);
  if (notified) __tsan_acquire(notification);
  return notified;
}

void GiveUpStatus(uintptr_t status) {
  AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
  RealGiveUpStatus(status);
  AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
}

}  // namespace postrider::sanitizer

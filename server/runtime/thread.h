// A named thread that is joined when it goes. What it runs must end by itself when told (by a
// closed mailbox or a StopSignal).

#pragma once

#include <functional>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "server/runtime/monotonic_mutex.h"

namespace postrider {

class NamedThread {
 public:
  NamedThread() = default;
  // At most 15 characters of the name show in ps and in debuggers.
  NamedThread(std::string name, std::function<void()> body);
  ~NamedThread() { Join(); }
  NamedThread(NamedThread&&) = default;
  NamedThread& operator=(NamedThread&& other);

  void Join();

 private:
  std::thread thread_;
};

// Tells a periodic loop to stop, or to go on at once. Thread-safe.
class StopSignal {
 public:
  void Stop();
  // Ends one wait early.
  void Wake();
  bool stopped() const;
  // Waits; false when stopped.
  bool WaitFor(absl::Duration wait);

 private:
  mutable MonotonicMutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace postrider

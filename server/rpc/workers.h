// A few threads ("rpc-N") for calls that wait for the database. Thread-safe.

#pragma once

#include <deque>
#include <functional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/runtime/thread.h"

namespace postrider::rpc {

class Workers {
 public:
  Workers(int threads, size_t max_waiting);
  ~Workers() { Stop(); }

  // False: too many wait already, or the workers are stopping. Never blocks.
  bool Run(std::function<void()> job);
  // Ends after what was taken.
  void Stop();

 private:
  void Work();

  const size_t max_waiting_;
  absl::Mutex mutex_;
  std::deque<std::function<void()>> jobs_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<NamedThread> threads_;
};

}  // namespace postrider::rpc

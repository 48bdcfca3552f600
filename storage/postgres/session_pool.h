// A bounded set of sessions for calls that come on many threads. Thread-safe.

#pragma once

#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "storage/postgres/session.h"

namespace postrider {

class SessionPool {
 public:
  // `size` sessions, connected when first used.
  SessionPool(const SessionOptions& options, int size);

  // A session for as long as this lives.
  class Lease {
   public:
    Lease(SessionPool& pool, std::unique_ptr<Session> session)
        : pool_(pool), session_(std::move(session)) {}
    ~Lease() { pool_.Return(std::move(session_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    Session& operator*() { return *session_; }
    Session* operator->() { return session_.get(); }

   private:
    SessionPool& pool_;
    std::unique_ptr<Session> session_;
  };

  // Waits for a free session; with at most `size` calling threads it never does.
  Lease Take();

 private:
  void Return(std::unique_ptr<Session> session);

  absl::Mutex mutex_;
  std::vector<std::unique_ptr<Session>> free_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace postrider

#include "storage/postgres/session_pool.h"

namespace postrider {

SessionPool::SessionPool(const SessionOptions& options, int size) {
  for (int i = 0; i < size; ++i) free_.push_back(std::make_unique<Session>(options));
}

SessionPool::Lease SessionPool::Take() {
  absl::MutexLock lock(&mutex_);
  const auto has_free = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !free_.empty(); };
  mutex_.Await(absl::Condition(&has_free));
  std::unique_ptr<Session> session = std::move(free_.back());
  free_.pop_back();
  return Lease(*this, std::move(session));
}

void SessionPool::Return(std::unique_ptr<Session> session) {
  absl::MutexLock lock(&mutex_);
  free_.push_back(std::move(session));
}

}  // namespace postrider

#include "server/runtime/thread.h"

#include <pthread.h>

#include <utility>

namespace postrider {

NamedThread::NamedThread(std::string name, std::function<void()> body)
    : thread_([name = name.substr(0, 15), body = std::move(body)] {
        pthread_setname_np(pthread_self(), name.c_str());
        body();
      }) {}

NamedThread& NamedThread::operator=(NamedThread&& other) {
  Join();
  thread_ = std::move(other.thread_);
  return *this;
}

void NamedThread::Join() {
  if (thread_.joinable()) thread_.join();
}

void StopSignal::Stop() {
  absl::MutexLock lock(&mutex_);
  stopped_ = true;
}

void StopSignal::Wake() {
  absl::MutexLock lock(&mutex_);
  woken_ = true;
}

bool StopSignal::stopped() const {
  absl::MutexLock lock(&mutex_);
  return stopped_;
}

bool StopSignal::WaitFor(absl::Duration wait) {
  absl::MutexLock lock(&mutex_);
  const auto over = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopped_ || woken_; };
  mutex_.AwaitWithTimeout(absl::Condition(&over), wait);
  woken_ = false;
  return !stopped_;
}

}  // namespace postrider

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
  MonotonicMutexLock lock(&mutex_);
  stopped_ = true;
  mutex_.Notify();
}

void StopSignal::Wake() {
  MonotonicMutexLock lock(&mutex_);
  woken_ = true;
  mutex_.Notify();
}

bool StopSignal::stopped() const {
  MonotonicMutexLock lock(&mutex_);
  return stopped_;
}

bool StopSignal::WaitFor(absl::Duration wait) {
  MonotonicMutexLock lock(&mutex_);
  const auto over = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopped_ || woken_; };
  mutex_.AwaitFor(wait, over);
  woken_ = false;
  return !stopped_;
}

}  // namespace postrider

#include "server/http/loop.h"

#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <iterator>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/http/multi.h"

namespace postrider::http {
namespace {

// An upper bound for one wait: libcurl's own timers and wake-ups end it earlier.
constexpr absl::Duration kMaxWait = absl::Seconds(1);

// Signals are for the main thread; and TLS may write to a connection that the other side has
// closed, which must not end the process with SIGPIPE. Threads for lookups inherit the mask.
void PrepareThread() {
  pthread_setname_np(pthread_self(), "http");
  sigset_t signals;
  sigfillset(&signals);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGPROF}) {
    sigdelset(&signals, fault);
  }
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

}  // namespace

// What goes between the loop's thread and all others.
class Loop::Mailbox {
 public:
  explicit Mailbox(LoopOptions options) : multi_(std::move(options)) {}

  // For the loop's thread, and for whoever has joined it.
  Multi& multi() { return multi_; }

  // False, leaving `requests` as they are, if the loop has ended.
  bool Put(std::vector<Request>* requests) ABSL_LOCKS_EXCLUDED(mutex_) {
    bool wake;
    {
      absl::MutexLock lock(&mutex_);
      if (state_ == State::kEnded) return false;
      in_flight_ += static_cast<int>(requests->size());
      if (incoming_.empty()) {
        incoming_ = std::move(*requests);
      } else {
        incoming_.insert(incoming_.end(), std::make_move_iterator(requests->begin()),
                         std::make_move_iterator(requests->end()));
      }
      wake = std::exchange(asleep_, false);
    }
    if (wake) multi_.Wakeup();
    return true;
  }

  // Takes what has come; false if it is time to end.
  bool Take(std::vector<Request>* requests) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    asleep_ = false;
    *requests = std::exchange(incoming_, {});
    return state_ == State::kOpen;
  }

  // Waits until there is something to do for the loop.
  void Wait() ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      absl::MutexLock lock(&mutex_);
      if (!incoming_.empty() || state_ != State::kOpen) return;
      asleep_ = true;
    }
    multi_.Wait(kMaxWait);
  }

  void AskToEnd() ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      absl::MutexLock lock(&mutex_);
      if (state_ == State::kOpen) state_ = State::kEnding;
    }
    multi_.Wakeup();
  }

  // Nothing gets in from here on. Takes what is left; nothing when called again.
  std::vector<Request> Close() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    state_ = State::kEnded;
    return std::exchange(incoming_, {});
  }

  void CountOut(size_t results) { in_flight_ -= static_cast<int>(results); }
  int in_flight() const { return in_flight_; }

 private:
  enum class State { kOpen, kEnding, kEnded };

  Multi multi_;
  std::atomic<int> in_flight_{0};
  absl::Mutex mutex_;
  std::vector<Request> incoming_ ABSL_GUARDED_BY(mutex_);
  State state_ ABSL_GUARDED_BY(mutex_) = State::kOpen;
  // Whether the loop waits or is about to, so that it must be woken.
  bool asleep_ ABSL_GUARDED_BY(mutex_) = false;
};

Loop::Loop(LoopOptions options, OnResults on_results)
    : on_results_(std::move(on_results)), mailbox_(std::make_unique<Mailbox>(std::move(options))) {}

Loop::~Loop() { Stop(); }

void Loop::Start() { thread_ = std::thread(&Loop::Run, this); }

void Loop::Send(std::vector<Request> requests) {
  if (requests.empty() || mailbox_->Put(&requests)) return;
  std::vector<Result> results;
  for (const Request& request : requests) results.push_back(StoppedResult(request));
  on_results_(std::move(results));
}

int Loop::in_flight() const { return mailbox_->in_flight(); }

void Loop::Run() {
  PrepareThread();
  std::vector<Request> requests;
  while (mailbox_->Take(&requests)) {
    std::vector<Result> results;
    mailbox_->multi().Add(std::exchange(requests, {}), &results);
    mailbox_->multi().Advance(&results);
    if (!results.empty()) Deliver(std::move(results));
    mailbox_->Wait();
  }
  End(std::move(requests));
}

// Answers what is left. On the loop's thread; or on the owner's, if there is none.
void Loop::End(std::vector<Request> taken) {
  std::vector<Result> results;
  mailbox_->multi().Abort(&results);
  for (const Request& request : taken) results.push_back(StoppedResult(request));
  for (const Request& request : mailbox_->Close()) results.push_back(StoppedResult(request));
  if (!results.empty()) Deliver(std::move(results));
}

void Loop::Deliver(std::vector<Result> results) {
  mailbox_->CountOut(results.size());
  on_results_(std::move(results));
}

void Loop::Stop() {
  mailbox_->AskToEnd();
  if (thread_.joinable()) {
    thread_.join();
  } else {
    End({});
  }
}

}  // namespace postrider::http

#include "client/stream_publisher.h"

#include <grpcpp/support/client_callback.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "client/channel.h"
#include "client/publisher.h"
#include "client/status_details.h"
#include "client/status_from_grpc.h"
#include "postrider/v1/publisher_service.grpc.pb.h"

namespace postrider::client {
namespace {

// For `sequence` and the length of `request` around an event.
constexpr size_t kItemOverhead = 32;

absl::Status StatusOfItem(const google::rpc::Status& status) {
  return StatusFromGrpc(grpc::Status(static_cast<grpc::StatusCode>(status.code()), status.message(),
                                     status.SerializeAsString()));
}

}  // namespace

// Owns the events that are not answered, a stream while there is something to send, and a thread
// that opens streams and sends again what has to be. Everything happens under one mutex but the
// calls of `done`.
class StreamPublisher::Sender {
 public:
  Sender(const ClientOptions& options, const StreamOptions& stream_options)
      : options_(options),
        stream_options_(stream_options),
        stub_(v1::PublisherService::NewStub(MakeChannel(options))),
        surroundings_(Surroundings::Real()),
        thread_([this] { Run(); }) {}

  ~Sender() {
    {
      absl::MutexLock lock(&mutex_);
      closing_ = woken_ = true;
    }
    thread_.join();
  }

  void Publish(v1::PublishRequest request, Done done) {
    if (request.idempotency_key().empty() && !request.validate_only()) {
      request.set_idempotency_key(NewIdempotencyKey());
    }
    const size_t bytes = request.ByteSizeLong() + kItemOverhead;
    if (bytes > static_cast<size_t>(kMaxMessageBytes)) {
      done(absl::InvalidArgumentError(absl::StrCat("the request is ", bytes,
                                                   " bytes, more than the ", kMaxMessageBytes,
                                                   " that the server takes")));
      return;
    }
    Item item;
    *item.message.mutable_request() = std::move(request);
    item.done = std::move(done);
    absl::MutexLock lock(&mutex_);
    const auto room = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return items_.size() < static_cast<size_t>(stream_options_.max_unanswered);
    };
    mutex_.Await(absl::Condition(&room));
    const int64_t sequence = ++last_sequence_;
    item.message.set_sequence(sequence);
    item.deadline = absl::Now() + stream_options_.retry.deadline;
    items_.emplace(sequence, std::move(item));
    Queue(sequence);
  }

  void Flush() {
    absl::MutexLock lock(&mutex_);
    const auto idle = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return Idle(); };
    mutex_.Await(absl::Condition(&idle));
  }

 private:
  struct Item {
    v1::StreamPublishRequest message;
    Done done;
    int tries = 0;        // begun
    bool sent = false;    // on the stream there is
    absl::Time overdue;   // when sent: its answer should be there by then
    absl::Time deadline;  // no try begins after it
  };
  // What is to be called once the mutex is free.
  struct Ending {
    Done done;
    absl::StatusOr<v1::PublishResponse> result;
  };

  // Reads, and writes what the sender has. All writes but those of OnWriteDone come from elsewhere,
  // so a hold keeps the call from ending before `Release`.
  class Stream final
      : public grpc::ClientBidiReactor<v1::StreamPublishRequest, v1::StreamPublishResponse> {
   public:
    explicit Stream(Sender& sender) : sender_(sender) {
      Authorize(sender.options_, &context_);
      sender.stub_->async()->StreamPublish(&context_, this);
    }

    void Begin() {
      AddHold();
      StartRead(&incoming_);
      StartCall();
    }
    void Write(const v1::StreamPublishRequest& message, bool more_follow) {
      grpc::WriteOptions options;
      if (more_follow) options.set_buffer_hint();
      StartWrite(&message, options);
    }
    // No more writes from elsewhere; the first call counts.
    void Release() {
      if (!std::exchange(released_, true)) RemoveHold();
    }
    void HalfClose() {
      if (released_) return;
      StartWritesDone();
      Release();
    }
    void Cancel() { context_.TryCancel(); }
    bool released() const { return released_; }

    void OnReadDone(bool ok) override {
      if (!ok) {
        absl::MutexLock lock(&sender_.mutex_);
        Release();
        return;
      }
      sender_.Answered(incoming_);
      StartRead(&incoming_);
    }
    void OnWriteDone(bool ok) override { sender_.Written(ok); }
    void OnDone(const grpc::Status& status) override { sender_.Ended(StatusFromGrpc(status)); }

   private:
    Sender& sender_;
    grpc::ClientContext context_;
    v1::StreamPublishResponse incoming_;
    bool released_ = false;  // guarded by the sender's mutex
  };

  bool Idle() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return items_.empty() && endings_ == 0;
  }

  void Queue(int64_t sequence) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    to_send_.push_back(sequence);
    if (stream_ == nullptr) woken_ = true;
    MaybeWrite();
  }

  void MaybeWrite() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (stream_ == nullptr || stream_->released() || writing_ || to_send_.empty()) return;
    const int64_t sequence = to_send_.front();
    to_send_.pop_front();
    Item& item = items_.at(sequence);
    ++item.tries;
    item.sent = true;
    item.overdue = std::min(absl::Now() + stream_options_.retry.try_timeout, item.deadline);
    sent_.push_back(sequence);
    writing_ = true;
    // gRPC serialises it before it returns, so the item may be answered and gone afterwards.
    stream_->Write(item.message, !to_send_.empty());
  }

  void Written(bool ok) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    if (ok) MaybeWrite();  // Else the stream is about to end.
  }

  void Answered(const v1::StreamPublishResponse& answer) ABSL_LOCKS_EXCLUDED(mutex_) {
    std::optional<Ending> ending;
    {
      absl::MutexLock lock(&mutex_);
      lost_streams_ = 0;
      const int64_t sequence = answer.sequence();
      if (!IsSent(sequence)) return;
      ending = answer.has_response() ? End(sequence, answer.response())
                                     : Fail(sequence, StatusOfItem(answer.status()));
      ForgetAnswered();
    }
    if (ending) Call(std::move(*ending));
  }

  void ForgetAnswered() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    while (!sent_.empty() && !IsSent(sent_.front())) sent_.pop_front();
  }

  Ending End(int64_t sequence, absl::StatusOr<v1::PublishResponse> result)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    ++endings_;
    const auto it = items_.find(sequence);
    Ending ending{std::move(it->second.done), std::move(result)};
    items_.erase(it);
    return ending;
  }

  void Call(Ending ending) ABSL_LOCKS_EXCLUDED(mutex_) {
    ending.done(std::move(ending.result));
    absl::MutexLock lock(&mutex_);
    --endings_;
    if (closing_) woken_ = true;
  }

  void Ended(absl::Status status) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    ended_ = std::move(status);
    woken_ = true;
  }

  bool IsSent(int64_t sequence) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const auto it = items_.find(sequence);
    return it != items_.end() && it->second.sent;
  }

  // A try that failed: sent again later, or over with what is to be called.
  std::optional<Ending> Fail(int64_t sequence, const absl::Status& status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    Item& item = items_.at(sequence);
    item.sent = false;
    const absl::Time again = absl::Now() + RetryWait(stream_options_.retry, item.tries,
                                                     RetryDelay(status), surroundings_.random());
    if (IsWorthRetrying(status.code()) && item.tries < stream_options_.retry.max_tries &&
        again < item.deadline) {
      later_.emplace(again, sequence);
      woken_ = true;
      return std::nullopt;
    }
    return End(sequence, status);
  }

  // The stream is over: what was sent on it and not answered failed with it, and everything if
  // another one would end the same way.
  void StreamLost(absl::Status status, std::vector<Ending>* endings)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (status.ok()) status = absl::UnavailableError("the stream ended without an answer");
    if (absl::IsCancelled(status)) {
      // By us, or what the server's end looks like when it has no time for more.
      status = overdue_ ? NoAnswerInTime() : absl::UnavailableError(status.message());
    }
    overdue_ = false;
    reopen_at_ = absl::Now() + RetryWait(stream_options_.retry, ++lost_streams_, RetryDelay(status),
                                         surroundings_.random());
    for (int64_t sequence : std::exchange(sent_, {})) {
      if (!IsSent(sequence)) continue;
      if (std::optional<Ending> ending = Fail(sequence, status)) {
        endings->push_back(std::move(*ending));
      }
    }
    lost_with_ = status;
    if (IsWorthRetrying(status.code())) return;
    to_send_.clear();
    later_.clear();
    while (!items_.empty()) endings->push_back(End(items_.begin()->first, status));
  }

  // Says what the try before met, if none was answered since: often the reason.
  absl::Status NoAnswerInTime() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    constexpr absl::string_view kText = "there was no answer in time";
    if (lost_streams_ == 0) return absl::DeadlineExceededError(kText);
    if (absl::IsDeadlineExceeded(lost_with_)) return lost_with_;  // it says so already
    return absl::DeadlineExceededError(
        absl::StrCat(kText, "; the stream before: ", lost_with_.message()));
  }

  // What waits for a stream does so no longer than its deadline.
  void FailUnsent(absl::Time now, std::vector<Ending>* endings)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    while (stream_ == nullptr && !to_send_.empty() && items_.at(to_send_.front()).deadline <= now) {
      endings->push_back(End(to_send_.front(), lost_with_));
      to_send_.pop_front();
    }
  }

  // The thread.
  void Run() ABSL_LOCKS_EXCLUDED(mutex_) {
    for (bool over = false; !over;) {
      std::unique_ptr<Stream> gone;
      std::vector<Ending> endings;
      {
        absl::MutexLock lock(&mutex_);
        const auto woken = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return woken_; };
        mutex_.AwaitWithDeadline(absl::Condition(&woken), NextTime());
        woken_ = false;
        if (ended_) {
          gone = std::move(stream_);
          writing_ = false;
          StreamLost(*std::exchange(ended_, std::nullopt), &endings);
        }
        const absl::Time now = absl::Now();
        while (!later_.empty() && later_.begin()->first <= now) {
          to_send_.push_back(later_.begin()->second);
          later_.erase(later_.begin());
        }
        FailUnsent(now, &endings);
        ForgetAnswered();
        if (stream_ != nullptr && !sent_.empty() && items_.at(sent_.front()).overdue <= now &&
            !std::exchange(overdue_, true)) {
          stream_->Cancel();
        }
        if (stream_ == nullptr && !to_send_.empty() && reopen_at_ <= now) {
          stream_ = std::make_unique<Stream>(*this);
          stream_->Begin();
        }
        MaybeWrite();
        if (closing_ && Idle()) {
          if (stream_ != nullptr) stream_->HalfClose();
          over = stream_ == nullptr;
        }
      }
      for (Ending& ending : endings) Call(std::move(ending));
    }
  }

  absl::Time NextTime() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    absl::Time next = absl::InfiniteFuture();
    if (!later_.empty()) next = later_.begin()->first;
    if (stream_ == nullptr && !to_send_.empty()) {
      next = std::min({next, reopen_at_, items_.at(to_send_.front()).deadline});
    }
    if (!overdue_ && !sent_.empty() && IsSent(sent_.front())) {
      next = std::min(next, items_.at(sent_.front()).overdue);
    }
    return next;
  }

  const ClientOptions options_;
  const StreamOptions stream_options_;
  const std::unique_ptr<v1::PublisherService::Stub> stub_;
  const Surroundings surroundings_;

  absl::Mutex mutex_;
  int64_t last_sequence_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_map<int64_t, Item> items_ ABSL_GUARDED_BY(mutex_);
  std::deque<int64_t> to_send_ ABSL_GUARDED_BY(mutex_);
  std::deque<int64_t> sent_ ABSL_GUARDED_BY(mutex_);  // in that order, some answered since
  std::multimap<absl::Time, int64_t> later_ ABSL_GUARDED_BY(mutex_);  // to be sent again then
  std::unique_ptr<Stream> stream_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool overdue_ ABSL_GUARDED_BY(mutex_) = false;  // the stream is canceled for that
  int endings_ ABSL_GUARDED_BY(mutex_) = 0;       // being called
  int lost_streams_ ABSL_GUARDED_BY(mutex_) = 0;  // since the last answer
  absl::Time reopen_at_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  absl::Status lost_with_ ABSL_GUARDED_BY(mutex_) = absl::UnavailableError("no stream yet");
  std::optional<absl::Status> ended_ ABSL_GUARDED_BY(mutex_);  // how the stream did
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

absl::StatusOr<StreamPublisher> StreamPublisher::Create(const ClientOptions& options,
                                                        const StreamOptions& stream_options) {
  if (absl::Status status = CheckOptions(options); !status.ok()) return status;
  return StreamPublisher(std::make_unique<Sender>(options, stream_options));
}

StreamPublisher::StreamPublisher(std::unique_ptr<Sender> sender) : sender_(std::move(sender)) {}
StreamPublisher::StreamPublisher(StreamPublisher&&) noexcept = default;
StreamPublisher& StreamPublisher::operator=(StreamPublisher&&) noexcept = default;
StreamPublisher::~StreamPublisher() = default;

void StreamPublisher::Publish(v1::PublishRequest request, Done done) {
  sender_->Publish(std::move(request), std::move(done));
}

void StreamPublisher::Flush() { sender_->Flush(); }

}  // namespace postrider::client

#include "server/rpc/publish_stream.h"

#include <utility>
#include <vector>

#include "google/rpc/status.pb.h"
#include "server/rpc/call.h"
#include "server/rpc/errors.h"

namespace postrider::rpc {
namespace {

grpc::Status Draining() {
  return RetryLater(grpc::StatusCode::UNAVAILABLE, reason::kUnavailable,
                    "the server is stopping: items without an answer were not accepted by it, send "
                    "them to another one",
                    absl::Milliseconds(200));
}

// How an item's status is told: as the status of a call, details included.
void FillStatus(const grpc::Status& status, google::rpc::Status* out) {
  if (!out->ParseFromString(status.error_details())) out->Clear();
  out->set_code(static_cast<int>(status.error_code()));
  out->set_message(status.error_message());
}

}  // namespace

// One stream. gRPC's threads read and write, the commit thread brings answers; whoever changes the
// state under the mutex also starts what follows from it there, so nothing is started after Finish.
class PublishStream final : public PublishStreams::Reactor,
                            public std::enable_shared_from_this<PublishStream> {
 public:
  PublishStream(grpc::CallbackServerContext* context, Caller caller, PublishStreams& streams)
      : context_(*context), origin_(*context, std::move(caller)), streams_(streams) {}

  void Begin() {
    absl::MutexLock lock(&mutex_);
    if (!ended_) StartRead(&incoming_);
    reading_ = !ended_;
  }

  const Caller& caller() const { return origin_.caller; }

  // Reads nothing more, and ends with this when all is answered; the first call counts.
  void End(const grpc::Status& status) {
    absl::MutexLock lock(&mutex_);
    EndLocked(status);
  }

  void OnReadDone(bool ok) override {
    v1::StreamPublishRequest item;
    const bool parsed = ok && ParseRequest(incoming_, item);
    const auto bytes = static_cast<int64_t>(incoming_.Length());
    {
      absl::MutexLock lock(&mutex_);
      if (!ok) {
        EndLocked(grpc::Status::OK);  // The caller has said everything.
      } else if (!parsed) {
        EndLocked(Malformed());
      }
      if (ended_) {
        reading_ = false;
        return;
      }
      ++unanswered_;
      unanswered_bytes_ += bytes;
    }
    // The next one is read afterwards, whoever asks for it: items are accepted in their order.
    Publish(item, bytes);
    absl::MutexLock lock(&mutex_);
    reading_ = false;
    MaybeRead();
  }

  void OnWriteDone(bool ok) override {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    // Nobody listens any more: the items are accepted all the same, and their answers are dropped.
    if (!ok) Break();
    --unanswered_;
    unanswered_bytes_ -= outgoing_bytes_;
    MaybeWrite();
    MaybeRead();
    MaybeFinish();
  }

  void OnCancel() override {
    absl::MutexLock lock(&mutex_);
    Break();
    MaybeFinish();
  }

  void OnDone() override { streams_.Remove(shared_from_this()); }

 private:
  struct Answer {
    grpc::ByteBuffer message;
    int64_t item_bytes;  // of what it answers
  };

  void Publish(const v1::StreamPublishRequest& item, int64_t bytes) {
    if (!item.has_request()) {
      FieldErrors errors;
      errors.Add("request", "must be set");
      Put(item.sequence(), bytes, errors.ToStatus(), v1::BatchPublishResponse());
      return;
    }
    if (grpc::Status charged = streams_.calls_.gate().AdmitItem(origin_.caller); !charged.ok()) {
      Put(item.sequence(), bytes, charged, v1::BatchPublishResponse());
      // Above the rate it is the item that is refused; a key that ended ends the stream.
      if (charged.error_code() == grpc::StatusCode::UNAUTHENTICATED) End(charged);
      return;
    }
    streams_.calls_.Publish(
        item.request(), origin_, WaitUntil(context_),
        [self = shared_from_this(), sequence = item.sequence(), bytes](
            const grpc::Status& status, const v1::BatchPublishResponse& response) {
          self->Put(sequence, bytes, status, response);
        });
  }

  void Put(int64_t sequence, int64_t item_bytes, const grpc::Status& status,
           const v1::BatchPublishResponse& response) {
    v1::StreamPublishResponse answer;
    answer.set_sequence(sequence);
    if (status.ok()) {
      *answer.mutable_response() = response.responses(0);
    } else {
      FillStatus(status, answer.mutable_status());
    }
    Answer message{{}, item_bytes};
    WriteResponse(answer, &message.message);
    absl::MutexLock lock(&mutex_);
    if (broken_) {
      --unanswered_;
      unanswered_bytes_ -= item_bytes;
      MaybeFinish();
      return;
    }
    answers_.push_back(std::move(message));
    MaybeWrite();
  }

  void EndLocked(const grpc::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (ended_) return;
    ended_ = true;
    final_ = status;
    MaybeFinish();
  }

  void Break() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!ended_) final_ = grpc::Status::CANCELLED;
    ended_ = broken_ = true;
    for (const Answer& answer : answers_) {
      --unanswered_;
      unanswered_bytes_ -= answer.item_bytes;
    }
    answers_.clear();
  }

  void MaybeRead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (ended_ || reading_ || unanswered_ >= kMaxStreamItems ||
        unanswered_bytes_ >= kMaxStreamBytes) {
      return;
    }
    reading_ = true;
    StartRead(&incoming_);
  }

  void MaybeWrite() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (writing_ || answers_.empty()) return;
    writing_ = true;
    outgoing_ = std::move(answers_.front().message);
    outgoing_bytes_ = answers_.front().item_bytes;
    answers_.pop_front();
    grpc::WriteOptions options;
    // More follows at once: one packet for several.
    if (!answers_.empty()) options.set_buffer_hint();
    StartWrite(&outgoing_, options);
  }

  void MaybeFinish() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!ended_ || finished_ || writing_ || unanswered_ > 0) return;
    finished_ = true;
    Finish(final_);
  }

  const grpc::CallbackServerContext& context_;
  const PublishOrigin origin_;
  PublishStreams& streams_;
  grpc::ByteBuffer incoming_;  // gRPC's while it reads, then OnReadDone's

  absl::Mutex mutex_;
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;  // an item, or handing it over
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;     // nothing more is read
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;    // nothing more can be written
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;  // Finish was called
  grpc::Status final_ ABSL_GUARDED_BY(mutex_);
  int unanswered_ ABSL_GUARDED_BY(mutex_) = 0;  // read, and the answer not written
  int64_t unanswered_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<Answer> answers_ ABSL_GUARDED_BY(mutex_);
  grpc::ByteBuffer outgoing_ ABSL_GUARDED_BY(mutex_);   // gRPC's while writing_
  int64_t outgoing_bytes_ ABSL_GUARDED_BY(mutex_) = 0;  // of the item whose answer is written
};

PublishStreams::Reactor* PublishStreams::Open(grpc::CallbackServerContext* context) {
  Caller caller;
  const grpc::Status admitted = calls_.gate().Admit<v1::StreamPublishRequest>(*context, caller);
  auto stream = std::make_shared<PublishStream>(context, std::move(caller), *this);
  bool draining;
  {
    absl::MutexLock lock(&mutex_);
    open_.insert(stream);
    draining = draining_;
  }
  if (!admitted.ok()) stream->End(admitted);
  if (draining) stream->End(Draining());
  stream->Begin();
  return stream.get();
}

void PublishStreams::EndThoseOfEndedKeys() {
  std::vector<std::shared_ptr<PublishStream>> ending;
  {
    absl::MutexLock lock(&mutex_);
    for (const std::shared_ptr<PublishStream>& stream : open_) {
      if (calls_.gate().HasEnded(stream->caller())) ending.push_back(stream);
    }
  }
  for (const std::shared_ptr<PublishStream>& stream : ending) stream->End(KeyEnded());
}

void PublishStreams::Drain() {
  std::vector<std::shared_ptr<PublishStream>> open;
  {
    absl::MutexLock lock(&mutex_);
    draining_ = true;
    open.assign(open_.begin(), open_.end());
  }
  for (const std::shared_ptr<PublishStream>& stream : open) stream->End(Draining());
}

bool PublishStreams::AllEnded() const {
  absl::MutexLock lock(&mutex_);
  return open_.empty();
}

void PublishStreams::Remove(const std::shared_ptr<PublishStream>& stream) {
  absl::MutexLock lock(&mutex_);
  open_.erase(stream);
}

}  // namespace postrider::rpc

#include "server/publish/committer.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

namespace postrider::publish {
namespace {

// Runs that may lose races for keys to other nodes: of one call, before it is given up, and of
// several, before they are taken apart.
constexpr int kMaxRuns = 5;
constexpr int kMaxRunsTogether = 2;

// Errors that one call may have brought upon all that it was stored with: then a batch is halved
// until the others are free of it.
bool MayBeOneCalls(const absl::Status& status) {
  return absl::IsAborted(status) || absl::IsInternal(status) || absl::IsOutOfRange(status);
}

std::vector<EventId> IdsOf(const std::vector<NewEvent>& events) {
  std::vector<EventId> ids;
  ids.reserve(events.size());
  for (const NewEvent& event : events) ids.push_back(event.id);
  return ids;
}

absl::Status ToCaller(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kAborted:
      return absl::AbortedError(
          "the idempotency key was being used by others all the time: nothing was stored, try "
          "again");
    case absl::StatusCode::kOutOfRange:
      return absl::FailedPreconditionError(
          absl::StrCat("the events of this call would make more than ", kMaxFanOut,
                       " deliveries at once: nothing was stored, publish them in smaller batches"));
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kUnknown:
      return absl::UnavailableError(status.message());
    default:
      return status;
  }
}

ptrdiff_t Offset(size_t index) { return static_cast<ptrdiff_t>(index); }

int64_t BytesOf(const Submission& submission) {
  int64_t bytes = 0;
  for (const NewEvent& event : submission.events) bytes += static_cast<int64_t>(event.body->size());
  return bytes;
}

struct Key {
  Tenant tenant;
  std::string key;
  bool operator==(const Key&) const = default;
  template <typename H>
  friend H AbslHashValue(H h, const Key& k) {
    return H::combine(std::move(h), k.tenant, k.key);
  }
};

}  // namespace

Committer::Committer(std::unique_ptr<EventAcceptor> acceptor, const CommitLimits& limits,
                     LeaseSource lease, Outputs outputs, const DatabaseClock& clock)
    : acceptor_(std::move(acceptor)),
      limits_(limits),
      lease_(std::move(lease)),
      outputs_(std::move(outputs)),
      clock_(clock),
      bound_(limits.max_batch_events) {}

bool Committer::Exceeds(const Waiting& waiting, const Waiting& more, int part) const {
  if (waiting.events == 0) return false;  // a call alone may be larger
  return waiting.events + more.events > limits_.max_waiting_events / static_cast<size_t>(part) ||
         waiting.bytes + more.bytes > limits_.max_waiting_bytes / part;
}

absl::Status Committer::Admit(const Submission& submission) {
  const Waiting more{submission.events.size(), BytesOf(submission)};
  absl::MutexLock lock(&mutex_);
  if (Exceeds(admitted_, more, 1)) {
    return absl::ResourceExhaustedError("more is being published than can be stored: slow down");
  }
  Waiting& of_org = admitted_of_[OrgOf(submission)];
  if (Exceeds(of_org, more, 2)) {
    return absl::ResourceExhaustedError(
        "this org publishes more than can be stored: slow down, others are not held up");
  }
  for (Waiting* waiting : {&admitted_, &of_org}) {
    waiting->events += more.events;
    waiting->bytes += more.bytes;
  }
  return absl::OkStatus();
}

Instant Committer::Step(std::vector<Submission> submissions) {
  for (Submission& submission : submissions) waiting_.Push(std::move(submission));
  Commit(TakeBatch());
  return waiting_.empty() ? absl::InfiniteDuration() : clock_.Monotonic();
}

std::vector<Submission> Committer::TakeBatch() {
  std::vector<Submission> batch;
  std::vector<Submission> late;
  std::vector<Submission> behind;
  absl::flat_hash_set<Key> keys;
  Waiting taken;
  const Instant now = clock_.Monotonic();
  const size_t most = bound_.Events(now);
  while (!waiting_.empty() && taken.events < most && taken.bytes < limits_.max_batch_bytes) {
    Submission submission = waiting_.Pop();
    const bool repeats =
        std::any_of(submission.events.begin(), submission.events.end(), [&](const NewEvent& e) {
          return !e.idempotency_key.empty() && keys.contains({e.tenant, e.idempotency_key});
        });
    if (submission.deadline <= now) {
      late.push_back(std::move(submission));
    } else if (repeats) {
      behind.push_back(std::move(submission));
    } else {
      for (const NewEvent& event : submission.events) {
        if (!event.idempotency_key.empty()) keys.insert({event.tenant, event.idempotency_key});
      }
      bound_.OnCall(OrgOf(submission), now);
      taken.events += submission.events.size();
      taken.bytes += BytesOf(submission);
      batch.push_back(std::move(submission));
    }
  }
  for (auto it = behind.rbegin(); it != behind.rend(); ++it) waiting_.PutBack(std::move(*it));
  Leave(batch);
  Leave(late);
  for (Submission& submission : late) {
    submission.done(absl::DeadlineExceededError(
        "the deadline passed before the event's turn came: nothing was stored"));
  }
  return batch;
}

void Committer::Leave(const std::vector<Submission>& submissions) {
  absl::MutexLock lock(&mutex_);
  for (const Submission& submission : submissions) {
    const auto of_org = admitted_of_.find(OrgOf(submission));
    for (Waiting* waiting : {&admitted_, &of_org->second}) {
      waiting->events -= submission.events.size();
      waiting->bytes -= BytesOf(submission);
    }
    if (of_org->second.events == 0) admitted_of_.erase(of_org);
  }
}

void Committer::Commit(std::vector<Submission> batch) {
  if (batch.empty()) return;
  std::vector<NewEvent> events;
  std::vector<int32_t> numbers;
  std::vector<size_t> ends;  // of each submission's events
  for (size_t i = 0; i < batch.size(); ++i) {
    for (NewEvent& event : batch[i].events) {
      events.push_back(std::move(event));
      numbers.push_back(static_cast<int32_t>(i));
    }
    ends.push_back(events.size());
  }
  const bool alone = batch.size() == 1;
  absl::StatusOr<std::vector<AcceptResult>> results = absl::UnknownError("not run");
  // ABORTED: somebody else took a key of the batch at this moment; it is stored now, and found next
  // time.
  for (int run = 0; run < (alone ? kMaxRuns : kMaxRunsTogether); ++run) {
    const Instant begun = clock_.Monotonic();
    results = acceptor_->Accept(events, numbers, lease_());
    if (results.ok()) {
      bound_.OnStored(events.size(), clock_.Monotonic() - begun);
      outputs_.accepted(events, *results, begun);
    }
    if (absl::IsUnknown(results.status())) outputs_.untold(IdsOf(events));
    if (!absl::IsAborted(results.status())) break;
  }
  if (!alone && MayBeOneCalls(results.status())) {
    for (size_t i = 0, from = 0; i < batch.size(); from = ends[i++]) {
      batch[i].events.assign(std::make_move_iterator(events.begin() + Offset(from)),
                             std::make_move_iterator(events.begin() + Offset(ends[i])));
    }
    const auto half = batch.begin() + Offset(batch.size() / 2);
    std::vector<Submission> rest(std::make_move_iterator(half),
                                 std::make_move_iterator(batch.end()));
    batch.erase(half, batch.end());
    Commit(std::move(batch));
    Commit(std::move(rest));
    return;
  }
  if (!results.ok()) {
    for (Submission& submission : batch) submission.done(ToCaller(results.status()));
    return;
  }
  for (size_t i = 0, from = 0; i < batch.size(); from = ends[i++]) {
    batch[i].done(
        std::vector<AcceptResult>(std::make_move_iterator(results->begin() + Offset(from)),
                                  std::make_move_iterator(results->begin() + Offset(ends[i]))));
  }
}

}  // namespace postrider::publish

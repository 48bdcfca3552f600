#include "server/http/multi.h"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>

namespace postrider::http {
namespace {

// Idle handles (about 20 KiB each) kept for the next requests: making one costs as much
// as a transfer. A burst may need more, which are freed after it.
constexpr size_t kMaxIdleTransfers = 1024;

CURLM* NewMulti(const LoopOptions& options) {
  static const CURLcode global = curl_global_init(CURL_GLOBAL_DEFAULT);
  CURLM* multi = global == CURLE_OK ? curl_multi_init() : nullptr;
  if (multi == nullptr) std::abort();  // No memory or descriptors at start: nothing can work.
  const long connections = options.max_connections_total;
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, connections);
  curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, connections);
  curl_multi_setopt(multi, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_NOTHING));
  return multi;
}

// Requests started in a turn: answers that are there are not kept waiting by a burst of them.
constexpr int kStartsAtOnce = 64;

// How often the requests that wait are searched for those whose start_by has passed. None starts
// late in between; it is only given back that much later.
constexpr absl::Duration kExpiryInterval = absl::Milliseconds(100);

// How often transfers under way are looked at for a flood of bytes that libcurl does not tell of.
constexpr absl::Duration kFloodCheckInterval = absl::Milliseconds(250);

// How long a request's transfer may spend in its lookup.
absl::Duration LookupTimeout(const Request& request) {
  return std::min(request.timeout, request.connect_timeout);
}

void MarkStopped(Result* result) {
  result->error = TransferError::kConnection;
  result->error_text = "stopped";
}

Result NotStartedResult(uint64_t id) {
  Result result;
  result.id = id;
  result.error = TransferError::kNotStarted;
  result.error_text = "its turn did not come in time";
  return result;
}

}  // namespace

Result StoppedResult(const Request& request) {
  Result result;
  result.id = request.id;
  MarkStopped(&result);
  return result;
}

Multi::Multi(LoopOptions options)
    : options_(std::move(options)),
      queue_(options_.max_connections_total, options_.max_connections_per_origin),
      lookups_(options_.max_lookups),
      multi_(NewMulti(options_)),
      sockets_(multi_) {}

Multi::~Multi() {
  for (auto& [transfer, owner] : running_) curl_multi_remove_handle(multi_, transfer->easy());
  running_.clear();
  idle_.clear();
  curl_multi_cleanup(multi_);
}

void Multi::Add(std::vector<Request> requests, std::vector<Result>* results) {
  for (Request& request : requests) {
    if (request.url.empty()) {
      results->push_back(UnsendableResult(request.id));
    } else {
      queue_.Add(std::move(request));
    }
  }
}

void Multi::Advance(std::vector<Result>* results) {
  const Instant now = MonotonicNow();
  if (now >= next_expiry_ && HasWaiting()) ExpireWaiting(now, results);
  StartWaiting(now, results);
  sockets_.Act();
  if (refusing_transfers_ > 0 || sockets_.next_address_due()) sockets_.ActOnAll();
  CollectEnded(results);
  if (now >= next_flood_check_) {
    EndFlooded(results);
    next_flood_check_ = now + kFloodCheckInterval;
  }
}

void Multi::EndFlooded(std::vector<Result>* results) {
  std::vector<Transfer*> flooded;
  for (const auto& [transfer, owner] : running_) {
    if (transfer->IsFlooded()) flooded.push_back(transfer);
  }
  for (Transfer* const transfer : flooded) {
    curl_multi_remove_handle(multi_, transfer->easy());
    End(transfer, CURLE_ABORTED_BY_CALLBACK, results);
  }
}

void Multi::ExpireWaiting(Instant now, std::vector<Result>* results) {
  for (const Request& request : queue_.TakeExpired(now)) {
    results->push_back(NotStartedResult(request.id));
  }
  for (const Request& request : lookups_.TakeExpired(now)) {
    queue_.Drop(request.url.origin());
    results->push_back(NotStartedResult(request.id));
  }
  next_expiry_ = now + kExpiryInterval;
}

void Multi::StartWaiting(Instant now, std::vector<Result>* results) {
  for (Request& request : lookups_.TakeRunnable()) queue_.Return(std::move(request));
  for (int i = 0; i < kStartsAtOnce; ++i) {
    std::optional<Request> request = queue_.Next();
    if (!request) return;
    Start(*std::move(request), now, results);
  }
}

void Multi::Start(Request request, Instant now, std::vector<Result>* results) {
  if (request.start_by <= now) {
    queue_.Done(request.url.origin());
    results->push_back(NotStartedResult(request.id));
    return;
  }
  std::unique_ptr<Transfer> owner = TakeTransfer();
  Transfer* const transfer = owner.get();
  const bool ready = transfer->Prepare(std::move(request));
  running_.emplace(transfer, std::move(owner));
  if (!ready || curl_multi_add_handle(multi_, transfer->easy()) != CURLM_OK) {
    End(transfer, CURLE_FAILED_INIT, results);
  }
}

void Multi::CollectEnded(std::vector<Result>* results) {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* const easy = message->easy_handle;
    const CURLcode code = message->data.result;
    curl_multi_remove_handle(multi_, easy);  // Ends the life of `message`.
    End(Transfer::Of(easy), code, results);
  }
}

void Multi::End(Transfer* transfer, CURLcode code, std::vector<Result>* results) {
  if (transfer->inspected(code)) {
    transfer->PrepareToConnect();
    if (curl_multi_add_handle(multi_, transfer->easy()) == CURLM_OK) return;
  }
  const auto it = running_.find(transfer);
  std::unique_ptr<Transfer> owner = std::move(it->second);
  running_.erase(it);
  if (transfer->lookup_refused()) {
    queue_.SetAside();
    const std::string name = transfer->lookup_name();
    lookups_.Park(name, transfer->TakeRequest(), MonotonicNow());
  } else if (transfer->owns_lookup()) {
    const std::string name = transfer->lookup_name();
    const Request request = transfer->request();
    results->push_back(transfer->Finish(code));
    queue_.Done(request.url.origin());
    EndLookup(name, request, code, results);
  } else {
    const ParsedUrl url = transfer->request().url;
    results->push_back(transfer->Finish(code));
    queue_.Done(url.origin());
  }
  if (transfer->easy() != nullptr && idle_.size() < kMaxIdleTransfers) {
    idle_.push_back(std::move(owner));
  }
}

// The transfer whose result came last has ended inside its lookup. Requests that waited for the
// lookup share that end, unless it came from a timeout shorter than theirs: those try again.
void Multi::EndLookup(const std::string& name, const Request& owner, CURLcode code,
                      std::vector<Result>* results) {
  const bool failed = code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY;
  const absl::Duration waited = LookupTimeout(owner);
  const Result result = results->back();
  for (Request& request : lookups_.Failed(name, MonotonicNow())) {
    if (failed || (code == CURLE_OPERATION_TIMEDOUT && LookupTimeout(request) <= waited)) {
      queue_.Drop(request.url.origin());
      results->push_back(result);
      results->back().id = request.id;
    } else {
      queue_.Return(std::move(request));
    }
  }
}

void Multi::Abort(std::vector<Result>* results) {
  for (auto& [transfer, owner] : running_) {
    curl_multi_remove_handle(multi_, transfer->easy());
    results->push_back(transfer->Finish(CURLE_ABORTED_BY_CALLBACK));
    MarkStopped(&results->back());
  }
  running_.clear();
  for (const Request& request : queue_.TakeAll()) results->push_back(StoppedResult(request));
  for (const Request& request : lookups_.TakeAll()) results->push_back(StoppedResult(request));
}

bool Multi::HasWork() const { return queue_.HasNext() || lookups_.HasRunnable(); }

std::unique_ptr<Transfer> Multi::TakeTransfer() {
  if (idle_.empty()) {
    return std::make_unique<Transfer>(options_, lookups_, sockets_, refusing_transfers_);
  }
  std::unique_ptr<Transfer> transfer = std::move(idle_.back());
  idle_.pop_back();
  return transfer;
}

void Multi::Wait(absl::Duration timeout) {
  if (HasWork() || refusing_transfers_ > 0 || sockets_.next_address_due()) {
    timeout = absl::ZeroDuration();
  } else if (HasWaiting()) {
    timeout = std::min(timeout, kExpiryInterval);
  }
  sockets_.Wait(timeout);
}

void Multi::Wakeup() { sockets_.Wakeup(); }

}  // namespace postrider::http

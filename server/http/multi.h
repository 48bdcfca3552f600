// Internal to server/http: includes libcurl.
#ifndef POSTRIDER_SERVER_HTTP_MULTI_H_
#define POSTRIDER_SERVER_HTTP_MULTI_H_

#include <curl/curl.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "server/http/lookup_gate.h"
#include "server/http/loop.h"
#include "server/http/request.h"
#include "server/http/sockets.h"
#include "server/http/start_queue.h"
#include "server/http/transfer.h"

namespace postrider::http {

// libcurl's multi handle with the transfers in it and the requests that wait to get in. One thread
// uses it, but for Wakeup(). A request that was added comes out as exactly one result.
class Multi {
 public:
  explicit Multi(LoopOptions options);
  ~Multi();

  Multi(const Multi&) = delete;
  Multi& operator=(const Multi&) = delete;

  // Requests that cannot be sent at all end here.
  void Add(std::vector<Request> requests, std::vector<Result>* results);

  // Starts what may start, moves what can be moved, and appends what has ended.
  void Advance(std::vector<Result>* results);

  // Waits for something to do, at most for `timeout`, or until Wakeup().
  void Wait(absl::Duration timeout);
  // Ends the current or the next Wait(). Any thread.
  void Wakeup();

  // Ends everything that was added, as stopped. Nothing may be added after that.
  void Abort(std::vector<Result>* results);

 private:
  void StartWaiting(Instant now, std::vector<Result>* results);
  void Start(Request request, Instant now, std::vector<Result>* results);
  void EndFlooded(std::vector<Result>* results);
  void ExpireWaiting(Instant now, std::vector<Result>* results);
  void CollectEnded(std::vector<Result>* results);
  void End(Transfer* transfer, CURLcode code, std::vector<Result>* results);
  void EndLookup(const std::string& name, const Request& owner, CURLcode code,
                 std::vector<Result>* results);
  std::unique_ptr<Transfer> TakeTransfer();
  bool HasWork() const;
  bool HasWaiting() const { return queue_.HasWaiting() || lookups_.HasParked(); }

  const LoopOptions options_;
  StartQueue queue_;
  LookupGate lookups_;
  int refusing_transfers_ = 0;
  CURLM* const multi_;
  Sockets sockets_;
  absl::flat_hash_map<Transfer*, std::unique_ptr<Transfer>> running_;
  std::vector<std::unique_ptr<Transfer>> idle_;
  Instant next_flood_check_ = -absl::InfiniteDuration();
  Instant next_expiry_ = -absl::InfiniteDuration();
};

// The result of a request that the end of the loop left unsent.
Result StoppedResult(const Request& request);

}  // namespace postrider::http

#endif  // POSTRIDER_SERVER_HTTP_MULTI_H_

#ifndef POSTRIDER_SERVER_HTTP_LOOKUP_GATE_H_
#define POSTRIDER_SERVER_HTTP_LOOKUP_GATE_H_

#include <cstddef>
#include <deque>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "server/http/request.h"

namespace postrider::http {

// Bounds name lookups: one per name at a time, and `max_lookups` in all. libcurl would otherwise
// start one thread for every transfer to a name that it does not have in its cache.
//
// A transfer asks Begin() when libcurl is about to look up. If it may not, its request is parked
// with Park() and comes back either from Failed(), to share the bad end of the lookup it waited
// for, or from TakeRunnable(), to be tried again. The name of a lookup is that of the host in the
// URL, or of the proxy.
//
// Pure bookkeeping; one thread.
class LookupGate {
 public:
  explicit LookupGate(int max_lookups);

  // True: the caller has the lookup of `name` and ends it with exactly one Succeeded() or Failed().
  bool Begin(const std::string& name);

  // Keeps a request whose Begin() was refused.
  void Park(const std::string& name, Request request);

  // The name is resolved (it is in libcurl's cache now).
  void Succeeded(const std::string& name);
  // It is not. Returns the requests that waited for this lookup.
  std::vector<Request> Failed(const std::string& name);

  // Parked requests that may be tried again.
  std::vector<Request> TakeRunnable();
  // False if TakeRunnable() would return nothing.
  bool HasRunnable() const {
    return !runnable_.empty() || (in_flight_ < max_lookups_ && !waiting_for_slot_.empty());
  }

  // Takes the parked requests that had to start by now.
  std::vector<Request> TakeExpired(Instant now);

  // Requests parked and not taken since.
  bool HasParked() const { return parked_ > 0; }

  // Takes every parked request.
  std::vector<Request> TakeAll();

  int in_flight() const { return in_flight_; }

 private:
  struct Name {
    bool looking_up = false;
    std::vector<Request> parked;
  };

  std::vector<Request> End(const std::string& name);

  const int max_lookups_;
  int in_flight_ = 0;
  absl::flat_hash_map<std::string, Name> names_;
  // Names with something parked that are not looked up themselves, because all lookups were taken.
  // May hold names that are gone or being looked up since.
  std::deque<std::string> waiting_for_slot_;
  std::vector<Request> runnable_;
  size_t parked_ = 0;  // in names_ and runnable_
};

}  // namespace postrider::http

#endif  // POSTRIDER_SERVER_HTTP_LOOKUP_GATE_H_

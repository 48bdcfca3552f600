#ifndef POSTRIDER_SERVER_HTTP_LOOKUP_GATE_H_
#define POSTRIDER_SERVER_HTTP_LOOKUP_GATE_H_

#include <array>
#include <cstddef>
#include <deque>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "server/http/request.h"

namespace postrider::http {

// Bounds name lookups: one per name at a time, and `max_lookups` in all. libcurl would otherwise
// start one thread for every transfer to a name that it does not have in its cache.
//
// Names whose server hangs hold their places until the timeout, so they must not get all of them.
// How long a name's last lookup took says in which order names are served and how many places they
// may hold together with those that come after them:
//   1. names that were quick: all
//   2. names that are not known, or were forgotten: all but a quarter
//   3. names that were slow: a quarter
//
// A transfer asks Begin() when libcurl is about to look up. If it may not, its request is parked
// with Park() and comes back either from Failed(), to share the bad end of the lookup it waited
// for, or from TakeRunnable(), to be tried again, or from TakeExpired(). The name of a lookup is
// that of the host in the URL, or of the proxy.
//
// Pure bookkeeping; one thread.
class LookupGate {
 public:
  // A lookup that takes longer makes its name a slow one, whatever comes of it.
  static constexpr absl::Duration kQuick = absl::Milliseconds(500);
  // How long a name's record counts. Longer than libcurl's cache keeps an address, so that a name
  // in use keeps it.
  static constexpr absl::Duration kRecordLife = absl::Minutes(5);
  // Names with a record, each about 100 bytes. Beyond it all are forgotten.
  static constexpr size_t kMaxRecords = 16384;

  explicit LookupGate(int max_lookups);

  // True: the caller has the lookup of `name` and ends it with exactly one Succeeded() or Failed().
  bool Begin(const std::string& name, Instant now);

  // Keeps a request whose Begin() was refused.
  void Park(const std::string& name, Request request, Instant now);

  // The name is resolved (it is in libcurl's cache now).
  void Succeeded(const std::string& name, Instant now);
  // It is not. Returns the requests that waited for this lookup.
  std::vector<Request> Failed(const std::string& name, Instant now);

  // Parked requests that may be tried again.
  std::vector<Request> TakeRunnable();
  // False if TakeRunnable() would return nothing.
  bool HasRunnable() const;

  // Takes the parked requests that had to start by now.
  std::vector<Request> TakeExpired(Instant now);

  // Requests parked and not taken since.
  bool HasParked() const { return parked_ > 0; }

  // Takes every parked request.
  std::vector<Request> TakeAll();

  int in_flight() const { return CountFrom(Standing::kQuick, in_flight_); }

 private:
  enum class Standing { kQuick, kUnknown, kSlow };  // in the order in which they are served
  static constexpr size_t kStandings = 3;
  using Counts = std::array<int, kStandings>;

  struct Name {
    bool looking_up = false;
    Standing standing = Standing::kUnknown;
    Instant begun;
    std::vector<Request> parked;
  };
  struct Record {
    bool quick;
    Instant until;
  };

  static int CountFrom(Standing first, const Counts& counts);
  Standing StandingOf(const std::string& name, Instant now) const;
  bool HasPlace(Standing standing, const Counts& in_flight) const;
  std::vector<Request> End(const std::string& name, Instant now);

  // By standing: how many may be in flight of it and of those that come after it.
  const Counts places_;
  Counts in_flight_ = {};
  absl::flat_hash_map<std::string, Name> names_;
  absl::flat_hash_map<std::string, Record> records_;
  // By standing: names with something parked that are not looked up themselves, because the places
  // were taken. May hold names that are gone or being looked up since.
  std::array<std::deque<std::string>, kStandings> waiting_for_place_;
  std::vector<Request> runnable_;
  size_t parked_ = 0;  // in names_ and runnable_
};

}  // namespace postrider::http

#endif  // POSTRIDER_SERVER_HTTP_LOOKUP_GATE_H_

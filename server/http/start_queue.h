#ifndef POSTRIDER_SERVER_HTTP_START_QUEUE_H_
#define POSTRIDER_SERVER_HTTP_START_QUEUE_H_

#include <cstddef>
#include <deque>
#include <list>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/node_hash_map.h"
#include "server/http/request.h"

namespace postrider::http {

// Requests that wait for a connection slot. Decides which one may start next: at most `max_total`
// run at once, at most `max_per_origin` of one origin (host and port); origins with room take
// turns, and inside an origin the order is that of arrival. A request is in one of three states:
// waiting, running, or set aside. Set aside (it turned out to need a lookup that somebody else is
// doing) it keeps its place among its origin's running ones, so that an origin cannot pile them up,
// but gives back its place in the total, so that origins that cannot be resolved do not hold up the
// others.
//
// Pure bookkeeping; one thread.
class StartQueue {
 public:
  StartQueue(int max_total, int max_per_origin);

  void Add(Request request);

  // The next request that may start, which is running from here on; nothing when all must wait.
  std::optional<Request> Next();
  bool HasNext() const { return running_ < max_total_ && !ready_.empty(); }

  // A running request of this origin has ended.
  void Done(const std::string& origin);

  // A running request of this origin is set aside / one set aside waits again, as the first of its
  // origin / one set aside has ended without running again.
  void SetAside();
  void Return(Request request);
  void Drop(const std::string& origin);

  // Takes those that wait and had to start by now.
  std::list<Request> TakeExpired(Instant now);
  bool HasWaiting() const { return waiting_ > 0; }

  // Takes all that wait (not what runs or is set aside).
  std::list<Request> TakeAll();

  int running() const { return running_; }

 private:
  struct Origin {
    int places = 0;      // running and set aside
    bool ready = false;  // in ready_
    std::list<Request> waiting;
  };
  using Entry = std::pair<const std::string, Origin>;

  Entry& Find(const std::string& origin);
  void MakeReady(Entry& entry);
  void FreePlace(const std::string& origin);

  const int max_total_;
  const int max_per_origin_;
  int running_ = 0;
  size_t waiting_ = 0;
  // Origins with anything waiting or a place taken. Nodes, because ready_ points to them.
  absl::node_hash_map<std::string, Origin> origins_;
  // Origins with something waiting and a place free, in turn.
  std::deque<Entry*> ready_;
};

}  // namespace postrider::http

#endif  // POSTRIDER_SERVER_HTTP_START_QUEUE_H_

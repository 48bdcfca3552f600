// The other side of the wire: receivers that answer, fail, hang, answer too late, and come and go.

#pragma once

#include <map>
#include <memory>

#include "absl/time/time.h"
#include "server/http/request.h"
#include "tests/simulation/dice.h"
#include "tests/simulation/journal.h"
#include "tests/simulation/process.h"
#include "tests/simulation/timeline.h"

namespace postrider::simulation {

class Receivers {
 public:
  Receivers(Timeline& timeline, Dice& dice, Journal& journal, memory::Database& database,
            const Weather& weather)
      : timeline_(timeline),
        dice_(dice),
        journal_(journal),
        database_(database),
        weather_(weather) {}

  void Add(EndpointId id);
  void Post(std::shared_ptr<Process> from, http::Request request, EndpointId endpoint_id);
  // All but a few that never work answer well from now on.
  void Mend();
  // Whether anything that nodes send gets anywhere.
  void SetReachable(bool reachable) { reachable_ = reachable; }
  bool reachable() const { return reachable_; }

 private:
  struct Receiver {
    double bad = 0;     // of its answers
    bool dead = false;  // refuses every connection
    bool dead_for_good = false;
    bool gone = false;  // says 410 now and then
    absl::Duration low = absl::Milliseconds(1);
    absl::Duration high = absl::Milliseconds(100);
    absl::Duration flap = absl::InfiniteDuration();  // up so long, down so long
  };
  struct Answer {
    http::Result result;
    absl::Duration wait;
    bool received = true;
    int status = 0;  // that the receiver gave
  };

  void Send(const std::shared_ptr<Process>& from, const http::Request& request,
            EndpointId endpoint_id, absl::Time handed_out);
  Answer AnswerOf(const Receiver& receiver);
  Answer Failure(const Receiver& receiver);

  Timeline& timeline_;
  Dice& dice_;
  Journal& journal_;
  memory::Database& database_;
  const Weather& weather_;
  bool reachable_ = true;
  std::map<EndpointId, Receiver> receivers_;
};

}  // namespace postrider::simulation

// Virtual time: what is to happen when, in order. Nothing waits; the clock jumps to the next event.

#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <utility>
#include <vector>

#include "absl/time/time.h"

namespace postrider::simulation {

class Timeline {
 public:
  absl::Duration now() const { return now_; }

  void At(absl::Duration when, std::function<void()> event) {
    events_.push({std::max(when, now_), next_++, std::move(event)});
  }
  void After(absl::Duration wait, std::function<void()> event) {
    At(now_ + wait, std::move(event));
  }

  // The next event. False: nothing is to happen any more.
  bool RunNext() {
    if (events_.empty()) return false;
    // Moved out before it is popped: the order does not look at it.
    Event event = std::move(const_cast<Event&>(events_.top()));
    events_.pop();
    now_ = event.when;
    event.run();
    return true;
  }

  int64_t count() const { return next_; }

 private:
  struct Event {
    absl::Duration when;
    int64_t number;  // in one moment things happen in the order in which they were put
    std::function<void()> run;
    bool operator<(const Event& other) const {
      return when != other.when ? when > other.when : number > other.number;
    }
  };

  absl::Duration now_;
  int64_t next_ = 0;
  std::priority_queue<Event> events_;
};

}  // namespace postrider::simulation

// Between the nodes and the database: what reaches whom, and what becomes of a statement.

#pragma once

#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "tests/simulation/dice.h"
#include "tests/simulation/weather.h"

namespace postrider::simulation {

// What is to become of one statement, unless the link breaks meanwhile.
struct Fate {
  absl::Duration applied;   // after it was sent
  absl::Duration answered;  // the caller knows something
  bool applies = true;
  bool answer_arrives = true;
  absl::Status error;  // when no answer arrives
};

class Network {
 public:
  Network(const Weather& weather, Dice& dice) : weather_(weather), dice_(dice) {}

  void SetDatabaseUp(bool up) { database_up_ = up; }
  void Cut(int node) { cut_.insert(node); }
  void Mend(int node) { cut_.erase(node); }
  // Nothing goes wrong any more.
  void Calm() {
    calm_ = true;
    database_up_ = true;
    cut_.clear();
  }
  bool Reaches(int node) const { return database_up_ && !cut_.contains(node); }

  // `deadline`: after which the caller gives up.
  Fate FateOf(int node, absl::Duration deadline, bool may_race) {
    Fate fate;
    fate.applied = dice_.Spread(absl::Microseconds(100), absl::Milliseconds(5));
    fate.answered = fate.applied + dice_.Spread(absl::Microseconds(100), absl::Milliseconds(5));
    fate.error = absl::UnavailableError("the connection broke");
    if (!Reaches(node)) {
      // Refused at once, or silence until the deadline.
      fate.applies = fate.answer_arrives = false;
      if (dice_.Chance(0.5)) fate.answered = deadline;
      return fate;
    }
    if (calm_) return fate;
    if (dice_.Chance(weather_.slow)) {
      fate.applied = dice_.Spread(absl::Milliseconds(5), absl::Seconds(5));
      fate.answered = fate.applied + dice_.Spread(absl::Milliseconds(1), absl::Seconds(5));
    }
    if (may_race && dice_.Chance(weather_.race)) {
      fate.applies = fate.answer_arrives = false;
      fate.error = absl::AbortedError("somebody took a key at this moment");
    } else if (dice_.Chance(weather_.lose_request)) {
      fate.applies = fate.answer_arrives = false;
    } else if (dice_.Chance(weather_.lose_answer)) {
      fate.answer_arrives = false;
      // A statement that was given up may be applied a little later.
      if (dice_.Chance(0.3)) {
        fate.applied = fate.answered + dice_.Spread(absl::Milliseconds(1), absl::Seconds(1));
      }
    }
    if (fate.answered > deadline) {
      fate.answered = deadline;
      fate.answer_arrives = false;
      fate.error = absl::DeadlineExceededError("the statement took too long");
      if (fate.applied > deadline + absl::Seconds(1)) fate.applies = false;
    }
    return fate;
  }

 private:
  const Weather& weather_;
  Dice& dice_;
  bool calm_ = false;
  bool database_up_ = true;
  std::set<int> cut_;
};

}  // namespace postrider::simulation

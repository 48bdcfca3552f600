// What goes wrong in a run, and how often. Made from the run's seed.

#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "tests/simulation/dice.h"

namespace postrider::simulation {

struct Weather {
  std::string name;
  int nodes = 3;
  absl::Duration storm = absl::Minutes(2);  // so long; then all is mended, and the run must end
  // Of each statement:
  double lose_request = 0;  // never applied
  double lose_answer = 0;   // applied, now or up to a second after the error
  double slow = 0;          // takes up to 5 s
  double race = 0;          // ABORTED, as if another node had taken a key
  // Mean time between, infinite for never:
  absl::Duration crash = absl::InfiniteDuration();      // of a node
  absl::Duration restart = absl::InfiniteDuration();    // in good order, of a node
  absl::Duration pause = absl::InfiniteDuration();      // of a node, up to 30 s
  absl::Duration cut = absl::InfiniteDuration();        // of a node from the database, up to 20 s
  absl::Duration outage = absl::InfiniteDuration();     // of the database, up to 30 s
  absl::Duration operation = absl::InfiniteDuration();  // by somebody who manages endpoints
  absl::Duration unplugged =
      absl::InfiniteDuration();  // of the nodes from all receivers, 5 to 40 s
  // Receivers:
  // Fewer hosts than make an outage of our own (SEMANTICS, "Delivery"), unless that is the weather.
  unsigned hosts = 8;
  size_t endpoints = 0;      // at the start; 0: some
  double wait_for_turn = 0;  // of requests that wait for a connection first, up to 40 s
  double bad_receivers = 0;  // of the endpoints
  double lose_publish = 0;   // answers to publishers
};

Weather WeatherOf(uint64_t seed);

}  // namespace postrider::simulation

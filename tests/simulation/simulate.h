// A run and its check, and the command that repeats it.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/simulation/plant.h"

namespace postrider::simulation {

struct Report {
  std::vector<std::string> findings;  // empty: everything holds
  std::string weather;
  int64_t deliveries = 0;
  int64_t requests = 0;   // on the wire
  int64_t abandoned = 0;  // attempts
  int64_t events = 0;     // of the timeline
  double virtual_seconds = 0;
};

// The log of the nodes is kept quiet unless `loud`.
Report Simulate(uint64_t seed, int events, const Plant& plant = {}, bool loud = false);

// What to type to see it again.
std::string CommandOf(uint64_t seed, int events);

}  // namespace postrider::simulation

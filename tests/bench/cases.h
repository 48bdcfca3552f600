// The measurements of docs/PERFORMANCE.md, by name.

#ifndef POSTRIDER_TESTS_BENCH_CASES_H_
#define POSTRIDER_TESTS_BENCH_CASES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "tests/bench/fast_receiver.h"
#include "tests/bench/load.h"
#include "tests/bench/report.h"
#include "tests/bench/rig.h"

namespace postrider::bench {

// What a case is run with; each case has values of its own, and options of the program go over
// them.
struct CaseSettings {
  int runs = 5;
  LoadOptions load;
  EndpointPlan endpoints;
  absl::Duration receiver_delay;
  Rig::Options rig;
};

struct Case {
  const char* name;
  const char* what;
  CaseSettings settings;
  absl::StatusOr<Report> (*run)(const Case& self, FastReceiver& receiver);
};

// In the order in which they are run.
std::vector<Case> AllCases();

}  // namespace postrider::bench

#endif  // POSTRIDER_TESTS_BENCH_CASES_H_

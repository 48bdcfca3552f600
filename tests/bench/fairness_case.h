// What endpoints and orgs cost each other.

#ifndef POSTRIDER_TESTS_BENCH_FAIRNESS_CASE_H_
#define POSTRIDER_TESTS_BENCH_FAIRNESS_CASE_H_

#include "absl/status/statusor.h"
#include "tests/bench/cases.h"

namespace postrider::bench {

// The way from call to arrival for events of healthy endpoints at the load's rate: alone, then
// beside as many dead endpoints with 1,000 waiting deliveries each and as many that take 10 s.
absl::StatusOr<Report> RunEndpointFairness(const Case& self, FastReceiver& receiver);

// The same for one org, alone and beside another one that publishes 10,000 events a second.
absl::StatusOr<Report> RunOrgFairness(const Case& self, FastReceiver& receiver);

}  // namespace postrider::bench

#endif  // POSTRIDER_TESTS_BENCH_FAIRNESS_CASE_H_

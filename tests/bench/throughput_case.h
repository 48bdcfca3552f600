#ifndef POSTRIDER_TESTS_BENCH_THROUGHPUT_CASE_H_
#define POSTRIDER_TESTS_BENCH_THROUGHPUT_CASE_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/bench/cases.h"

namespace postrider::bench {

// Publishes a run's events and waits until every outcome is recorded, as often as there are runs,
// after a shorter run that warms everything up.
absl::StatusOr<Report> RunThroughput(const Case& self, FastReceiver& receiver);

// The same with one server for all: the first and the last hundredth of the events are measured.
absl::StatusOr<Report> RunGrowth(const Case& self, FastReceiver& receiver);

// In a few words, for a report.
std::string Describe(const Case& self);

}  // namespace postrider::bench

#endif  // POSTRIDER_TESTS_BENCH_THROUGHPUT_CASE_H_

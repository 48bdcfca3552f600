#ifndef POSTRIDER_TESTS_BENCH_BACKLOG_CASE_H_
#define POSTRIDER_TESTS_BENCH_BACKLOG_CASE_H_

#include "absl/status/statusor.h"
#include "tests/bench/cases.h"

namespace postrider::bench {

// Deliveries that are all due, put into the database while no server runs: from the moment a server
// is ready until none is open.
absl::StatusOr<Report> RunBacklog(const Case& self, FastReceiver& receiver);

}  // namespace postrider::bench

#endif  // POSTRIDER_TESTS_BENCH_BACKLOG_CASE_H_

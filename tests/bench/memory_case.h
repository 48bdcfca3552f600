#ifndef POSTRIDER_TESTS_BENCH_MEMORY_CASE_H_
#define POSTRIDER_TESTS_BENCH_MEMORY_CASE_H_

#include "absl/status/statusor.h"
#include "tests/bench/cases.h"

namespace postrider::bench {

// The server's resident memory when it has just started, with transfers in flight, and with as many
// open deliveries as there are events, while receivers keep all of them waiting.
absl::StatusOr<Report> RunMemory(const Case& self, FastReceiver& receiver);

}  // namespace postrider::bench

#endif  // POSTRIDER_TESTS_BENCH_MEMORY_CASE_H_

// Publishes events and measures how long the answers take.

#ifndef POSTRIDER_TESTS_BENCH_LOAD_H_
#define POSTRIDER_TESTS_BENCH_LOAD_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/bench/latency_histogram.h"

namespace postrider::bench {

enum class LoadMode { kUnary, kBatch, kStream };

struct LoadOptions {
  LoadMode mode = LoadMode::kUnary;
  int64_t events = 100000;
  // Events a second, each sent at its time whether or not earlier ones were answered, and measured
  // from that time; 0: whenever one is answered the next one is sent.
  double rate = 0;
  int in_flight = 256;  // calls or items of a stream, without a rate
  int batch = 100;      // events of a call, for kBatch
  int payload_bytes = 1024;
  bool idempotency_keys = true;
  // Event number i is of TypeOf(first_group + i % groups) and of OrgOf(first_org + i % orgs).
  int groups = 1;
  int orgs = 1;
  int first_group = 0;
  int first_org = 0;
  // Whether bodies say when they were sent, so that the receiver measures their way.
  bool marked = true;
  // RESOURCE_EXHAUSTED is no failure, and counted.
  bool may_be_refused = false;
};

std::string TypeOf(int group);
std::string OrgOf(int org);
inline constexpr char kBenchEnv[] = "bench";

struct LoadResult {
  int64_t deliveries = 0;  // that the answers spoke of
  int64_t refused = 0;     // calls
  absl::Duration elapsed;  // from the first call to the last answer
};

// Publishes to the server at `address` and returns when every answer is there. Latencies of calls
// go to `latencies`. Fails with the first error that a call had, after all have ended.
absl::StatusOr<LoadResult> RunLoad(const std::string& address, const LoadOptions& options,
                                   LatencyHistogram* latencies);

}  // namespace postrider::bench

#endif  // POSTRIDER_TESTS_BENCH_LOAD_H_

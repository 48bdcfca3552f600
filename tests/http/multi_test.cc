// The loop's steps, without its thread.

#include "server/http/multi.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <iterator>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/http/loop_harness.h"
#include "tests/support/silent_host.h"

namespace postrider::http {
namespace {

long OpenDescriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return std::distance(begin(all), end(all));
}

TEST(MultiTest, ABurstIsSpreadOverTurns) {
  const testing::SilentHost host;
  LoopOptions options = LocalOptions();
  options.max_connections_per_origin = options.max_connections_total = 1000;
  Multi multi(options);
  std::vector<Result> results;
  multi.Advance(&results);
  std::vector<Request> burst;
  for (int i = 0; i < 100; ++i) {
    burst.push_back(LocalRequest(absl::StrCat("http://127.0.0.1:", host.port(), "/")));
  }
  multi.Add(std::move(burst), &results);
  const long before = OpenDescriptors();
  multi.Advance(&results);
  EXPECT_EQ(OpenDescriptors() - before, 64);
  // The rest goes on at once: nothing is waited for.
  const Instant begun = MonotonicNow();
  multi.Wait(absl::Minutes(1));
  EXPECT_LT(MonotonicNow() - begun, absl::Seconds(30));
  multi.Advance(&results);
  EXPECT_EQ(OpenDescriptors() - before, 100);
  multi.Abort(&results);
  EXPECT_EQ(results.size(), 100u);
}

}  // namespace
}  // namespace postrider::http

#ifndef POSTRIDER_TESTS_HTTP_LOOP_HARNESS_H_
#define POSTRIDER_TESTS_HTTP_LOOP_HARNESS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/http/loop.h"

namespace postrider::http {

// Options with which receivers on 127.0.0.1 may be reached over http.
LoopOptions LocalOptions();

// A request to this URL, checked against the policy of LocalOptions().
Request LocalRequest(const std::string& url);

// A running loop that keeps its results for the test to wait for.
class LoopHarness {
 public:
  explicit LoopHarness(LoopOptions options = LocalOptions());
  ~LoopHarness();

  Loop& loop() { return loop_; }

  // Waits until there are this many results in all, and returns all so far. Gives up, with fewer,
  // after 30 s.
  std::vector<Result> Await(size_t count);

  // Sends one request and returns its result (only with no other under way).
  Result Post(Request request);
  Result Post(const std::string& url) { return Post(LocalRequest(url)); }

 private:
  void Take(std::vector<Result> results);

  absl::Mutex mutex_;
  std::vector<Result> results_ ABSL_GUARDED_BY(mutex_);
  size_t posted_ = 0;
  Loop loop_;
};

}  // namespace postrider::http

#endif  // POSTRIDER_TESTS_HTTP_LOOP_HARNESS_H_

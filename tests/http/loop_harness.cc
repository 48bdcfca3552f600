#include "tests/http/loop_harness.h"

#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <utility>

namespace postrider::http {

LoopOptions LocalOptions() {
  LoopOptions options;
  options.policy = DestinationPolicy({*ParseCidr("127.0.0.0/8")}, /*allow_http=*/true);
  return options;
}

Request LocalRequest(const std::string& url) {
  absl::StatusOr<ParsedUrl> parsed = CheckUrl(url, LocalOptions().policy);
  if (!parsed.ok()) {
    std::fprintf(stderr, "%s: %s\n", url.c_str(), parsed.status().ToString().c_str());
    std::abort();
  }
  Request request;
  request.url = *std::move(parsed);
  request.headers = {{"content-type", "application/json"}};
  request.body = std::make_shared<const std::string>("{\"a\":1}");
  return request;
}

LoopHarness::LoopHarness(LoopOptions options)
    : loop_(std::move(options), [this](std::vector<Result> results) { Take(std::move(results)); }) {
  loop_.Start();
}

LoopHarness::~LoopHarness() { loop_.Stop(); }

void LoopHarness::Take(std::vector<Result> results) {
  absl::MutexLock lock(&mutex_);
  results_.insert(results_.end(), std::make_move_iterator(results.begin()),
                  std::make_move_iterator(results.end()));
}

std::vector<Result> LoopHarness::Await(size_t count) {
  absl::MutexLock lock(&mutex_);
  const auto enough = [this, count]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return results_.size() >= count;
  };
  mutex_.AwaitWithTimeout(absl::Condition(&enough), absl::Seconds(30));
  return results_;
}

Result LoopHarness::Post(Request request) {
  request.id = ++posted_;
  std::vector<Request> requests;
  requests.push_back(std::move(request));
  loop_.Send(std::move(requests));
  std::vector<Result> results = Await(posted_);
  if (results.size() != posted_) std::abort();
  return results.back();
}

}  // namespace postrider::http

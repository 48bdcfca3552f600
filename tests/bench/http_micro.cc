// The HTTP loop alone, with as many transfers in flight and a receiver that takes as long as the
// arguments say: CPU time is that of the loop and of making its requests.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "server/http/destination.h"
#include "server/http/loop.h"
#include "server/http/request.h"
#include "server/http/url.h"
#include "tests/bench/fast_receiver.h"

namespace postrider {
namespace {

constexpr int kRequests = 30000;
constexpr int kMaxInFlight = 2000;

// Made before there are threads, ended with the program.
bench::FastReceiver& Receiver() {
  static bench::FastReceiver receiver;
  return receiver;
}

// Keeps so many requests in flight until all are answered.
class Posts {
 public:
  explicit Posts(int in_flight)
      : in_flight_(in_flight),
        loop_(Options(), [this](std::vector<http::Result> results) { Take(std::move(results)); }) {
    http::Request request;
    request.headers = {{"content-type", "application/json"},
                       {"webhook-id", "evt_01JX8Z3T6V7W8X9Y0Z1A2B3C4D"},
                       {"webhook-timestamp", "1700000000"},
                       {"webhook-signature", "v1," + std::string(44, 's')},
                       {"postrider-attempt", "1"}};
    request.body = std::make_shared<const std::string>(std::string(1200, 'x'));
    for (size_t i = 0; i < bench::FastReceiver::kOrigins; ++i) {
      request.url = *http::CheckUrl(Receiver().Url(i), Options().policy);
      requests_.push_back(request);
    }
    loop_.Start();
  }

  // How many failed.
  int Run() {
    Send(in_flight_);
    done_.WaitForNotification();
    loop_.Stop();
    return failed_;
  }

 private:
  static http::LoopOptions Options() {
    http::LoopOptions options;
    options.policy = http::DestinationPolicy({*http::ParseCidr("127.0.0.0/8")}, true);
    options.max_connections_total = kMaxInFlight;
    options.max_connections_per_origin = kMaxInFlight;
    return options;
  }

  void Send(int count) {
    std::vector<http::Request> requests;
    for (int i = 0; i < count; ++i) {
      requests.push_back(requests_[static_cast<size_t>(sent_ + i) % requests_.size()]);
    }
    sent_ += count;
    loop_.Send(std::move(requests));
  }

  void Take(std::vector<http::Result> results) {
    for (const http::Result& result : results) failed_ += result.status == 200 ? 0 : 1;
    answered_ += static_cast<int>(results.size());
    if (answered_ == kRequests) done_.Notify();
    const int next = std::min(static_cast<int>(results.size()), kRequests - sent_);
    if (next > 0) Send(next);
  }

  const int in_flight_;
  std::vector<http::Request> requests_;  // one an origin
  // Of the loop's thread, but for the first requests.
  std::atomic<int> sent_ = 0;
  int answered_ = 0;
  int failed_ = 0;
  absl::Notification done_;
  http::Loop loop_;
};

void HttpLoop(benchmark::State& state) {
  Receiver().SetAnswerBytes(200);
  Receiver().SetDelay(absl::Milliseconds(state.range(1)));
  int failed = 0;
  for (auto _ : state) {
    Posts posts(static_cast<int>(state.range(0)));
    failed += posts.Run();
  }
  if (failed > 0) state.SkipWithError("requests failed");
  state.SetItemsProcessed(state.iterations() * kRequests);
  state.counters["cpu_per_request"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * kRequests,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(HttpLoop)
    ->ArgNames({"in_flight", "delay_ms"})
    ->Args({64, 0})
    ->Args({256, 0})
    ->Args({2000, 0})
    ->Args({2000, 200})
    ->MeasureProcessCPUTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace postrider

#include "tests/bench/load.h"

#include <time.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "client/client.h"
#include "client/publisher.h"
#include "client/stream_publisher.h"
#include "tests/bench/fast_receiver.h"

namespace postrider::bench {
namespace {

// Calls that a load with a rate leaves unanswered; then it waits, and the latencies show it.
constexpr int kMaxUnanswered = 50000;

// As long as kSentMark, which the receiver looks for.
constexpr char kNoMark[] = "\"made\":\"";

int64_t NowNanoseconds() {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void SleepUntil(int64_t nanoseconds) {
  const timespec at{nanoseconds / 1'000'000'000, nanoseconds % 1'000'000'000};
  while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr) != 0) {
  }
}

class Load {
 public:
  Load(client::Client client, std::optional<client::StreamPublisher> stream,
       const LoadOptions& options, LatencyHistogram* latencies)
      : client_(std::move(client)),
        stream_(std::move(stream)),
        options_(options),
        latencies_(*latencies),
        calls_(options.mode == LoadMode::kBatch
                   ? (options.events + options.batch - 1) / options.batch
                   : options.events) {
    const std::string rest = R"(","text":")";
    const int around =
        static_cast<int>(absl::StrFormat("{%s%020d%s\"}", kSentMark, 0, rest).size());
    padding_ = absl::StrCat(
        rest, std::string(static_cast<size_t>(std::max(0, options.payload_bytes - around)), 'x'),
        "\"}");
  }

  absl::StatusOr<LoadResult> Run() {
    const int64_t begun = NowNanoseconds();
    if (options_.rate > 0) {
      const double calls_per_second =
          options_.rate / (options_.mode == LoadMode::kBatch ? options_.batch : 1);
      for (int64_t call = 0; call < calls_; ++call) {
        const int64_t at =
            begun + static_cast<int64_t>(1e9 * static_cast<double>(call) / calls_per_second);
        SleepUntil(at);
        WaitForUnanswered(kMaxUnanswered);
        Send(call, at);
      }
    } else {
      const int64_t first = std::min<int64_t>(options_.in_flight, calls_);
      next_call_ = first;
      for (int64_t call = 0; call < first; ++call) Send(call, NowNanoseconds());
    }
    WaitForUnanswered(0);
    absl::MutexLock lock(&mutex_);
    if (!error_.ok()) return error_;
    return LoadResult{deliveries_, refused_, absl::Nanoseconds(NowNanoseconds() - begun)};
  }

 private:
  v1::PublishRequest Event(int64_t number, int64_t intended) const {
    v1::PublishRequest request;
    request.set_org_id(OrgOf(options_.first_org + static_cast<int>(number % options_.orgs)));
    request.set_env_id(kBenchEnv);
    request.set_type(TypeOf(options_.first_group + static_cast<int>(number % options_.groups)));
    request.set_data_json(
        absl::StrFormat("{%s%020d%s", options_.marked ? kSentMark : kNoMark, intended, padding_));
    if (options_.idempotency_keys) request.set_idempotency_key(client::NewIdempotencyKey());
    return request;
  }

  void Send(int64_t call, int64_t intended) {
    {
      absl::MutexLock lock(&mutex_);
      ++unanswered_;
    }
    if (stream_.has_value()) {
      stream_->Publish(Event(call, intended),
                       [this, intended](const absl::StatusOr<v1::PublishResponse>& response) {
                         Answered(response.status(), intended,
                                  response.ok() ? response->delivery_count() : 0);
                       });
      return;
    }
    if (options_.mode == LoadMode::kUnary) {
      client_.Start(Event(call, intended),
                    [this, intended](const absl::Status& status, v1::PublishResponse& response) {
                      Answered(status, intended, response.delivery_count());
                    });
      return;
    }
    v1::BatchPublishRequest request;
    for (int64_t i = call * options_.batch;
         i < std::min(options_.events, (call + 1) * options_.batch); ++i) {
      *request.add_requests() = Event(i, intended);
    }
    client_.Start(std::move(request),
                  [this, intended](const absl::Status& status, v1::BatchPublishResponse& response) {
                    int64_t deliveries = 0;
                    for (const v1::PublishResponse& one : response.responses()) {
                      deliveries += one.delivery_count();
                    }
                    Answered(status, intended, deliveries);
                  });
  }

  void Answered(const absl::Status& status, int64_t intended, int64_t deliveries) {
    latencies_.Add(absl::Nanoseconds(NowNanoseconds() - intended));
    deliveries_ += deliveries;
    if (options_.rate == 0) {
      const int64_t call = next_call_++;
      if (call < calls_) Send(call, NowNanoseconds());
    }
    absl::MutexLock lock(&mutex_);
    if (options_.may_be_refused && absl::IsResourceExhausted(status)) {
      ++refused_;
    } else {
      error_.Update(status);
    }
    --unanswered_;
  }

  void WaitForUnanswered(int most) {
    absl::MutexLock lock(&mutex_);
    const auto few = [this, most]()
                         ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return unanswered_ <= most; };
    mutex_.Await(absl::Condition(&few));
  }

  const client::Client client_;
  std::optional<client::StreamPublisher> stream_;
  const LoadOptions options_;
  LatencyHistogram& latencies_;
  const int64_t calls_;
  std::string padding_;
  std::atomic<int64_t> next_call_{0};
  std::atomic<int64_t> deliveries_{0};
  absl::Mutex mutex_;
  int unanswered_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t refused_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status error_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::string TypeOf(int group) { return absl::StrCat("bench.group_", group); }
std::string OrgOf(int org) { return absl::StrCat("org_", org); }

absl::StatusOr<LoadResult> RunLoad(const std::string& address, const LoadOptions& options,
                                   LatencyHistogram* latencies) {
  const client::ClientOptions server{.address = address};
  absl::StatusOr<client::Client> client = client::Client::Create(server);
  if (!client.ok()) return client.status();
  std::optional<client::StreamPublisher> stream;
  if (options.mode == LoadMode::kStream) {
    client::StreamOptions stream_options;
    // One more: the next one is sent before the answer to the last one is done with.
    stream_options.max_unanswered = options.rate > 0 ? kMaxUnanswered : options.in_flight + 1;
    absl::StatusOr<client::StreamPublisher> opened =
        client::StreamPublisher::Create(server, stream_options);
    if (!opened.ok()) return opened.status();
    stream = *std::move(opened);
  }
  return Load(*std::move(client), std::move(stream), options, latencies).Run();
}

}  // namespace postrider::bench

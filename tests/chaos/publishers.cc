#include "tests/chaos/publishers.h"

#include <algorithm>
#include <memory>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/chaos/run_settings.h"
#include "tests/support/wait.h"

namespace postrider::testing {
namespace {

constexpr size_t kThreads = 16;
constexpr absl::Duration kGiveUp = absl::Minutes(2);
constexpr absl::Duration kBetweenTries = absl::Milliseconds(100);

Try TryOf(const Reply<v1::PublishResponse>& reply) {
  switch (reply.status.error_code()) {
    case grpc::StatusCode::OK:
      return {Told::kAccepted, reply->event_id(), reply->duplicate()};
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return {Told::kUnknown, "", false};
    default:
      return {Told::kRefused, "", false};
  }
}

}  // namespace

Publishers::Publishers(const Nodes& nodes, std::string org, std::string env, double rate,
                       uint64_t seed)
    : nodes_(nodes),
      org_(std::move(org)),
      env_(std::move(env)),
      pause_(absl::Seconds(kThreads / rate)),
      told_(kThreads) {
  for (size_t t = 0; t < kThreads; ++t) {
    threads_.emplace_back([this, t, seed] { Run(t, seed + t); });
  }
}

Publishers::~Publishers() { Stop(); }

std::vector<Publication> Publishers::Stop() {
  stop_ = true;
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  std::vector<Publication> all;
  for (std::vector<Publication>& some : told_) {
    std::move(some.begin(), some.end(), std::back_inserter(all));
    some.clear();
  }
  return all;
}

void Publishers::Run(size_t thread, uint64_t seed) {
  std::mt19937_64 random(seed);
  while (!stop_) {
    Publication publication;
    publication.key = absl::StrCat(thread, "-", told_[thread].size());
    publication.type = kTypes[random() % kTypes.size()];
    Publish(publication, random() % nodes_.size());
    told_[thread].push_back(std::move(publication));
    absl::SleepFor(pause_ * std::uniform_real_distribution<double>(0.5, 1.5)(random));
  }
}

void Publishers::Publish(Publication& publication, size_t node) {
  v1::PublishRequest request;
  request.set_org_id(org_);
  request.set_env_id(env_);
  request.set_type(publication.type);
  request.set_data_json(absl::StrCat("{\"key\":\"", publication.key, "\"}"));
  request.set_idempotency_key(publication.key);
  const Deadline give_up(kGiveUp);
  while (!give_up.Passed()) {
    const std::shared_ptr<Api> api = nodes_.api(node);
    publication.tries.push_back(TryOf(api->Publish(request)));
    if (publication.tries.back().told == Told::kAccepted) {
      ++acknowledged_;
      return;
    }
    node = (node + 1) % nodes_.size();
    absl::SleepFor(kBetweenTries);
  }
}

}  // namespace postrider::testing

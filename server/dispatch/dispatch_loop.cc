#include "server/dispatch/dispatch_loop.h"

#include <utility>

namespace postrider::dispatch {

Instant DispatchLoop::Step(std::vector<Input> inputs) {
  for (Input& input : inputs) input(dispatcher_);
  Turn turn = dispatcher_.Run(clock_.Monotonic(), clock_.Now());
  if (!turn.requests.empty()) outputs_.send(std::move(turn.requests));
  if (!turn.finished.empty()) outputs_.record(std::move(turn.finished));
  if (!turn.loads.empty()) outputs_.load(std::move(turn.loads));
  if (!turn.forget.empty()) outputs_.forget(std::move(turn.forget));
  // Releases first: a claim may take up what they give back.
  if (!turn.releases.empty()) outputs_.release(std::move(turn.releases));
  if (!turn.orders.empty()) outputs_.order(std::move(turn.orders));
  if (dispatcher_.in_outage() != load().in_outage) {
    outputs_.egress_reachable(!dispatcher_.in_outage());
  }
  Publish();
  return turn.wake_at;
}

void DispatchLoop::Publish() {
  std::vector<EndpointId> congested = dispatcher_.Congested();
  absl::MutexLock lock(&mutex_);
  congested_.swap(congested);
  load_ = {dispatcher_.in_flight(), dispatcher_.unrecorded(), dispatcher_.orders(),
           dispatcher_.queued(),    dispatcher_.joined(),     dispatcher_.in_outage(),
           dispatcher_.draining()};
}

std::vector<EndpointId> DispatchLoop::Congested() const {
  absl::MutexLock lock(&mutex_);
  return congested_;
}

DispatchLoop::Load DispatchLoop::load() const {
  absl::MutexLock lock(&mutex_);
  return load_;
}

}  // namespace postrider::dispatch

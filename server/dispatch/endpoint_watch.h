// The thread that keeps the dispatcher's endpoints true ("endpoints"): reads those it asks for,
// follows every change by polling, and says with each answer as of when all of them are valid.
// While the database is away nothing is confirmed, and the dispatcher starts nothing.

#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "server/dispatch/target.h"
#include "server/runtime/clock.h"
#include "server/runtime/mailbox.h"
#include "server/runtime/thread.h"
#include "storage/endpoint_store.h"

namespace postrider::dispatch {

class EndpointWatch {
 public:
  // Called on the watch thread: endpoints that were read, and since when everything read before
  // and not among them is unchanged.
  using OnTargets =
      std::function<void(std::vector<std::shared_ptr<const Target>>, Instant validated_at)>;

  EndpointWatch(std::unique_ptr<EndpointReader> reader, const security::KeyRing& keys,
                http::DestinationPolicy policy, DeliveryDefaults defaults, OnTargets on_targets);
  ~EndpointWatch() { Stop(); }

  void Start();
  void Stop();
  // Thread-safe; never blocks.
  void Load(std::vector<EndpointId> ids) { inbox_.PutAll(std::move(ids)); }

 private:
  void Run();
  bool Poll(absl::flat_hash_set<EndpointId>& wanted, bool check_changes);

  const std::unique_ptr<EndpointReader> reader_;
  const security::KeyRing& keys_;
  const http::DestinationPolicy policy_;
  const DeliveryDefaults defaults_;
  const OnTargets on_targets_;
  Mailbox<EndpointId> inbox_;
  // The watch thread's.
  int64_t position_ = 0;
  absl::flat_hash_set<EndpointId> known_;
  Instant validated_at_ = -absl::InfiniteDuration();
  NamedThread thread_;
};

}  // namespace postrider::dispatch

// Keeps the dispatcher's endpoints true ("endpoints" loop): reads those it asks for, follows every
// change by polling, and says with each answer as of when all of them are valid. While the database
// is away nothing is confirmed, and the dispatcher starts nothing.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "server/dispatch/target.h"
#include "server/runtime/clock.h"
#include "storage/endpoint_store.h"

namespace postrider::dispatch {

// A core of a Loop.
class EndpointWatch {
 public:
  struct Wish {
    std::vector<EndpointId> load;
    std::vector<EndpointId> forget;  // not followed any more
  };
  using Input = Wish;
  using OnNews = std::function<void(EndpointNews)>;

  EndpointWatch(std::unique_ptr<EndpointReader> reader, const security::KeyRing& keys,
                http::DestinationPolicy policy, DeliveryDefaults defaults, OnNews on_news,
                const DatabaseClock& clock);

  Instant Step(std::vector<Wish> wishes);

 private:
  // Reads what is wanted and, when `check_changes`, what changed. What could not be read stays
  // wanted.
  void Poll(bool check_changes, Instant started);

  const std::unique_ptr<EndpointReader> reader_;
  const security::KeyRing& keys_;
  const http::DestinationPolicy policy_;
  const DeliveryDefaults defaults_;
  const OnNews on_news_;
  const DatabaseClock& clock_;
  absl::flat_hash_set<EndpointId> wanted_;
  int64_t position_ = 0;
  absl::flat_hash_set<int64_t> seen_;         // changes behind the position that were given already
  absl::flat_hash_set<EndpointId> known_;     // followed: those that the dispatcher has
  absl::flat_hash_set<EndpointId> canceled_;  // not told yet
  EndpointNews news_;                         // read, not told yet
  Instant canceled_by_ = -absl::InfiniteDuration();
  Instant validated_at_ = -absl::InfiniteDuration();
  Instant next_poll_ = -absl::InfiniteDuration();
};

}  // namespace postrider::dispatch

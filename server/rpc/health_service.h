// grpc.health.v1.Health. Whoever can connect may ask, so a request must be there within a second,
// and what streams there may be is bounded: gRPC's own would hold 16 MiB a call for as long as a
// request does not end.

#pragma once

#include <map>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "grpc/health/v1/health.grpc.pb.h"

namespace postrider::rpc {

// Thread-safe.
class HealthService final : public grpc::health::v1::Health::Service {
 public:
  using Status = grpc::health::v1::HealthCheckResponse::ServingStatus;

  HealthService();

  // Whoever watches it is told. Services that were never set are unknown.
  void Set(const std::string& service, bool serving) ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends the streams, and those to come; before the server is shut down.
  void End() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  class Call;
  class Check;
  class Watch;

  // SERVICE_UNKNOWN when it was never set.
  Status StatusOf(const std::string& service) const ABSL_LOCKS_EXCLUDED(mutex_);
  // Tells it from then on, or ends it at once: there are too many, its caller has gone, or the
  // server ends.
  void Add(Watch* watch) ABSL_LOCKS_EXCLUDED(mutex_);
  void Remove(Watch* watch) ABSL_LOCKS_EXCLUDED(mutex_);

  mutable absl::Mutex mutex_;
  std::map<std::string, Status> statuses_ ABSL_GUARDED_BY(mutex_);
  std::set<Watch*> watches_ ABSL_GUARDED_BY(mutex_);
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace postrider::rpc

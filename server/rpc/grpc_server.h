// The gRPC server itself: addresses, limits, health and reflection.

#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/rpc/door.h"
#include "server/rpc/health_service.h"
#include "server/rpc/listeners.h"

namespace grpc {
class Server;
class Service;
}  // namespace grpc

namespace postrider::rpc {

inline constexpr char kEgressHealth[] = "postrider.egress";

class GrpcServer {
 public:
  // Listens; `services` must outlive it, and so must `gate` and `strangers`, which are those of the
  // listeners' door (null: there is none). UNAVAILABLE when an address cannot be had.
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(
      const std::vector<Listener>& listeners, const std::vector<grpc::Service*>& services,
      const Gate* gate = nullptr, Strangers* strangers = nullptr);
  ~GrpcServer();

  // The first address, with the port that port 0 became.
  const std::string& address() const { return addresses_.front(); }
  // All of them, in order.
  const std::vector<std::string>& addresses() const { return addresses_; }
  // What grpc.health.v1.Health says of the server ("").
  void SetServing(bool serving);
  // And of kEgressHealth: whether receivers can be reached, all in all.
  void SetEgressReachable(bool reachable);
  // Takes no new calls and waits shortly for those that run. Everybody who answers calls must still
  // be there.
  void Shutdown(absl::Duration wait);

 private:
  GrpcServer() = default;

  HealthService health_;  // outlives the calls of server_
  std::unique_ptr<grpc::Server> server_;
  std::vector<std::string> addresses_;
};

}  // namespace postrider::rpc

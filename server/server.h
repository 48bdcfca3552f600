// The composition root: builds every part in order, and takes them down in reverse.

#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/config/config.h"

namespace postrider {

class Server {
 public:
  // Ready to serve when it returns. Errors say what to do, in plain words.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const config::Config& config);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // With the ports that port 0 became.
  std::string grpc_address() const;
  std::string http_address() const;

  // Takes nothing more, finishes or gives back what is in flight within the drain timeout, stops.
  void Drain();
  // Makes a Drain that runs give up waiting. From any thread.
  void Hurry();

 private:
  struct Parts;
  explicit Server(std::unique_ptr<Parts> parts);

  const std::unique_ptr<Parts> parts_;
};

}  // namespace postrider

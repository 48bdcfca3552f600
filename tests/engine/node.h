#ifndef POSTRIDER_TESTS_ENGINE_NODE_H_
#define POSTRIDER_TESTS_ENGINE_NODE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/engine/engine.h"
#include "server/http/loop.h"
#include "storage/postgres/environments.h"
#include "storage/postgres/session.h"

namespace postrider {

// What a server does behind gRPC: the engine with its threads over PostgreSQL, and the sender. It
// may send to 127.0.0.1, waits 0.2 s before each of its two retries, and draws with a fixed seed.
class Node {
 public:
  // Joins the nodes of the database, and starts. `keys` outlive it.
  static absl::StatusOr<std::unique_ptr<Node>> Start(const SessionOptions& session,
                                                     const std::string& id,
                                                     const security::KeyRing& keys);
  // Stops as the server does: drained, at most 20 s.
  ~Node();

  // Waits for the answer.
  absl::StatusOr<std::vector<AcceptResult>> Publish(std::vector<NewEvent> events);

  dispatch::DispatchLoop::Load load() const { return engine_->load(); }

 private:
  Node() = default;

  Environments environments_;
  DatabaseClock clock_;
  std::unique_ptr<engine::Engine> engine_;
  std::unique_ptr<http::Loop> http_;
};

}  // namespace postrider

#endif  // POSTRIDER_TESTS_ENGINE_NODE_H_

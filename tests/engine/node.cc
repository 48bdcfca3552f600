#include "tests/engine/node.h"

#include <cstdint>
#include <random>
#include <utility>

#include "absl/synchronization/notification.h"
#include "storage/postgres/dispatch_store.h"
#include "storage/postgres/endpoint_store.h"
#include "storage/postgres/event_acceptor.h"
#include "storage/postgres/node_store.h"
#include "tests/support/wait.h"

namespace postrider {

absl::StatusOr<std::unique_ptr<Node>> Node::Start(const SessionOptions& session,
                                                  const std::string& id,
                                                  const security::KeyRing& keys) {
  std::unique_ptr<Node> node(new Node);
  auto nodes = std::make_unique<PgNodeStore>(session);
  absl::StatusOr<NodeRegistration> registered = nodes->Register(id);
  if (!registered.ok()) return registered.status();

  engine::Stores stores;
  stores.commit = std::make_unique<PgEventAcceptor>(
      session, node->environments_, absl::Hours(24),
      // Only the commit thread draws.
      [random = std::mt19937_64(1000 + registered->node_no)]() mutable { return random(); });
  stores.record = std::make_unique<PgDispatchStore>(session);
  stores.claim = std::make_unique<PgDispatchStore>(session);
  stores.endpoints = std::make_unique<PgEndpointReader>(session);
  stores.nodes = std::move(nodes);

  engine::Options options;
  options.self = *std::move(registered);
  options.defaults.retry_schedule = {absl::Milliseconds(200), absl::Milliseconds(200)};
  options.policy = http::DestinationPolicy({*http::ParseCidr("127.0.0.0/8")}, /*allow_http=*/true);

  http::LoopOptions sending;
  sending.policy = options.policy;
  node->http_ = std::make_unique<http::Loop>(
      sending, [engine = &node->engine_](std::vector<http::Result> results) {
        (*engine)->PutResults(std::move(results));
      });

  engine::Surroundings surroundings;
  surroundings.send = [http = node->http_.get()](std::vector<http::Request> requests) {
    http->Send(std::move(requests));
  };
  surroundings.database_reachable = [](bool) {};
  surroundings.egress_reachable = [](bool) {};
  // Only the dispatch thread draws.
  auto random = std::make_shared<std::mt19937_64>(options.self.node_no);
  surroundings.random = [random] { return std::uniform_real_distribution<double>()(*random); };
  auto ids = std::make_shared<UlidGenerator>([random] { return (*random)(); });
  surroundings.new_attempt_id = [ids](absl::Time now) { return AttemptId{ids->Next(now)}; };

  node->engine_ = std::make_unique<engine::Engine>(std::move(stores), options,
                                                   std::move(surroundings), keys, node->clock_);
  if (absl::Status joined = node->engine_->Join(); !joined.ok()) return joined;
  node->http_->Start();
  node->engine_->Start();
  return node;
}

// As Server::Parts::Stop.
Node::~Node() {
  engine_->StopAccepting();
  engine_->Drain();
  testing::WaitUntil([this] { return load().drained(); });
  engine_->StopDispatch();
  http_->Stop();
  engine_->Stop();
}

absl::StatusOr<std::vector<AcceptResult>> Node::Publish(std::vector<NewEvent> events) {
  absl::StatusOr<std::vector<AcceptResult>> answer;
  absl::Notification answered;
  publish::Submission submission;
  submission.events = std::move(events);
  submission.done = [&](absl::StatusOr<std::vector<AcceptResult>> results) {
    answer = std::move(results);
    answered.Notify();
  };
  if (absl::Status taken = engine_->Submit(std::move(submission)); !taken.ok()) return taken;
  answered.WaitForNotification();
  return answer;
}

}  // namespace postrider

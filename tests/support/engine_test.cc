#include "tests/support/engine_test.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace postrider::testing {
namespace {

struct SharedEngine {
  std::unique_ptr<TestDatabase> database;
  std::unique_ptr<ServerProcess> server;
};

SharedEngine* shared_engine = nullptr;

SharedEngine& Shared() {
  if (shared_engine != nullptr) return *shared_engine;
  auto engine = std::make_unique<SharedEngine>();
  engine->database = TestCluster::OfProgram().NewDatabase();
  ServerProcess::Options options;
  options.database = engine->database->conninfo();
  options.flags = {"--retry-schedule", kSharedSchedule};
  absl::StatusOr<std::unique_ptr<ServerProcess>> server = ServerProcess::Start(std::move(options));
  if (!server.ok()) {
    std::fprintf(stderr, "no server for the tests: %s\n",
                 std::string(server.status().message()).c_str());
    std::abort();
  }
  engine->server = *std::move(server);
  shared_engine = engine.release();
  return *shared_engine;
}

// Ends the shared server, if a test needed it.
class SharedEngineEnd : public ::testing::Environment {
 public:
  void TearDown() override {
    if (shared_engine == nullptr) return;
    EXPECT_EQ(shared_engine->server->Terminate(), 0) << shared_engine->server->LogTail();
    delete std::exchange(shared_engine, nullptr);
  }
};

const ::testing::Environment* const kSharedEngineEnd =
    ::testing::AddGlobalTestEnvironment(new SharedEngineEnd);

}  // namespace

EngineTest::EngineTest() : Caller(Shared().server->api()) {}

void EngineTest::TearDown() {
  for (const std::string& id : created()) {
    v1::DeleteEndpointRequest request;
    request.set_endpoint_id(id);
    api().DeleteEndpoint(request);  // It may be gone already.
  }
  if (HasFailure()) std::fprintf(stderr, "server log:\n%s\n", server().LogTail().c_str());
}

ServerProcess& EngineTest::server() { return *Shared().server; }

TestDatabase& EngineTest::database() { return *Shared().database; }

OwnServersTest::OwnServersTest() : database_(TestCluster::OfProgram().NewDatabase()) {}

void OwnServersTest::TearDown() {
  if (!HasFailure()) return;
  for (const std::unique_ptr<ServerProcess>& server : servers_) {
    std::fprintf(stderr, "server log:\n%s\n", server->LogTail().c_str());
  }
}

ServerProcess* OwnServersTest::StartServer(std::vector<std::string> flags) {
  ServerProcess::Options options;
  options.database = database_->conninfo();
  options.flags = std::move(flags);
  return StartServerWith(std::move(options));
}

ServerProcess* OwnServersTest::StartServerWith(ServerProcess::Options options) {
  absl::StatusOr<std::unique_ptr<ServerProcess>> server = ServerProcess::Start(std::move(options));
  if (!server.ok()) {
    ADD_FAILURE() << server.status();
    return nullptr;
  }
  servers_.push_back(*std::move(server));
  return servers_.back().get();
}

}  // namespace postrider::testing

// Google Benchmark of the gate that every call comes in through: asked from inside a call, as there
// is no other context to ask with.

#include <benchmark/benchmark.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "postrider/v1/publisher_service.grpc.pb.h"
#include "server/rpc/gate.h"
#include "server/rpc/grpc_server.h"
#include "server/security/api_key.h"
#include "server/security/random.h"
#include "tests/access/key_table.h"

namespace postrider {
namespace {

// Asks the gate, again and again, within its one call.
class Asking final
    : public v1::PublisherService::WithRawCallbackMethod_Publish<v1::PublisherService::Service> {
 public:
  Asking(rpc::Gate& gate, benchmark::State& state) : gate_(gate), state_(state) {}

  grpc::ServerUnaryReactor* Publish(grpc::CallbackServerContext* context, const grpc::ByteBuffer*,
                                    grpc::ByteBuffer*) override {
    for (auto _ : state_) {
      rpc::Caller caller;
      if (!gate_.Admit<v1::PublishRequest>(*context, caller).ok()) {
        state_.SkipWithError("the gate let nobody in");
      }
    }
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::CANCELLED);
    return reactor;
  }

 private:
  rpc::Gate& gate_;
  benchmark::State& state_;
};

void AskGate(benchmark::State& state, int64_t keys, rpc::LocalTrust trust) {
  access::KeyTable table;
  std::string text;
  for (int64_t i = 0; i < keys; ++i) {
    KnownApiKey known;
    for (int byte = 0; byte < 4; ++byte) {
      known.key.id.ulid.bytes[12 + byte] = static_cast<uint8_t>(i >> (8 * (3 - byte)));
    }
    known.key.scopes.Add(Scope::kPublish);
    text = security::NewApiKey(known.key.id, security::RandomBytes);
    known.secret_digest = security::ApiKeyDigest(security::ParseApiKey(text)->secret);
    table.changes.push_back(known);
  }
  access::KeyDirectory directory(std::make_unique<access::KeyTableReader>(table),
                                 {.calls_per_second = 1e9});
  DatabaseClock clock;
  const Instant now = MonotonicNow();
  clock.Synchronize(absl::Now(), now, now);
  directory.Refresh().IgnoreError();
  rpc::Gate gate(directory, clock, {.trust = trust});
  Asking service(gate, state);
  auto server =
      rpc::GrpcServer::Start({{"127.0.0.1:0", grpc::InsecureServerCredentials()}}, {&service});
  if (!server.ok()) {
    state.SkipWithError(std::string(server.status().message()).c_str());
    return;
  }
  const auto stub = v1::PublisherService::NewStub(
      grpc::CreateChannel((*server)->address(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  if (!text.empty()) context.AddMetadata("authorization", "Bearer " + text);
  v1::PublishResponse response;
  stub->Publish(&context, v1::PublishRequest(), &response);
}

void GateWithKey(benchmark::State& state) {
  AskGate(state, state.range(0), rpc::LocalTrust::kNobody);
}
// Keys are read once, and gone by for 4 s.
BENCHMARK(GateWithKey)->Arg(1)->Arg(10000)->MinTime(0.3);

void GateWithoutKey(benchmark::State& state) { AskGate(state, 0, rpc::LocalTrust::kEverybody); }
BENCHMARK(GateWithoutKey)->MinTime(0.3);

}  // namespace
}  // namespace postrider

#include "server/rpc/grpc_server.h"

#include <chrono>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/grpcpp.h"
#include "grpcpp/health_check_service_interface.h"
#include "grpcpp/resource_quota.h"
#include "server/observe/log.h"

namespace postrider::rpc {
namespace {

constexpr int kMaxMessageBytes = 16 << 20;
constexpr int kMaxMetadataBytes = 16 << 10;
constexpr int kMaxStreamsPerConnection = 1024;
// A client that pings more often, three times in a row, loses its connection (too_many_pings).
constexpr absl::Duration kMinPingInterval = absl::Seconds(10);
constexpr int kMaxPingStrikes = 2;
// A connection that is silent for this long is pinged, and given up without an answer.
constexpr absl::Duration kKeepalive = absl::Minutes(2);
constexpr absl::Duration kKeepaliveTimeout = absl::Seconds(20);
// Reflection is the one service of gRPC's that keeps a thread for each stream, and whoever can
// connect may ask it. Beyond them its calls are RESOURCE_EXHAUSTED.
constexpr int kReflectionThreads = 4;
// TLS and HTTP/2 together.
constexpr absl::Duration kHandshakeTimeout = absl::Seconds(10);

int Millis(absl::Duration span) { return static_cast<int>(absl::ToInt64Milliseconds(span)); }

void LimitConnections(grpc::ServerBuilder& builder) {
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadataBytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreamsPerConnection);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             Millis(kMinPingInterval));
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, kMaxPingStrikes);
  // Pings of an idle connection are judged by the same interval, not as abuse.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, Millis(kKeepalive));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Millis(kKeepaliveTimeout));
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, Millis(kHandshakeTimeout));
  // Two servers on one port would each get some of the connections.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
}

void LimitReflection(grpc::ServerBuilder& builder) {
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder.SetResourceQuota(grpc::ResourceQuota("reflection").SetMaxThreads(kReflectionThreads));
}

}  // namespace

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(
    const std::vector<Listener>& listeners, const std::vector<grpc::Service*>& services,
    const Gate* gate, Strangers* strangers) {
  grpc::EnableDefaultHealthCheckService(false);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
  builder.SetMaxSendMessageSize(kMaxMessageBytes);
  LimitConnections(builder);
  LimitReflection(builder);
  if (strangers != nullptr) {
    builder.experimental().SetInterceptorCreators(WatchStrangers(*gate, *strangers));
  }
  std::vector<int> ports(listeners.size(), 0);
  for (size_t i = 0; i < listeners.size(); ++i) {
    builder.AddListeningPort(listeners[i].address, listeners[i].credentials, &ports[i]);
  }
  for (grpc::Service* service : services) builder.RegisterService(service);
  auto server = std::unique_ptr<GrpcServer>(new GrpcServer());
  builder.RegisterService(&server->health_);
  server->server_ = builder.BuildAndStart();
  for (size_t i = 0; i < listeners.size(); ++i) {
    std::string address = listeners[i].address;
    if (server->server_ == nullptr || ports[i] == 0) {
      return absl::UnavailableError(absl::StrCat(
          "cannot listen on ", address, ": is another server there? Choose with --listen"));
    }
    if (!absl::StartsWith(address, "unix:")) {
      address = absl::StrCat(address.substr(0, address.rfind(':')), ":", ports[i]);
    }
    observe::Log(observe::Severity::kInfo, "listening", {{"address", address}});
    server->addresses_.push_back(std::move(address));
  }
  server->SetServing(false);
  return server;
}

GrpcServer::~GrpcServer() { Shutdown(absl::ZeroDuration()); }

void GrpcServer::SetServing(bool serving) { health_.Set("", serving); }

void GrpcServer::SetEgressReachable(bool reachable) { health_.Set(kEgressHealth, reachable); }

void GrpcServer::Shutdown(absl::Duration wait) {
  if (server_ == nullptr) return;
  health_.End();
  server_->Shutdown(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(wait));
}

}  // namespace postrider::rpc

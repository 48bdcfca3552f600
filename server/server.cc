#include "server/server.h"

#include <atomic>
#include <limits>
#include <sstream>
#include <utility>
#include <vector>

#include "absl/random/random.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "server/egress.h"
#include "server/engine/engine.h"
#include "server/http/loop.h"
#include "server/maintenance.h"
#include "server/master_keys.h"
#include "server/observe/log.h"
#include "server/observe/status_server.h"
#include "server/rpc/delivery_service.h"
#include "server/rpc/endpoint_service.h"
#include "server/rpc/event_service.h"
#include "server/rpc/grpc_server.h"
#include "server/rpc/later_services.h"
#include "server/rpc/org_service.h"
#include "server/rpc/publisher_service.h"
#include "server/security/random.h"
#include "server/serving.h"
#include "storage/postgres/delivery_store.h"
#include "storage/postgres/dispatch_store.h"
#include "storage/postgres/embedded/data_dir.h"
#include "storage/postgres/embedded/private_cluster.h"
#include "storage/postgres/endpoint_store.h"
#include "storage/postgres/environments.h"
#include "storage/postgres/event_acceptor.h"
#include "storage/postgres/event_store.h"
#include "storage/postgres/maintenance_store.h"
#include "storage/postgres/node_store.h"
#include "storage/postgres/purge_store.h"
#include "storage/postgres/sealed_store.h"
#include "storage/postgres/session_pool.h"

namespace postrider {
namespace {

constexpr int kRpcThreads = 8;
constexpr size_t kMaxWaitingCalls = 1000;
constexpr absl::Duration kShutdownWait = absl::Milliseconds(500);

std::string Text(absl::string_view view) { return std::string(view); }

// Random bits for ids, one thread at a time. What must be secret comes from security::RandomBytes.
std::function<uint64_t()> NewRandom() {
  auto bits = std::make_shared<absl::BitGen>();
  return [bits] { return absl::Uniform<uint64_t>(*bits); };
}

absl::StatusOr<std::string> NodeIdOf(const config::Config& config, embedded::DataDir& data_dir) {
  if (!config.node_id.empty()) return config.node_id;
  absl::StatusOr<std::string> kept = data_dir.ReadOrCreate(
      "node-id", [] { return absl::BytesToHexString(security::RandomBytes(8)); });
  if (!kept.ok()) return kept.status();
  return Text(absl::StripAsciiWhitespace(*kept));
}

// Ids of every kind strictly increase on this node, whatever thread makes them.
class Ids {
 public:
  template <typename IdType>
  IdType Next(absl::Time now) {
    return IdType{generator_.Next(now)};
  }

 private:
  UlidGenerator generator_{NewRandom()};
};

}  // namespace

// In order of construction; what is below uses what is above.
struct Server::Parts {
  config::Config config;
  std::unique_ptr<embedded::DataDir> data_dir;
  std::unique_ptr<embedded::PrivateCluster> cluster;
  StopSignal cluster_stop;
  NamedThread cluster_thread;
  SessionOptions hot;
  SessionOptions general;

  std::unique_ptr<security::KeyRing> keys;
  // Where this server and its database listen, as far as it is known.
  std::shared_ptr<http::ReservedPlaces> reserved;
  http::DestinationPolicy policy;
  DatabaseClock clock;
  Ids ids;
  std::atomic<bool> database_reachable{true};
  std::atomic<bool> egress_reachable{true};
  std::atomic<bool> draining{false};
  StopSignal hurry;

  std::unique_ptr<Environments> environments;
  std::unique_ptr<SessionPool> pool;
  std::unique_ptr<PgEventStore> events;
  std::unique_ptr<PgEndpointStore> endpoints;
  std::unique_ptr<PgDeliveryStore> deliveries;
  std::unique_ptr<PgPurgeStore> purges;

  std::unique_ptr<engine::Engine> engine;
  std::unique_ptr<http::Loop> http;
  std::unique_ptr<Maintenance> maintenance;

  std::unique_ptr<rpc::Workers> workers;
  std::unique_ptr<Serving> serving;
  std::unique_ptr<rpc::PublisherService> publisher_service;
  std::unique_ptr<rpc::EndpointService> endpoint_service;
  std::unique_ptr<rpc::EventService> event_service;
  std::unique_ptr<rpc::DeliveryService> delivery_service;
  std::unique_ptr<rpc::OrgService> org_service;
  std::unique_ptr<rpc::EventTypeService> event_type_service;
  std::unique_ptr<rpc::GrpcServer> grpc;
  std::unique_ptr<observe::StatusServer> status_server;
  bool stopped = false;

  absl::Status OpenDatabase();
  absl::Status PrepareDatabase();
  void BuildSender();
  absl::Status BuildEngine();
  absl::Status StartEngine();
  absl::Status StartServices();
  void UpdateHealth();
  observe::Readiness Ready() const;
  void Stop();
};

absl::Status Server::Parts::OpenDatabase() {
  hot.kind = SessionKind::kHot;
  hot.conninfo = config.database;
  hot.on_connect = [reserved = reserved](const std::string& server) {
    reserved->Add(http::PlacesOf(server));
  };
  if (config.database.empty()) {
    embedded::PrivateCluster::Options options;
    options.data_dir = data_dir->path();
    options.log = [](absl::string_view line) {
      observe::Log(observe::Severity::kInfo, "private PostgreSQL", {{"says", Text(line)}});
    };
    auto started = embedded::PrivateCluster::Start(std::move(options));
    if (!started.ok()) return started.status();
    cluster = *std::move(started);
    hot.conninfo = cluster->conninfo();
    cluster_thread = NamedThread("postgres", [this] {
      while (cluster_stop.WaitFor(absl::Seconds(2))) {
        if (absl::Status status = cluster->EnsureRunning(); !status.ok()) {
          POSTRIDER_LOG_RARELY(observe::Severity::kError, "the private PostgreSQL does not start",
                               {{"error", Text(status.message())}});
        }
      }
    });
  }
  general = hot;
  general.kind = SessionKind::kGeneral;
  return absl::OkStatus();
}

absl::Status Server::Parts::PrepareDatabase() {
  auto store = std::make_unique<PgMaintenanceStore>(general);
  if (absl::Status status = store->Migrate(); !status.ok()) return status;
  if (absl::Status status = store->MakePartitions(); !status.ok()) return status;
  PgSealedStore sealed(general);
  if (absl::Status status = CheckMasterKeys(sealed, *keys); !status.ok()) return status;
  RetentionOptions retention;
  retention.retention = config.retention;
  retention.payload_retention = config.payload_retention;
  retention.idempotency_window = config.idempotency_window;
  maintenance = std::make_unique<Maintenance>(std::move(store), retention);
  environments = std::make_unique<Environments>();
  pool = std::make_unique<SessionPool>(general, kRpcThreads);
  events = std::make_unique<PgEventStore>(*pool, *environments);
  endpoints = std::make_unique<PgEndpointStore>(*pool, *environments);
  deliveries = std::make_unique<PgDeliveryStore>(*pool, *environments);
  purges = std::make_unique<PgPurgeStore>(*pool);
  return absl::OkStatus();
}

void Server::Parts::BuildSender() {
  http::LoopOptions options;
  // What the dispatcher starts goes out at once: an attempt that waited inside the loop would run
  // longer than its lease allows for.
  options.max_connections_total = dispatch::DispatchLimits{}.max_in_flight;
  options.max_connections_per_origin = options.max_connections_total;
  options.user_agent = absl::StrCat("Postrider/", POSTRIDER_VERSION);
  options.policy = policy;
  options.proxy = config.egress_proxy;
  options.ca_file = config.egress_ca_file;
  http = std::make_unique<http::Loop>(options, [this](std::vector<http::Result> results) {
    engine->PutResults(std::move(results));
  });
}

absl::Status Server::Parts::BuildEngine() {
  absl::StatusOr<std::string> node_id = NodeIdOf(config, *data_dir);
  if (!node_id.ok()) return node_id.status();
  // A heartbeat that takes longer than this comes too late anyway.
  SessionOptions quick = hot;
  quick.connect_timeout = quick.statement_timeout = absl::Seconds(3);
  auto nodes = std::make_unique<PgNodeStore>(quick);
  absl::StatusOr<NodeRegistration> registered = nodes->Register(*node_id);
  if (!registered.ok()) return registered.status();

  engine::Stores stores;
  stores.commit =
      std::make_unique<PgEventAcceptor>(hot, *environments, config.idempotency_window, NewRandom());
  stores.record = std::make_unique<PgDispatchStore>(hot);
  stores.claim = std::make_unique<PgDispatchStore>(hot);
  stores.endpoints = std::make_unique<PgEndpointReader>(hot);
  stores.nodes = std::move(nodes);

  engine::Options options;
  options.self = *std::move(registered);
  options.lease = config.lease_duration;
  options.defaults.retry_schedule = config.retry_schedule;
  options.defaults.attempt_timeout = config.attempt_timeout;
  options.defaults.connect_timeout = config.connect_timeout;
  options.defaults.disable_threshold = config.disable_threshold;
  options.defaults.disable_on_gone = config.disable_on_gone;
  options.policy = policy;

  engine::Surroundings surroundings;
  surroundings.send = [this](std::vector<http::Request> requests) {
    http->Send(std::move(requests));
  };
  surroundings.database_reachable = [this](bool reachable) {
    if (database_reachable.exchange(reachable) != reachable) UpdateHealth();
  };
  surroundings.egress_reachable = [this](bool reachable) {
    egress_reachable = reachable;
    observe::Log(observe::Severity::kWarning,
                 reachable
                     ? "hosts can be reached again: everything goes on"
                     : "hardly any host can be reached from here: sending pauses to probes, and "
                       "no failure counts until that is over");
    UpdateHealth();
  };
  auto random = std::make_shared<absl::BitGen>();
  surroundings.random = [random] { return absl::Uniform<double>(*random, 0.0, 1.0); };
  surroundings.new_attempt_id = [this](absl::Time now) { return ids.Next<AttemptId>(now); };
  engine = std::make_unique<engine::Engine>(std::move(stores), options, std::move(surroundings),
                                            *keys, clock);
  return absl::OkStatus();
}

absl::Status Server::Parts::StartEngine() {
  // The first beat sets the clock: nothing is accepted before.
  if (absl::Status status = engine->Join(); !status.ok()) return status;
  http->Start();
  engine->Start();
  maintenance->Start();
  return absl::OkStatus();
}

absl::Status Server::Parts::StartServices() {
  workers = std::make_unique<rpc::Workers>(kRpcThreads, kMaxWaitingCalls);
  absl::StatusOr<std::unique_ptr<Serving>> started =
      Serving::Start({config, *pool, general, *keys, clock, *workers,
                      [this](absl::Time now) { return ids.Next<ApiKeyId>(now); },
                      [this](absl::Time now) { return ids.Next<AuditRecordId>(now); }});
  if (!started.ok()) return started.status();
  serving = *std::move(started);
  const rpc::Reception& reception = serving->reception();
  envelope::JsonLimits limits;
  limits.max_bytes = static_cast<size_t>(config.max_data_bytes);
  publisher_service = std::make_unique<rpc::PublisherService>(rpc::PublisherParts{
      [this](publish::Submission s) { return engine->Submit(std::move(s)); }, *events, reception,
      clock, [this](absl::Time now) { return ids.Next<EventId>(now); }, limits,
      config.idempotency_window});
  serving->TellOfKeys([this] { publisher_service->streams().EndThoseOfEndedKeys(); });
  endpoint_service = std::make_unique<rpc::EndpointService>(rpc::EndpointParts{
      *endpoints, *keys, reception, clock,
      [this](absl::Time now) { return ids.Next<EndpointId>(now); },
      rpc::EndpointRules{policy, config.attempt_timeout}, config.max_endpoints_per_env});
  event_service = std::make_unique<rpc::EventService>(*events, reception);
  delivery_service = std::make_unique<rpc::DeliveryService>(
      rpc::DeliveryParts{*deliveries, *endpoints, reception, clock,
                         [this](absl::Time now) { return ids.Next<DeliveryId>(now); }});
  org_service = std::make_unique<rpc::OrgService>(
      rpc::OrgParts{*purges, *events, reception, [this] { return draining.load(); }});
  event_type_service = std::make_unique<rpc::EventTypeService>(reception);
  absl::StatusOr<std::unique_ptr<rpc::GrpcServer>> listening = rpc::GrpcServer::Start(
      serving->Listeners(),
      {publisher_service.get(), endpoint_service.get(), event_service.get(), delivery_service.get(),
       event_type_service.get(), &serving->api_key_service(), org_service.get()},
      &serving->gate(), serving->strangers());
  if (!listening.ok()) return listening.status();
  grpc = *std::move(listening);
  absl::StatusOr<std::unique_ptr<observe::StatusServer>> answering =
      observe::StatusServer::Start(config.http_listen, [this] { return Ready(); });
  if (!answering.ok()) return answering.status();
  status_server = *std::move(answering);
  // Port 0 has become one.
  for (const std::string& address : grpc->addresses()) reserved->Add(http::PlacesOf(address));
  reserved->Add(http::PlacesOf(status_server->address()));
  UpdateHealth();
  return absl::OkStatus();
}

void Server::Parts::UpdateHealth() {
  if (grpc == nullptr) return;
  grpc->SetServing(database_reachable && !draining);
  grpc->SetEgressReachable(egress_reachable);
}

observe::Readiness Server::Parts::Ready() const {
  if (draining) return {false, "not ready: the server is stopping"};
  if (!database_reachable) return {false, "not ready: the database is out of reach"};
  if (!egress_reachable) return {true, "ok, but hardly any receiver can be reached from here"};
  return {true, "ok"};
}

// Takes down what was built, however far that went: nothing new comes in, what runs is finished or
// given back, and the node says goodbye.
void Server::Parts::Stop() {
  if (std::exchange(stopped, true)) return;
  draining = true;
  UpdateHealth();
  if (publisher_service != nullptr) {
    // Not more than half of the drain, in case callers do not read their answers.
    rpc::PublishStreams& streams = publisher_service->streams();
    const Instant end = MonotonicNow() + config.drain_timeout / 2;
    streams.Drain();
    while (!streams.AllEnded() && MonotonicNow() < end && hurry.WaitFor(absl::Milliseconds(5))) {
    }
  }
  if (grpc != nullptr) grpc->Shutdown(kShutdownWait);
  if (engine != nullptr) engine->StopAccepting();
  if (workers != nullptr) workers->Stop();
  if (serving != nullptr) serving->Stop();
  status_server.reset();
  if (maintenance != nullptr) maintenance->RequestStop();
  if (engine != nullptr) {
    engine->Drain();
    const Instant end = MonotonicNow() + config.drain_timeout;
    for (;;) {
      if (engine->load().drained()) break;
      if (MonotonicNow() >= end || !hurry.WaitFor(absl::Milliseconds(10))) break;
    }
    // What is still in flight keeps its lease: whoever takes this node's work over logs it as
    // ABANDONED. Its late result is dropped.
    engine->StopDispatch();
  }
  if (http != nullptr) http->Stop();
  if (engine != nullptr) engine->Stop();
  // Last: a chore that runs may take its time, and must not take the drain's.
  if (maintenance != nullptr) maintenance->Stop();
  // Answers to calls are given before their objects go.
  grpc.reset();
  cluster_stop.Stop();
  cluster_thread.Join();
  if (cluster != nullptr) {
    pool.reset();
    if (absl::Status ended = cluster->Stop(absl::Seconds(10)); !ended.ok()) {
      observe::Log(observe::Severity::kWarning, "the private PostgreSQL did not stop in time",
                   {{"error", Text(ended.message())}});
    }
  }
}

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Server::~Server() { parts_->Stop(); }

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const config::Config& config) {
  auto server = std::unique_ptr<Server>(new Server(std::make_unique<Parts>()));
  Parts& parts = *server->parts_;
  parts.config = config;
  parts.reserved = ReservedPlacesOf(config);
  absl::StatusOr<http::DestinationPolicy> policy = PolicyOf(config, parts.reserved);
  if (!policy.ok()) return policy.status();
  parts.policy = *std::move(policy);
  absl::StatusOr<std::unique_ptr<embedded::DataDir>> data_dir =
      embedded::DataDir::Open(config.data_dir);
  if (!data_dir.ok()) return data_dir.status();
  parts.data_dir = *std::move(data_dir);
  absl::StatusOr<security::KeyRing> keys = ReadMasterKeys(config, parts.data_dir.get());
  if (!keys.ok()) return keys.status();
  parts.keys = std::make_unique<security::KeyRing>(*std::move(keys));

  parts.BuildSender();
  for (const auto step : {&Parts::OpenDatabase, &Parts::PrepareDatabase, &Parts::BuildEngine,
                          &Parts::StartEngine, &Parts::StartServices}) {
    if (absl::Status status = (parts.*step)(); !status.ok()) return status;
  }
  return server;
}

std::string Server::grpc_address() const { return parts_->grpc->address(); }
std::string Server::http_address() const { return parts_->status_server->address(); }
void Server::Drain() { parts_->Stop(); }
void Server::Hurry() { parts_->hurry.Stop(); }

}  // namespace postrider

#include "server/server.h"

#include <atomic>
#include <fstream>
#include <limits>
#include <sstream>
#include <utility>
#include <vector>

#include "absl/random/random.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/dispatch/claimer.h"
#include "server/dispatch/dispatch_loop.h"
#include "server/dispatch/endpoint_watch.h"
#include "server/dispatch/heartbeat.h"
#include "server/dispatch/recorder.h"
#include "server/http/loop.h"
#include "server/maintenance.h"
#include "server/observe/log.h"
#include "server/observe/status_server.h"
#include "server/publish/committer.h"
#include "server/rpc/delivery_service.h"
#include "server/rpc/endpoint_service.h"
#include "server/rpc/event_service.h"
#include "server/rpc/grpc_server.h"
#include "server/rpc/later_services.h"
#include "server/rpc/publisher_service.h"
#include "server/security/random.h"
#include "storage/postgres/delivery_store.h"
#include "storage/postgres/dispatch_store.h"
#include "storage/postgres/embedded/data_dir.h"
#include "storage/postgres/embedded/private_cluster.h"
#include "storage/postgres/endpoint_store.h"
#include "storage/postgres/environments.h"
#include "storage/postgres/event_store.h"
#include "storage/postgres/maintenance_store.h"
#include "storage/postgres/node_store.h"
#include "storage/postgres/session_pool.h"

namespace postrider {
namespace {

constexpr int kRpcThreads = 8;
constexpr size_t kMaxWaitingCalls = 1000;
// Between the end of the longest attempt and the end of its lease: time to record the outcome.
constexpr absl::Duration kRecordMargin = absl::Seconds(3);
constexpr absl::Duration kShutdownWait = absl::Milliseconds(500);

std::string Text(absl::string_view view) { return std::string(view); }

uint64_t Random64() {
  const std::string bytes = security::RandomBytes(8);
  uint64_t value = 0;
  for (char byte : bytes) value = (value << 8) | static_cast<uint8_t>(byte);
  return value;
}

absl::StatusOr<http::DestinationPolicy> PolicyOf(const config::Config& config) {
  std::vector<http::Cidr> allowed;
  for (const std::string& text : config.egress_allow) {
    absl::StatusOr<http::Cidr> cidr = http::ParseCidr(text);
    if (!cidr.ok()) return cidr.status();
    allowed.push_back(*cidr);
  }
  if (!allowed.empty() || config.egress_allow_http) {
    observe::Log(observe::Severity::kWarning, "endpoints may reach more than the public Internet",
                 {{"egress_allow", absl::StrJoin(config.egress_allow, ",")},
                  {"egress_allow_http", config.egress_allow_http ? "on" : "off"}});
  }
  return http::DestinationPolicy(std::move(allowed), config.egress_allow_http);
}

absl::StatusOr<security::KeyRing> KeysOf(const config::Config& config,
                                         embedded::DataDir& data_dir) {
  std::string text;
  if (!config.master_key.empty()) {
    text = config.master_key;
  } else if (!config.master_key_file.empty()) {
    std::ifstream file(config.master_key_file);
    if (!file) {
      return absl::FailedPreconditionError(
          absl::StrCat("cannot read the master key from ", config.master_key_file));
    }
    text.assign(std::istreambuf_iterator<char>(file), {});
  } else {
    absl::StatusOr<std::string> kept = data_dir.ReadOrCreate(
        "master-key", [] { return security::GenerateMasterKeyText(security::RandomBytes); });
    if (!kept.ok()) return kept.status();
    text = *std::move(kept);
  }
  absl::StatusOr<security::MasterKey> key = security::MasterKey::Parse(text);
  security::Cleanse(text.data(), text.size());
  if (!key.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat("the master key is not usable: ", Text(key.status().message())));
  }
  return security::KeyRing::Create(*std::move(key), {});
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
  UlidGenerator generator_{Random64};
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
  http::DestinationPolicy policy;
  dispatch::DeliveryDefaults defaults;
  DatabaseClock clock;
  Ids ids;
  NodeRegistration node;
  std::atomic<bool> database_reachable{true};
  std::atomic<bool> draining{false};
  StopSignal hurry;

  std::unique_ptr<Environments> environments;
  std::unique_ptr<SessionPool> pool;
  std::unique_ptr<PgEventStore> events;
  std::unique_ptr<PgEndpointStore> endpoints;
  std::unique_ptr<PgDeliveryStore> deliveries;

  std::unique_ptr<dispatch::DispatchLoop> dispatch;
  std::unique_ptr<http::Loop> http;
  std::unique_ptr<dispatch::Recorder> recorder;
  std::unique_ptr<dispatch::Claimer> claimer;
  std::unique_ptr<dispatch::EndpointWatch> watch;
  std::unique_ptr<dispatch::Heartbeat> heartbeat;
  std::unique_ptr<publish::Committer> committer;
  std::unique_ptr<Maintenance> maintenance;

  std::unique_ptr<rpc::Workers> workers;
  std::unique_ptr<rpc::PublisherService> publisher_service;
  std::unique_ptr<rpc::EndpointService> endpoint_service;
  std::unique_ptr<rpc::EventService> event_service;
  std::unique_ptr<rpc::DeliveryService> delivery_service;
  rpc::EventTypeService event_type_service;
  rpc::ApiKeyService api_key_service;
  rpc::OrgService org_service;
  std::unique_ptr<rpc::GrpcServer> grpc;
  std::unique_ptr<observe::StatusServer> status_server;
  bool stopped = false;

  absl::Status OpenDatabase();
  absl::Status PrepareDatabase();
  absl::Status JoinNodes();
  void BuildDispatch();
  absl::Status StartDispatch();
  absl::Status StartServices();
  absl::Duration Hold() const {
    return config.lease_duration - config.attempt_timeout - kRecordMargin;
  }
  void OnAccepted(const std::vector<NewEvent>& accepted, const std::vector<AcceptResult>& results,
                  Instant begun);
  void UpdateHealth();
  void Stop();
};

absl::Status Server::Parts::OpenDatabase() {
  hot.kind = SessionKind::kHot;
  hot.conninfo = config.database;
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
  return absl::OkStatus();
}

absl::Status Server::Parts::JoinNodes() {
  absl::StatusOr<std::string> node_id = NodeIdOf(config, *data_dir);
  if (!node_id.ok()) return node_id.status();
  // A heartbeat that takes longer than this comes too late anyway.
  SessionOptions quick = hot;
  quick.connect_timeout = quick.statement_timeout = absl::Seconds(3);
  auto store = std::make_unique<PgNodeStore>(quick);
  absl::StatusOr<NodeRegistration> registered = store->Register(*node_id);
  if (!registered.ok()) return registered.status();
  node = *std::move(registered);
  dispatch::Heartbeat::Outputs outputs;
  outputs.renewed = [this](const dispatch::Membership& membership, Instant joined_at,
                           Instant alive_until) {
    claimer->SetLiveness(membership.liveness);
    dispatch->Post(
        [cluster = membership.cluster, joined_at, alive_until](dispatch::Dispatcher& dispatcher) {
          dispatcher.SetCluster(cluster);
          dispatcher.SetAlive(joined_at, alive_until);
        });
  };
  outputs.database_reachable = [this](bool reachable) {
    if (database_reachable.exchange(reachable) != reachable) UpdateHealth();
  };
  heartbeat =
      std::make_unique<dispatch::Heartbeat>(std::move(store), node, std::move(outputs), clock);
  return absl::OkStatus();
}

void Server::Parts::BuildDispatch() {
  auto random = std::make_shared<absl::BitGen>();
  dispatch::Dispatcher dispatcher(
      dispatch::DispatchLimits{}, [random] { return absl::Uniform<double>(*random, 0.0, 1.0); },
      [this](absl::Time now) { return ids.Next<AttemptId>(now); });
  dispatch::DispatchLoop::Outputs outputs;
  outputs.send = [this](std::vector<http::Request> requests) { http->Send(std::move(requests)); };
  outputs.release = [this](std::vector<LeaseRef> leases) { claimer->Release(std::move(leases)); };
  outputs.load = [this](std::vector<EndpointId> wanted) { watch->Load(std::move(wanted)); };
  outputs.record = [this](std::vector<dispatch::FinishedAttempt> attempts) {
    recorder->Put(std::move(attempts));
  };
  outputs.order = [this](std::vector<ClaimOrder> orders) { claimer->Order(std::move(orders)); };
  dispatch =
      std::make_unique<dispatch::DispatchLoop>(std::move(dispatcher), std::move(outputs), clock);

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
    dispatch->Post([this, results = std::move(results)](dispatch::Dispatcher& d) mutable {
      d.AddResults(std::move(results), MonotonicNow(), clock.Now());
    });
  });
  recorder = std::make_unique<dispatch::Recorder>(
      std::make_unique<PgDispatchStore>(hot), node.node_no,
      [this](int count, std::vector<DisabledEndpoint> disabled) {
        for (const DisabledEndpoint& endpoint : disabled) {
          observe::Log(
              observe::Severity::kWarning, "disabled an endpoint",
              {{"endpoint_id", endpoint.endpoint_id.ToText()},
               {"reason",
                endpoint.reason == DisabledReason::kGone ? "gone" : "consecutive failures"}});
        }
        dispatch->Post([count, disabled = std::move(disabled)](dispatch::Dispatcher& d) {
          d.AddRecorded(count, disabled);
        });
      });
  dispatch::Claimer::Outputs claims;
  claims.claimed = [this](std::vector<ClaimOrder> orders, std::vector<dispatch::WorkItem> items) {
    dispatch->Post(
        [orders = std::move(orders), items = std::move(items)](dispatch::Dispatcher& d) mutable {
          d.AddClaimed(orders, std::move(items));
        });
  };
  claims.failed = [this](std::vector<ClaimOrder> orders) {
    dispatch->Post(
        [orders = std::move(orders)](dispatch::Dispatcher& d) { d.AddClaimFailed(orders); });
  };
  claims.due = [this](std::vector<EndpointId> due) {
    dispatch->Post([due = std::move(due)](dispatch::Dispatcher& d) { d.AddBacklog(due); });
  };
  dispatch::ClaimOptions claim_options;
  claim_options.node_no = node.node_no;
  claim_options.lease = config.lease_duration;
  claim_options.hold = Hold();
  claimer = std::make_unique<dispatch::Claimer>(std::make_unique<PgDispatchStore>(hot),
                                                claim_options, std::move(claims), clock);
  watch = std::make_unique<dispatch::EndpointWatch>(
      std::make_unique<PgEndpointReader>(hot), *keys, policy, defaults,
      [this](std::vector<std::shared_ptr<const dispatch::Target>> targets, Instant validated_at) {
        dispatch->Post(
            [targets = std::move(targets), validated_at](dispatch::Dispatcher& d) mutable {
              d.AddTargets(std::move(targets), validated_at);
            });
      });
}

void Server::Parts::OnAccepted(const std::vector<NewEvent>& accepted,
                               const std::vector<AcceptResult>& results, Instant begun) {
  std::vector<dispatch::WorkItem> items;
  std::vector<EndpointId> backlog;
  for (size_t i = 0; i < accepted.size(); ++i) {
    for (const NewDelivery& delivery : results[i].deliveries) {
      if (!delivery.leased) {
        backlog.push_back(delivery.endpoint_id);
        continue;
      }
      dispatch::WorkItem item;
      item.id = delivery.id;
      item.event_id = accepted[i].id;
      item.endpoint_id = delivery.endpoint_id;
      item.lease_token = delivery.lease_token;
      item.body = accepted[i].body;
      item.hold_until = begun + Hold();
      items.push_back(std::move(item));
    }
  }
  if (items.empty() && backlog.empty()) return;
  dispatch->Post(
      [items = std::move(items), backlog = std::move(backlog)](dispatch::Dispatcher& d) mutable {
        d.AddBacklog(backlog);
        d.AddWork(std::move(items));
      });
}

absl::Status Server::Parts::StartDispatch() {
  committer = std::make_unique<publish::Committer>(
      std::make_unique<PgEventAcceptor>(hot, *environments, config.idempotency_window),
      publish::CommitLimits{},
      [this] {
        const int32_t lessee = dispatch->load().joined ? node.node_no : FanOutLease::kNobody;
        return FanOutLease{lessee, config.lease_duration, dispatch->Congested()};
      },
      [this](const std::vector<NewEvent>& accepted, const std::vector<AcceptResult>& results,
             Instant begun) { OnAccepted(accepted, results, begun); });
  dispatch->Start();
  // The first beat sets the clock: nothing is accepted before.
  if (absl::Status status = heartbeat->Start(); !status.ok()) return status;
  http->Start();
  recorder->Start();
  watch->Start();
  claimer->Start();
  committer->Start();
  maintenance->Start();
  return absl::OkStatus();
}

absl::Status Server::Parts::StartServices() {
  workers = std::make_unique<rpc::Workers>(kRpcThreads, kMaxWaitingCalls);
  envelope::JsonLimits limits;
  limits.max_bytes = static_cast<size_t>(config.max_data_bytes);
  publisher_service = std::make_unique<rpc::PublisherService>(
      rpc::PublisherParts{*committer, *events, *workers, clock,
                          [this](absl::Time now) { return ids.Next<EventId>(now); }, limits,
                          config.idempotency_window});
  endpoint_service = std::make_unique<rpc::EndpointService>(
      rpc::EndpointParts{*endpoints, *keys, *workers, clock,
                         [this](absl::Time now) { return ids.Next<EndpointId>(now); },
                         rpc::EndpointRules{policy, config.attempt_timeout}});
  event_service = std::make_unique<rpc::EventService>(*events, *workers);
  delivery_service = std::make_unique<rpc::DeliveryService>(
      rpc::DeliveryParts{*deliveries, *endpoints, *workers, clock,
                         [this](absl::Time now) { return ids.Next<DeliveryId>(now); }});
  absl::StatusOr<std::unique_ptr<rpc::GrpcServer>> listening = rpc::GrpcServer::Start(
      config.listen, {publisher_service.get(), endpoint_service.get(), event_service.get(),
                      delivery_service.get(), &event_type_service, &api_key_service, &org_service});
  if (!listening.ok()) return listening.status();
  grpc = *std::move(listening);
  absl::StatusOr<std::unique_ptr<observe::StatusServer>> answering = observe::StatusServer::Start(
      config.http_listen, [this] { return database_reachable && !draining; });
  if (!answering.ok()) return answering.status();
  status_server = *std::move(answering);
  UpdateHealth();
  return absl::OkStatus();
}

void Server::Parts::UpdateHealth() {
  if (grpc != nullptr) grpc->SetServing(database_reachable && !draining);
}

// Takes down what was built, however far that went: nothing new comes in, what runs is finished or
// given back, and the node says goodbye.
void Server::Parts::Stop() {
  if (std::exchange(stopped, true)) return;
  draining = true;
  UpdateHealth();
  if (grpc != nullptr) grpc->Shutdown(kShutdownWait);
  if (committer != nullptr) committer->Stop();
  if (workers != nullptr) workers->Stop();
  status_server.reset();
  if (maintenance != nullptr) maintenance->RequestStop();
  if (dispatch != nullptr) {
    dispatch->Post([](dispatch::Dispatcher& d) { d.Drain(); });
    const Instant end = MonotonicNow() + config.drain_timeout;
    for (;;) {
      const dispatch::DispatchLoop::Load load = dispatch->load();
      if (load.in_flight == 0 && load.unrecorded == 0 && load.queued == 0) break;
      if (MonotonicNow() >= end || !hurry.WaitFor(absl::Milliseconds(10))) break;
    }
    // What is still in flight keeps its lease: whoever takes this node's work over logs it as
    // ABANDONED. Its late result is dropped.
    dispatch->Stop();
  }
  if (http != nullptr) http->Stop();
  if (recorder != nullptr) recorder->Stop();
  if (claimer != nullptr) claimer->Stop();
  if (watch != nullptr) watch->Stop();
  if (heartbeat != nullptr) heartbeat->Stop(/*clean=*/true);
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
  parts.defaults.retry_schedule = config.retry_schedule;
  parts.defaults.attempt_timeout = config.attempt_timeout;
  parts.defaults.connect_timeout = config.connect_timeout;
  parts.defaults.disable_threshold = config.disable_threshold;
  parts.defaults.disable_on_gone = config.disable_on_gone;
  absl::StatusOr<http::DestinationPolicy> policy = PolicyOf(config);
  if (!policy.ok()) return policy.status();
  parts.policy = *std::move(policy);
  absl::StatusOr<std::unique_ptr<embedded::DataDir>> data_dir =
      embedded::DataDir::Open(config.data_dir);
  if (!data_dir.ok()) return data_dir.status();
  parts.data_dir = *std::move(data_dir);
  absl::StatusOr<security::KeyRing> keys = KeysOf(config, *parts.data_dir);
  if (!keys.ok()) return keys.status();
  parts.keys = std::make_unique<security::KeyRing>(*std::move(keys));

  for (const auto step : {&Parts::OpenDatabase, &Parts::PrepareDatabase, &Parts::JoinNodes}) {
    if (absl::Status status = (parts.*step)(); !status.ok()) return status;
  }
  parts.BuildDispatch();
  for (const auto step : {&Parts::StartDispatch, &Parts::StartServices}) {
    if (absl::Status status = (parts.*step)(); !status.ok()) return status;
  }
  return server;
}

std::string Server::grpc_address() const { return parts_->grpc->address(); }
std::string Server::http_address() const { return parts_->status_server->address(); }
void Server::Drain() { parts_->Stop(); }
void Server::Hurry() { parts_->hurry.Stop(); }

}  // namespace postrider

#include "server/engine/engine.h"

#include <utility>

#include "server/observe/log.h"

namespace postrider::engine {
namespace {

// Between the end of the longest attempt and the end of its lease: time to record the outcome.
constexpr absl::Duration kRecordMargin = absl::Seconds(3);

dispatch::ClaimOptions ClaimOptionsOf(const Options& options, absl::Duration hold) {
  dispatch::ClaimOptions claim;
  claim.node_no = options.self.node_no;
  claim.lease = options.lease;
  claim.hold = hold;
  return claim;
}

}  // namespace

absl::Duration HoldOf(absl::Duration lease, absl::Duration attempt_timeout) {
  return lease - attempt_timeout - kRecordMargin;
}

Engine::Engine(Stores stores, const Options& options, Surroundings surroundings,
               const security::KeyRing& keys, DatabaseClock& clock)
    : node_no_(options.self.node_no),
      lease_(options.lease),
      hold_(HoldOf(options.lease, options.defaults.attempt_timeout)),
      clock_(clock),
      dispatch_("dispatch",
                dispatch::Dispatcher(dispatch::DispatchLimits{}, std::move(surroundings.random),
                                     std::move(surroundings.new_attempt_id)),
                DispatchOutputs(surroundings), clock),
      record_(
          "record", std::move(stores.record), node_no_,
          [this](dispatch::Recorded recorded) { OnRecorded(std::move(recorded)); }, clock),
      claim_("claim", std::move(stores.claim), ClaimOptionsOf(options, hold_), ClaimOutputs(),
             clock),
      endpoints_(
          "endpoints", std::move(stores.endpoints), keys, options.policy, options.defaults,
          [this](dispatch::EndpointNews news) {
            dispatch_.Put([news = std::move(news)](dispatch::Dispatcher& d) mutable {
              d.AddNews(std::move(news));
            });
          },
          clock),
      heartbeat_("heartbeat", std::move(stores.nodes), options.self, HeartbeatOutputs(surroundings),
                 clock),
      commit_(
          "commit", std::move(stores.commit), publish::CommitLimits{},
          [this] { return NextLease(); },
          publish::Committer::Outputs{
              [this](const std::vector<NewEvent>& accepted,
                     const std::vector<AcceptResult>& results,
                     Instant begun) { OnAccepted(accepted, results, begun); },
              [this](std::vector<EventId> events) { claim_.Put({.untold = std::move(events)}); }},
          clock) {}

Engine::Dispatch::Outputs Engine::DispatchOutputs(Surroundings& surroundings) {
  Dispatch::Outputs outputs;
  outputs.send = std::move(surroundings.send);
  outputs.release = [this](std::vector<LeaseRef> leases) {
    claim_.Put({.releases = std::move(leases)});
  };
  outputs.load = [this](std::vector<EndpointId> wanted) {
    endpoints_.Put({.load = std::move(wanted)});
  };
  outputs.forget = [this](std::vector<EndpointId> idle) {
    endpoints_.Put({.forget = std::move(idle)});
  };
  outputs.record = [this](std::vector<dispatch::FinishedAttempt> attempts) {
    record_.PutAll(std::move(attempts));
  };
  outputs.egress_reachable = std::move(surroundings.egress_reachable);
  outputs.order = [this](std::vector<ClaimOrder> orders) {
    claim_.Put({.orders = std::move(orders)});
  };
  return outputs;
}

dispatch::Claimer::Outputs Engine::ClaimOutputs() {
  dispatch::Claimer::Outputs outputs;
  outputs.claimed = [this](std::vector<ClaimOrder> orders, std::vector<dispatch::WorkItem> items) {
    dispatch_.Put([orders = std::move(orders), items = std::move(items)](
                      dispatch::Dispatcher& d) mutable { d.AddClaimed(orders, std::move(items)); });
  };
  outputs.failed = [this](std::vector<ClaimOrder> orders) {
    dispatch_.Put(
        [orders = std::move(orders)](dispatch::Dispatcher& d) { d.AddClaimFailed(orders); });
  };
  outputs.due = [this](std::vector<EndpointId> due) {
    dispatch_.Put([due = std::move(due)](dispatch::Dispatcher& d) { d.AddBacklog(due); });
  };
  return outputs;
}

dispatch::Heartbeat::Outputs Engine::HeartbeatOutputs(Surroundings& surroundings) {
  dispatch::Heartbeat::Outputs outputs;
  outputs.renewed = [this](const dispatch::Membership& membership,
                           const dispatch::Standing& standing) {
    claim_.Put({.liveness = membership.liveness});
    dispatch_.Put([cluster = membership.cluster, standing](dispatch::Dispatcher& d) {
      d.SetCluster(cluster);
      d.SetStanding(standing);
    });
  };
  outputs.database_reachable = std::move(surroundings.database_reachable);
  return outputs;
}

absl::Status Engine::Submit(publish::Submission submission) {
  if (absl::Status status = commit_.core().Admit(submission); !status.ok()) return status;
  if (!commit_.Put(std::move(submission))) {
    return absl::UnavailableError("the server is stopping: try another one");
  }
  return absl::OkStatus();
}

void Engine::PutResults(std::vector<http::Result> results) {
  dispatch_.Put([this, results = std::move(results)](dispatch::Dispatcher& d) mutable {
    d.AddResults(std::move(results), clock_.Monotonic(), clock_.Now());
  });
}

void Engine::Drain() {
  dispatch_.Put([](dispatch::Dispatcher& d) { d.Drain(); });
}

FanOutLease Engine::NextLease() const {
  const int32_t lessee = load().joined ? node_no_ : FanOutLease::kNobody;
  return {lessee, lease_, dispatch_.core().Congested()};
}

void Engine::OnAccepted(const std::vector<NewEvent>& accepted,
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
      item.leased_at = begun;
      item.hold_until = begun + hold_;
      items.push_back(std::move(item));
    }
  }
  if (items.empty() && backlog.empty()) return;
  dispatch_.Put(
      [items = std::move(items), backlog = std::move(backlog)](dispatch::Dispatcher& d) mutable {
        d.AddBacklog(backlog);
        d.AddWork(std::move(items));
      });
}

void Engine::OnRecorded(dispatch::Recorded recorded) {
  for (const EndpointCount& endpoint : recorded.counts) {
    if (endpoint.disabled_reason == DisabledReason::kNone) continue;
    const bool gone = endpoint.disabled_reason == DisabledReason::kGone;
    observe::Log(observe::Severity::kWarning, "disabled an endpoint",
                 {{"endpoint_id", endpoint.endpoint_id.ToText()},
                  {"reason", gone ? "gone" : "consecutive failures"}});
  }
  dispatch_.Put(
      [recorded = std::move(recorded)](dispatch::Dispatcher& d) { d.AddRecorded(recorded); });
}

void Engine::Start() {
  dispatch_.Start();
  heartbeat_.Start();
  record_.Start();
  endpoints_.Start();
  claim_.Start();
  commit_.Start();
}

void Engine::StopAccepting() { commit_.Stop(); }

void Engine::StopDispatch() { dispatch_.Stop(); }

void Engine::Stop() {
  record_.Stop();
  record_.core().WriteTotals();
  claim_.Stop();
  claim_.core().ReleaseUntold();
  endpoints_.Stop();
  heartbeat_.Stop();
  heartbeat_.core().SayGoodbye();
}

}  // namespace postrider::engine

// Each fault that is planted here breaks a promise, and the checker finds it. Without a plant the
// same runs are clean (`simulation` in this folder).

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "server/policy/endpoint_health.h"
#include "tests/simulation/forwarding.h"
#include "tests/simulation/simulate.h"

namespace postrider::simulation {
namespace {

constexpr int kEvents = 1500;
constexpr uint64_t kSeeds = 540;
// The weathers in which most goes wrong first (WeatherOf goes by the remainder).
constexpr uint64_t kWorstFirst[] = {8, 4, 3, 6, 2, 5, 7, 1, 0};

template <typename Wrapper, typename Store>
Plant::Wrap<Store> Put() {
  return [](std::unique_ptr<Store> store, memory::Database& database) -> std::unique_ptr<Store> {
    return std::make_unique<Wrapper>(std::move(store), database);
  };
}

// A fault in how outcomes are recorded.
using RecordFault = std::function<absl::StatusOr<std::vector<EndpointCount>>(
    DispatchStore& store, memory::Database& database, std::vector<OutcomeRecord> outcomes,
    std::vector<EndpointTally> tallies)>;

Plant::Wrap<DispatchStore> Recording(RecordFault fault) {
  class Faulty : public ForwardingDispatchStore {
   public:
    Faulty(std::unique_ptr<DispatchStore> store, memory::Database& database, RecordFault fault)
        : ForwardingDispatchStore(std::move(store), database), fault_(std::move(fault)) {}
    absl::StatusOr<std::vector<EndpointCount>> Record(
        const std::vector<OutcomeRecord>& outcomes,
        const std::vector<EndpointTally>& tallies) override {
      return fault_(*store_, database_, outcomes, tallies);
    }

   private:
    const RecordFault fault_;
  };
  return
      [fault = std::move(fault)](std::unique_ptr<DispatchStore> store, memory::Database& database) {
        return std::make_unique<Faulty>(std::move(store), database, fault);
      };
}

// The same, for faults that change each outcome.
Plant::Wrap<DispatchStore> Altering(
    std::function<void(memory::Database& database, OutcomeRecord& outcome)> alter) {
  return Recording([alter = std::move(alter)](DispatchStore& store, memory::Database& database,
                                              std::vector<OutcomeRecord> outcomes,
                                              std::vector<EndpointTally> tallies) {
    for (OutcomeRecord& outcome : outcomes) alter(database, outcome);
    return store.Record(outcomes, tallies);
  });
}

// What could not be stored counts as stored.
absl::StatusOr<std::vector<EndpointCount>> ForgetUnknown(DispatchStore& store, memory::Database&,
                                                         std::vector<OutcomeRecord> outcomes,
                                                         std::vector<EndpointTally> tallies) {
  auto counts = store.Record(outcomes, tallies);
  if (absl::IsUnavailable(counts.status())) return std::vector<EndpointCount>{};
  return counts;
}

// Counters are written apart from the outcomes, which may fail or come twice.
absl::StatusOr<std::vector<EndpointCount>> CountApart(DispatchStore& store, memory::Database&,
                                                      std::vector<OutcomeRecord> outcomes,
                                                      std::vector<EndpointTally> tallies) {
  auto counts = store.Record({}, tallies);
  if (!counts.ok()) return counts;
  auto stored = store.Record(outcomes, {});
  if (!stored.ok()) return stored;
  return counts;
}

// Counters are read, and what follows is written when the statement comes to it: what other nodes
// counted meanwhile is lost.
absl::StatusOr<std::vector<EndpointCount>> CountFromWhatWasRead(
    DispatchStore& store, memory::Database& database, std::vector<OutcomeRecord> outcomes,
    std::vector<EndpointTally> tallies) {
  for (EndpointTally& tally : tallies) {
    const int read = database.endpoints().at(tally.endpoint_id).endpoint.consecutive_failures;
    const policy::Health health = policy::AfterBatch(
        read,
        {tally.leading_failures, tally.longest_run, tally.trailing_failures, tally.has_success},
        tally.threshold);
    // As if a success had come first, the counter becomes what is said here.
    tally.leading_failures = 0;
    tally.longest_run = health.disable ? tally.threshold : 0;
    tally.trailing_failures = health.consecutive_failures;
    tally.has_success = true;
  }
  return store.Record(outcomes, tallies);
}

// Whoever has the lease by now, and if nobody has it, the outcome is written.
void DropFence(memory::Database& database, OutcomeRecord& outcome) {
  const int64_t token = database.Seize(outcome.attempt.delivery_id, 1, absl::Seconds(30));
  if (token != 0) outcome.lease_token = token;
}

void RetryEarly(memory::Database&, OutcomeRecord& outcome) {
  outcome.next_attempt_time -= (outcome.next_attempt_time - outcome.complete_time) / 4;
}

// Failures use up no step of the schedule.
void NeverExhaust(memory::Database&, OutcomeRecord& outcome) {
  if (outcome.attempt.number % 2 == 0) outcome.uses_retry = false;
}

// What waits for its retry is over instead.
void GiveUpRetry(memory::Database&, OutcomeRecord& outcome) {
  outcome.state = DeliveryState::kSucceeded;
}

// Attempts that met an outage of our own use up the schedule like others.
void BlameEndpoints(memory::Database&, OutcomeRecord& outcome) {
  outcome.uses_retry = outcome.state == DeliveryState::kPending;
}

// Others' leases are freed without a trace in the log.
class TakesOverSilently : public ForwardingDispatchStore {
 public:
  using ForwardingDispatchStore::ForwardingDispatchStore;
  absl::StatusOr<std::vector<FreedWork>> TakeOver(const std::vector<int32_t>& gone,
                                                  const std::vector<int32_t>&, int32_t,
                                                  absl::Duration) override {
    std::vector<LeaseRef> leases;
    for (const auto& [id, row] : database_.open()) {
      for (int32_t node : gone) {
        if (row.lease_node == node) leases.push_back({id, row.lease_token});
      }
    }
    const absl::Status status = store_->Release(leases);
    if (!status.ok()) return status;
    return std::vector<FreedWork>{};
  }
};

// Leases are taken over long before they run out.
class TakesOverLiveLeases : public ForwardingDispatchStore {
 public:
  using ForwardingDispatchStore::ForwardingDispatchStore;
  absl::StatusOr<std::vector<ClaimedDelivery>> Claim(const std::vector<ClaimOrder>& orders,
                                                     int32_t node_no, absl::Duration) override {
    return store_->Claim(orders, node_no, absl::Milliseconds(1));
  }
};

// Gives back what it has just started.
class ReleasesStarted : public ForwardingDispatchStore {
 public:
  using ForwardingDispatchStore::ForwardingDispatchStore;
  absl::StatusOr<std::vector<DueEndpoint>> FindDue(EndpointId after, int32_t limit) override {
    LeaseRef first;
    for (const auto& [id, row] : database_.open()) {
      if (row.lease_node != 0 && (first.token == 0 || id < first.id)) first = {id, row.lease_token};
    }
    if (first.token != 0) (void)store_->Release({first});
    return store_->FindDue(after, limit);
  }
};

// A head that waits for its retry does not hold up what is behind it.
class PassesOverWaitingHeads : public ForwardingDispatchStore {
 public:
  using ForwardingDispatchStore::ForwardingDispatchStore;
  absl::StatusOr<std::vector<ClaimedDelivery>> Claim(const std::vector<ClaimOrder>& orders,
                                                     int32_t node_no,
                                                     absl::Duration lease) override {
    auto claimed = store_->Claim(orders, node_no, lease);
    if (!claimed.ok() || !claimed->empty()) return claimed;
    for (const ClaimOrder& order : orders) {
      const auto next = NextOf(order.endpoint_id);
      if (next == database_.open().end()) continue;
      const DeliveryId id = next->first;
      const int64_t token = database_.Seize(id, node_no, lease);
      const memory::OpenDelivery& row = database_.open().at(id);
      claimed->push_back({id, row.event_id, row.endpoint_id, row.origin, row.attempt_count,
                          row.failure_count, token, database_.events().at(row.event_id).body,
                          true});
    }
    return claimed;
  }

 private:
  // The first of its queue that is due, unless something of it is under way.
  absl::flat_hash_map<DeliveryId, memory::OpenDelivery>::const_iterator NextOf(EndpointId id) {
    auto next = database_.open().end();
    for (auto it = database_.open().begin(); it != database_.open().end(); ++it) {
      const memory::OpenDelivery& row = it->second;
      if (row.endpoint_id != id || !row.sequence) continue;
      if (row.lease_node != 0) return database_.open().end();
      if (row.next_attempt_time > database_.Now()) continue;
      if (next == database_.open().end() || *row.sequence < *next->second.sequence) next = it;
    }
    return next;
  }
};

// The events of a batch get their places backwards.
class TurnsBatchesRound : public ForwardingAcceptor {
 public:
  using ForwardingAcceptor::ForwardingAcceptor;
  absl::StatusOr<std::vector<AcceptResult>> Accept(const std::vector<NewEvent>& events,
                                                   const std::vector<int32_t>& batches,
                                                   const FanOutLease& lease) override {
    auto results =
        store_->Accept({events.rbegin(), events.rend()}, {batches.rbegin(), batches.rend()}, lease);
    if (results.ok()) std::reverse(results->begin(), results->end());
    return results;
  }
};

// Every silence is taken for death.
class ImpatientNodeStore : public ForwardingNodeStore {
 public:
  using ForwardingNodeStore::ForwardingNodeStore;
  absl::StatusOr<NodeRegistration> Register(const std::string& node_id) override {
    auto self = store_->Register(node_id);
    if (self.ok()) node_no_ = self->node_no;
    return self;
  }
  absl::StatusOr<HeartbeatAnswer> Heartbeat(int32_t node_no) override {
    // Ends the others' lives in their own name.
    if (auto answer = store_->Heartbeat(node_no); answer.ok()) {
      for (NodeRow& node : answer->nodes) {
        if (node.node_no != node_no_ && node.silence > absl::Milliseconds(500)) {
          (void)store_->MarkStopped(node.node_no);
          node.stopped = true;
        }
      }
      return answer;
    } else {
      return answer;
    }
  }

 private:
  int32_t node_no_ = 0;
};

// Takes its renewals for granted: what it cannot send counts as sent.
class RenewsItselfAlone : public ForwardingNodeStore {
 public:
  using ForwardingNodeStore::ForwardingNodeStore;
  absl::StatusOr<HeartbeatAnswer> Heartbeat(int32_t node_no) override {
    auto answer = store_->Heartbeat(node_no);
    if (answer.ok()) last_ = *answer;
    last_.database_time = database_.Now();
    return last_;
  }

 private:
  HeartbeatAnswer last_;
};

// And what it cannot read has not changed.
class ReadsNoErrors : public ForwardingReader {
 public:
  using ForwardingReader::ForwardingReader;
  absl::StatusOr<EndpointChanges> ChangesSince(int64_t position) override {
    auto changes = store_->ChangesSince(position);
    if (changes.ok()) return changes;
    return EndpointChanges{{}, position};
  }
};

// Says OK before, and whether or not, it is stored.
class AcknowledgesBeforeCommit : public ForwardingAcceptor {
 public:
  using ForwardingAcceptor::ForwardingAcceptor;
  absl::StatusOr<std::vector<AcceptResult>> Accept(const std::vector<NewEvent>& events,
                                                   const std::vector<int32_t>& batches,
                                                   const FanOutLease& lease) override {
    auto results = store_->Accept(events, batches, lease);
    if (results.ok()) return results;
    std::vector<AcceptResult> made_up(events.size());
    for (size_t i = 0; i < events.size(); ++i) made_up[i].event_id = events[i].id;
    return made_up;
  }
};

class IgnoresKeys : public ForwardingAcceptor {
 public:
  using ForwardingAcceptor::ForwardingAcceptor;
  absl::StatusOr<std::vector<AcceptResult>> Accept(const std::vector<NewEvent>& events,
                                                   const std::vector<int32_t>& batches,
                                                   const FanOutLease& lease) override {
    std::vector<NewEvent> keyless = events;
    for (NewEvent& event : keyless) event.idempotency_key.clear();
    return store_->Accept(keyless, batches, lease);
  }
};

// One delivery of each event that goes to several endpoints is called off.
class ForgetsADelivery : public ForwardingAcceptor {
 public:
  using ForwardingAcceptor::ForwardingAcceptor;
  absl::StatusOr<std::vector<AcceptResult>> Accept(const std::vector<NewEvent>& events,
                                                   const std::vector<int32_t>& batches,
                                                   const FanOutLease& lease) override {
    auto results = store_->Accept(events, batches, lease);
    if (!results.ok()) return results;
    for (AcceptResult& result : *results) {
      if (result.deliveries.size() < 2) continue;
      (void)database_.Cancel(result.deliveries.back().id);
      result.deliveries.pop_back();
    }
    return results;
  }
};

class FollowsNoChanges : public ForwardingReader {
 public:
  using ForwardingReader::ForwardingReader;
  absl::StatusOr<EndpointChanges> ChangesSince(int64_t position) override {
    auto changes = store_->ChangesSince(position);
    if (changes.ok()) changes->changes.clear();
    return changes;
  }
};

std::vector<Plant> Plants() {
  std::vector<Plant> plants;
  const auto record = [&](const char* name, Plant::Wrap<DispatchStore> wrap) {
    plants.push_back({.name = name, .record = std::move(wrap)});
  };
  const auto claim = [&](const char* name, Plant::Wrap<DispatchStore> wrap) {
    plants.push_back({.name = name, .claim = std::move(wrap)});
  };
  record("UnknownOutcomeForgotten", Recording(ForgetUnknown));
  record("CountedApart", Recording(CountApart));
  record("CounterReadThenWritten", Recording(CountFromWhatWasRead));
  record("FenceDropped", Altering(DropFence));
  record("RetriedEarly", Altering(RetryEarly));
  record("NeverExhausted", Altering(NeverExhaust));
  record("RetriesGivenUp", Altering(GiveUpRetry));
  record("OutageCounted", Altering(BlameEndpoints));
  claim("NoAbandonedRow", Put<TakesOverSilently, DispatchStore>());
  claim("LeaseNotChecked", Put<TakesOverLiveLeases, DispatchStore>());
  claim("StartedReleased", Put<ReleasesStarted, DispatchStore>());
  claim("WaitingHeadPassedOver", Put<PassesOverWaitingHeads, DispatchStore>());
  plants.push_back(
      {.name = "BatchTurnedRound", .acceptor = Put<TurnsBatchesRound, EventAcceptor>()});
  plants.push_back({.name = "TakenOverTooSoon", .nodes = Put<ImpatientNodeStore, NodeStore>()});
  plants.push_back({.name = "CutOffUnnoticed",
                    .endpoints = Put<ReadsNoErrors, EndpointReader>(),
                    .nodes = Put<RenewsItselfAlone, NodeStore>()});
  plants.push_back({.name = "AcknowledgedBeforeCommit",
                    .acceptor = Put<AcknowledgesBeforeCommit, EventAcceptor>()});
  plants.push_back({.name = "KeysIgnored", .acceptor = Put<IgnoresKeys, EventAcceptor>()});
  plants.push_back(
      {.name = "DeliveryForgotten", .acceptor = Put<ForgetsADelivery, EventAcceptor>()});
  plants.push_back({.name = "ChangesUnseen", .endpoints = Put<FollowsNoChanges, EndpointReader>()});
  return plants;
}

class PlantedFaultTest : public ::testing::TestWithParam<Plant> {};

TEST_P(PlantedFaultTest, IsCaught) {
  for (uint64_t i = 0; i < kSeeds; ++i) {
    const uint64_t seed = i / 9 * 9 + kWorstFirst[i % 9];
    const Report report = Simulate(seed, kEvents, GetParam());
    if (report.findings.empty()) continue;
    std::printf("seed %d: %s\n", static_cast<int>(seed), report.findings[0].c_str());
    return;
  }
  FAIL() << "no run of " << kSeeds << " found it";
}

INSTANTIATE_TEST_SUITE_P(, PlantedFaultTest, ::testing::ValuesIn(Plants()),
                         [](const auto& plant) { return plant.param.name; });

}  // namespace
}  // namespace postrider::simulation

// Each fault that is planted here breaks a promise, and the checker finds it. Without a plant the
// same runs are clean (`simulation` in this folder).

#include <map>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/simulation/forwarding.h"
#include "tests/simulation/simulate.h"

namespace postrider::simulation {
namespace {

constexpr int kEvents = 1500;
constexpr uint64_t kSeeds = 96;
// The weathers in which most goes wrong first (WeatherOf goes by the remainder).
constexpr uint64_t kWorstFirst[] = {8, 4, 3, 6, 2, 5, 1, 0};

template <typename Wrapper, typename Store>
Plant::Wrap<Store> Put() {
  return [](std::unique_ptr<Store> store, memory::Database& database) -> std::unique_ptr<Store> {
    return std::make_unique<Wrapper>(std::move(store), database);
  };
}

// What could not be stored counts as stored.
class ForgetsUnknownOutcomes : public ForwardingDispatchStore {
 public:
  using ForwardingDispatchStore::ForwardingDispatchStore;
  absl::StatusOr<std::vector<EndpointCount>> Record(
      const std::vector<OutcomeRecord>& outcomes,
      const std::vector<EndpointTally>& tallies) override {
    auto disabled = store_->Record(outcomes, tallies);
    if (absl::IsUnavailable(disabled.status())) return std::vector<EndpointCount>{};
    return disabled;
  }
};

// Counters are written apart from the outcomes, which may fail or come twice.
class CountsApart : public ForwardingDispatchStore {
 public:
  using ForwardingDispatchStore::ForwardingDispatchStore;
  absl::StatusOr<std::vector<EndpointCount>> Record(
      const std::vector<OutcomeRecord>& outcomes,
      const std::vector<EndpointTally>& tallies) override {
    auto disabled = store_->Record({}, tallies);
    if (!disabled.ok()) return disabled;
    auto stored = store_->Record(outcomes, {});
    if (!stored.ok()) return stored;
    return disabled;
  }
};

class RetriesEarly : public ForwardingDispatchStore {
 public:
  using ForwardingDispatchStore::ForwardingDispatchStore;
  absl::StatusOr<std::vector<EndpointCount>> Record(
      const std::vector<OutcomeRecord>& outcomes,
      const std::vector<EndpointTally>& tallies) override {
    std::vector<OutcomeRecord> early = outcomes;
    for (OutcomeRecord& outcome : early) {
      outcome.next_attempt_time -= (outcome.next_attempt_time - outcome.complete_time) / 4;
    }
    return store_->Record(early, tallies);
  }
};

// Failures use up no step of the schedule.
class NeverExhausts : public ForwardingDispatchStore {
 public:
  using ForwardingDispatchStore::ForwardingDispatchStore;
  absl::StatusOr<std::vector<EndpointCount>> Record(
      const std::vector<OutcomeRecord>& outcomes,
      const std::vector<EndpointTally>& tallies) override {
    std::vector<OutcomeRecord> free = outcomes;
    for (OutcomeRecord& outcome : free) {
      if (outcome.attempt.number % 2 == 0) outcome.uses_retry = false;
    }
    return store_->Record(free, tallies);
  }
};

// What waits for its retry is over instead.
class GivesUpRetries : public ForwardingDispatchStore {
 public:
  using ForwardingDispatchStore::ForwardingDispatchStore;
  absl::StatusOr<std::vector<EndpointCount>> Record(
      const std::vector<OutcomeRecord>& outcomes,
      const std::vector<EndpointTally>& tallies) override {
    std::vector<OutcomeRecord> over = outcomes;
    for (OutcomeRecord& outcome : over) outcome.state = DeliveryState::kSucceeded;
    return store_->Record(over, tallies);
  }
};

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
  record("UnknownOutcomeForgotten", Put<ForgetsUnknownOutcomes, DispatchStore>());
  record("CountedApart", Put<CountsApart, DispatchStore>());
  record("RetriedEarly", Put<RetriesEarly, DispatchStore>());
  record("NeverExhausted", Put<NeverExhausts, DispatchStore>());
  record("RetriesGivenUp", Put<GivesUpRetries, DispatchStore>());
  claim("NoAbandonedRow", Put<TakesOverSilently, DispatchStore>());
  claim("LeaseNotChecked", Put<TakesOverLiveLeases, DispatchStore>());
  claim("StartedReleased", Put<ReleasesStarted, DispatchStore>());
  plants.push_back({.name = "TakenOverTooSoon", .nodes = Put<ImpatientNodeStore, NodeStore>()});
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
    const uint64_t seed = i / 8 * 9 + kWorstFirst[i % 8];
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

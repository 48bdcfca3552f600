// Who uses the service: publishers, which call until they are told OK, and those who manage
// endpoints.

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "server/security/sealer.h"
#include "tests/simulation/dice.h"
#include "tests/simulation/journal.h"
#include "tests/simulation/process.h"
#include "tests/simulation/receivers.h"
#include "tests/simulation/timeline.h"

namespace postrider::simulation {

// The tenants and types of a run.
const std::vector<Tenant>& Tenants();
const std::vector<std::string>& Types();

class Publishers {
 public:
  // `process_of` gives a node's process, null when it has none.
  Publishers(Timeline& timeline, Dice& dice, Journal& journal, memory::Database& database,
             const Weather& weather, std::function<std::shared_ptr<Process>(int node)> process_of)
      : timeline_(timeline),
        dice_(dice),
        journal_(journal),
        database_(database),
        weather_(weather),
        process_of_(std::move(process_of)),
        ulids_([this] { return dice_.Next(); }) {}

  // So many events, spread over the storm.
  void Begin(int events);
  bool finished() const { return open_ == 0; }
  void Calm() { calm_ = true; }
  // Deliveries that were seen made.
  const std::vector<DeliveryId>& deliveries() const { return deliveries_; }
  // What should not have been answered.
  const std::vector<std::string>& complaints() const { return complaints_; }

 private:
  struct Call;
  void Try(std::shared_ptr<Call> call);
  void Again(std::shared_ptr<Call> call);
  void OnAnswer(const std::shared_ptr<Call>& call,
                absl::StatusOr<std::vector<AcceptResult>> results);

  Timeline& timeline_;
  Dice& dice_;
  Journal& journal_;
  memory::Database& database_;
  const Weather& weather_;
  const std::function<std::shared_ptr<Process>(int)> process_of_;
  UlidGenerator ulids_;
  bool calm_ = false;
  int open_ = 0;
  std::vector<DeliveryId> deliveries_;
  std::vector<std::string> complaints_;
};

class Operators {
 public:
  Operators(Timeline& timeline, Dice& dice, Journal& journal, memory::Database& database,
            Receivers& receivers, const security::KeyRing& keys, const Publishers& publishers,
            const Weather& weather)
      : timeline_(timeline),
        dice_(dice),
        journal_(journal),
        database_(database),
        receivers_(receivers),
        keys_(keys),
        publishers_(publishers),
        weather_(weather),
        ulids_([this] { return dice_.Next(); }) {}

  void Begin();
  // Enables what is disabled, and does nothing more.
  void Calm();

 private:
  void CreateEndpoint();
  // `number`: which one it is, from 0.
  void Change(EndpointConfig& config, EndpointId id, size_t number);
  void DoSomething();
  void Answered(Operation operation);

  Timeline& timeline_;
  Dice& dice_;
  Journal& journal_;
  memory::Database& database_;
  Receivers& receivers_;
  const security::KeyRing& keys_;
  const Publishers& publishers_;
  const Weather& weather_;
  UlidGenerator ulids_;
  std::vector<EndpointId> endpoints_;
  int next_url_ = 0;
  bool calm_ = false;
};

}  // namespace postrider::simulation

// One run: a database, nodes, receivers, publishers and what goes wrong between them, from one
// seed.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/memory/database.h"
#include "tests/simulation/journal.h"
#include "tests/simulation/people.h"
#include "tests/simulation/plant.h"
#include "tests/simulation/process.h"
#include "tests/simulation/receivers.h"
#include "tests/simulation/weather.h"

namespace postrider::simulation {

class World {
 public:
  World(uint64_t seed, const Weather& weather, int events, const Plant& plant);
  ~World();

  // Until there is nothing left to do, or long after there should not be.
  void Run();

  const Journal& journal() const { return journal_; }
  const memory::Database& database() const { return database_; }
  const std::vector<std::string>& complaints() const { return publishers_.complaints(); }
  absl::Duration elapsed() const { return timeline_.now(); }
  int64_t event_count() const { return timeline_.count(); }

 private:
  void Begin();
  // Now and then, until the storm is over.
  void Often(absl::Duration mean, std::function<void()> what);
  void StartNode(int node);
  std::shared_ptr<Process> RandomProcess();
  void Calm();
  bool Quiet() const;

  const Weather weather_;
  const int events_;
  const Plant plant_;
  Dice dice_;
  Timeline timeline_;
  Journal journal_;
  memory::Database database_;
  Network network_;
  const security::KeyRing keys_;
  Receivers receivers_;
  Publishers publishers_;
  Operators operators_;
  Habitat habitat_;
  std::vector<std::shared_ptr<Process>> processes_;  // by node; null: none
  bool calm_ = false;
};

}  // namespace postrider::simulation

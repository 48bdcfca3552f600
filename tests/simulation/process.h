// One life of a node: the real engine, its loops on fibers, its own clock. It can be killed,
// stopped in good order, and made to stand still.

#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "server/engine/engine.h"
#include "tests/simulation/dice.h"
#include "tests/simulation/fiber.h"
#include "tests/simulation/journal.h"
#include "tests/simulation/link.h"
#include "tests/simulation/network.h"
#include "tests/simulation/plant.h"
#include "tests/simulation/timeline.h"

namespace postrider::simulation {

class Process;

// What a process lives in.
struct Habitat {
  Timeline& timeline;
  Dice& dice;
  Network& network;
  memory::Database& database;
  Journal& journal;
  const security::KeyRing& keys;
  const Plant& plant;
  std::function<void(std::shared_ptr<Process>, http::Request)> post;  // to the receivers
};

class Process : public Caller, public std::enable_shared_from_this<Process> {
 public:
  using Done = std::function<void(absl::StatusOr<std::vector<AcceptResult>>)>;

  Process(Habitat& habitat, int node);
  ~Process() override;

  // Once, right after it was made.
  void Boot();
  // At once. Nobody hears of it any more.
  void Kill();
  // As SIGTERM: drains, says goodbye, ends.
  void Stop();
  // Stands still; what reaches it meanwhile waits.
  void Pause(absl::Duration wait);

  // A call of a publisher. `done` is called once, or never when this process dies before.
  void Publish(std::vector<NewEvent> events, absl::Duration deadline, Done done);
  void PutResult(http::Result result);
  // Runs `event` after a wait, unless this process is dead by then; later when it stands still.
  void Later(absl::Duration wait, std::function<void()> event);

  bool serving() const { return alive_ && ready_ && !stopping_; }
  // Has nothing in flight and nothing unrecorded.
  bool idle() const;
  DatabaseClock& clock() { return clock_; }

  int32_t node_no() const { return node_no_; }  // of this life
  int node() const override { return node_; }
  bool alive() const override { return alive_; }
  void Sleep(absl::Duration wait) override;

 private:
  struct Driver {
    std::function<Instant()> step;
    std::function<bool()> has_input;
    std::unique_ptr<Fiber> fiber;
    Instant next;
    int64_t steps = 0;
    bool waits = false;   // for input or for its next step
    bool kicked = false;  // an event that will run it is under way
    bool stopped = false;
  };
  // As Engine::VisitLoops gives them.
  enum Role { kCommit, kDispatch, kRecord, kClaim, kEndpoints, kHeartbeat };

  void Start();
  void ShutDown();
  void AddDriver(std::function<Instant()> step, std::function<bool()> has_input);
  void RunDriver(size_t index);
  void KickDrivers();
  // Runs a fiber, and whatever follows from it.
  void Resume(Fiber& fiber);
  engine::Stores MakeStores();
  engine::Surroundings MakeSurroundings();

  Habitat& habitat_;
  const int node_;
  const Instant origin_;  // of its monotonic clock
  DatabaseClock clock_;
  UlidGenerator ulids_;
  Dice dice_;
  bool alive_ = true;
  bool ready_ = false;
  bool stopping_ = false;
  absl::Duration paused_until_;
  std::vector<std::function<void()>> deferred_;
  int32_t node_no_ = 0;
  std::unique_ptr<engine::Engine> engine_;
  std::vector<Driver> drivers_;
  std::unique_ptr<Fiber> boot_;
  std::unique_ptr<Fiber> shut_down_;
};

}  // namespace postrider::simulation

#include "tests/simulation/process.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace postrider::simulation {
namespace {

constexpr absl::Duration kStatementDeadline = absl::Seconds(10);
constexpr absl::Duration kHeartbeatDeadline = absl::Seconds(3);
constexpr absl::Duration kDrainTimeout = absl::Seconds(20);

}  // namespace

Process::Process(Habitat& habitat, int node)
    : habitat_(habitat),
      node_(node),
      origin_(habitat.dice.Between(-absl::Hours(1000), absl::Hours(1000))),
      clock_([this] { return habitat_.timeline.now() + origin_; }),
      ulids_([this] { return dice_.Next(); }),
      dice_(habitat.dice.Next()) {}

Process::~Process() { Kill(); }

void Process::Boot() {
  boot_ = std::make_unique<Fiber>([this] { Start(); });
  Later(absl::ZeroDuration(), [this] { Resume(*boot_); });
}

void Process::Later(absl::Duration wait, std::function<void()> event) {
  habitat_.timeline.After(wait, [weak = weak_from_this(), event = std::move(event)] {
    const std::shared_ptr<Process> self = weak.lock();
    if (self == nullptr || !self->alive_) return;
    if (self->habitat_.timeline.now() < self->paused_until_) {
      self->deferred_.push_back(event);
    } else {
      event();
    }
  });
}

void Process::Pause(absl::Duration wait) {
  if (habitat_.timeline.now() < paused_until_) return;
  paused_until_ = habitat_.timeline.now() + wait;
  habitat_.timeline.After(wait, [weak = weak_from_this()] {
    const std::shared_ptr<Process> self = weak.lock();
    if (self == nullptr) return;
    for (auto& event : std::exchange(self->deferred_, {})) {
      self->Later(absl::ZeroDuration(), std::move(event));
    }
  });
}

void Process::Sleep(absl::Duration wait) {
  Fiber* const fiber = Fiber::Current();
  Later(wait, [this, fiber] { Resume(*fiber); });
  Fiber::Yield();
}

void Process::Resume(Fiber& fiber) {
  fiber.Resume();
  KickDrivers();
}

void Process::Kill() {
  if (!std::exchange(alive_, false)) return;
  if (const auto life = habitat_.journal.lives.find(node_no_);
      life != habitat_.journal.lives.end() && life->second.end == absl::InfiniteFuture()) {
    life->second.end = habitat_.database.Now();
  }
  // What waits for answers sees errors alone from here on, and comes to its end.
  const auto end = [](Fiber* fiber) {
    while (fiber != nullptr && !fiber->ended()) fiber->Resume();
  };
  end(boot_.get());
  end(shut_down_.get());
  for (Driver& driver : drivers_) end(driver.fiber.get());
  drivers_.clear();
  engine_.reset();
  deferred_.clear();
}

// ---------------------------------------------------------------- loops

void Process::AddDriver(std::function<Instant()> step, std::function<bool()> has_input) {
  const size_t index = drivers_.size();
  Driver driver;
  driver.step = std::move(step);
  driver.has_input = std::move(has_input);
  driver.fiber = std::make_unique<Fiber>([this, index] {
    while (alive_) {
      drivers_[index].waits = false;
      const Instant next = drivers_[index].step();
      Driver& self = drivers_[index];
      self.next = next;
      ++self.steps;
      self.waits = true;
      if (next < absl::InfiniteDuration()) {
        Later(std::max(next - clock_.Monotonic(), absl::ZeroDuration()),
              [this, index, steps = self.steps] {
                if (drivers_[index].steps == steps) RunDriver(index);
              });
      }
      if (alive_) Fiber::Yield();
    }
  });
  driver.waits = true;
  drivers_.push_back(std::move(driver));
}

void Process::RunDriver(size_t index) {
  Driver& driver = drivers_[index];
  if (driver.waits && !driver.stopped) Resume(*driver.fiber);
}

void Process::KickDrivers() {
  if (!ready_) return;
  for (size_t index = 0; index < drivers_.size(); ++index) {
    Driver& driver = drivers_[index];
    if (!driver.waits || driver.kicked || driver.stopped || !driver.has_input()) continue;
    driver.kicked = true;
    Later(dice_.Between(absl::Microseconds(1), absl::Microseconds(50)), [this, index] {
      drivers_[index].kicked = false;
      RunDriver(index);
    });
  }
}

// ---------------------------------------------------------------- its life

engine::Stores Process::MakeStores() {
  const auto link = [this](absl::Duration deadline) {
    return Link(habitat_.timeline, habitat_.network, habitat_.database, *this, deadline);
  };
  const Plant& plant = habitat_.plant;
  memory::Database& database = habitat_.database;
  engine::Stores stores;
  stores.commit = std::make_unique<LinkedEventAcceptor>(link(kStatementDeadline));
  stores.record = std::make_unique<LinkedDispatchStore>(link(kStatementDeadline));
  stores.claim = std::make_unique<LinkedDispatchStore>(link(kStatementDeadline));
  stores.endpoints = std::make_unique<LinkedEndpointReader>(link(kStatementDeadline));
  stores.nodes = std::make_unique<LinkedNodeStore>(link(kHeartbeatDeadline));
  if (plant.acceptor) stores.commit = plant.acceptor(std::move(stores.commit), database);
  if (plant.record) stores.record = plant.record(std::move(stores.record), database);
  if (plant.claim) stores.claim = plant.claim(std::move(stores.claim), database);
  if (plant.endpoints) stores.endpoints = plant.endpoints(std::move(stores.endpoints), database);
  if (plant.nodes) stores.nodes = plant.nodes(std::move(stores.nodes), database);
  return stores;
}

engine::Surroundings Process::MakeSurroundings() {
  engine::Surroundings surroundings;
  surroundings.send = [this](std::vector<http::Request> requests) {
    if (!alive_) return;
    for (http::Request& request : requests) {
      habitat_.post(shared_from_this(), std::move(request));
    }
  };
  surroundings.database_reachable = [](bool) {};
  surroundings.egress_reachable = [](bool) {};
  surroundings.random = [this] { return dice_.Fraction(); };
  surroundings.new_attempt_id = [this](absl::Time now) { return AttemptId{ulids_.Next(now)}; };
  return surroundings;
}

void Process::Start() {
  const std::string node_id = absl::StrCat("node-", node_);
  while (alive_) {
    engine::Stores stores = MakeStores();
    absl::StatusOr<NodeRegistration> self = stores.nodes->Register(node_id);
    if (self.ok()) {
      engine::Options options;
      options.self = *std::move(self);
      options.defaults.retry_schedule = {absl::Seconds(1), absl::Seconds(3), absl::Seconds(8)};
      node_no_ = options.self.node_no;
      engine_ = std::make_unique<engine::Engine>(std::move(stores), options, MakeSurroundings(),
                                                 habitat_.keys, clock_);
      if (engine_->Join().ok()) break;
      engine_.reset();
    }
    // Started again by whoever looks after the server.
    Sleep(absl::Seconds(1));
  }
  if (!alive_) return;
  habitat_.journal.lives[node_no_].start = habitat_.database.Now();
  engine_->VisitLoops([this](auto& loop) {
    AddDriver([&loop] { return loop.Step(); }, [&loop] { return loop.has_input(); });
  });
  ready_ = true;
  for (size_t index = 0; index < drivers_.size(); ++index) {
    Later(dice_.Between(absl::Microseconds(1), absl::Microseconds(50)),
          [this, index] { RunDriver(index); });
  }
}

bool Process::idle() const {
  if (engine_ == nullptr) return true;
  const auto load = engine_->load();
  return load.in_flight == 0 && load.unrecorded == 0 && load.queued == 0;
}

void Process::Publish(std::vector<NewEvent> events, absl::Duration deadline, Done done) {
  Later(absl::ZeroDuration(), [this, events = std::move(events), deadline, done = std::move(done)] {
    if (!serving()) {
      done(absl::UnavailableError("not serving"));
      return;
    }
    publish::Submission submission;
    submission.events = events;
    submission.deadline = clock_.Monotonic() + deadline;
    submission.done = [this, done](absl::StatusOr<std::vector<AcceptResult>> results) {
      if (alive_) done(std::move(results));
    };
    const absl::Status status = engine_->Submit(std::move(submission));
    if (!status.ok()) done(status);
    KickDrivers();
  });
}

void Process::PutResult(http::Result result) {
  Later(absl::ZeroDuration(), [this, result = std::move(result)] {
    engine_->PutResults({result});
    KickDrivers();
  });
}

void Process::Stop() {
  if (!serving()) return;
  stopping_ = true;
  shut_down_ = std::make_unique<Fiber>([this] { ShutDown(); });
  Later(absl::ZeroDuration(), [this] { Resume(*shut_down_); });
}

// As Server::Drain does it.
void Process::ShutDown() {
  const auto finish = [this](Role role) {
    while (alive_ && (!drivers_[role].waits || drivers_[role].has_input() ||
                      drivers_[role].next <= clock_.Monotonic())) {
      KickDrivers();
      Sleep(absl::Milliseconds(1));
    }
    if (alive_) drivers_[role].stopped = true;
  };
  finish(kCommit);
  if (!alive_) return;
  engine_->Drain();
  const Instant give_up = clock_.Monotonic() + kDrainTimeout;
  const auto drained = [this] { return engine_->load().drained(); };
  while (alive_ && !drained() && clock_.Monotonic() < give_up) {
    KickDrivers();
    Sleep(absl::Milliseconds(10));
  }
  if (!alive_) return;
  const bool clean = drained();
  finish(kDispatch);
  finish(kRecord);
  finish(kClaim);
  finish(kEndpoints);
  finish(kHeartbeat);
  if (!alive_) return;
  engine_->Stop();
  if (!alive_) return;
  habitat_.journal.lives[node_no_].end = habitat_.database.Now();
  habitat_.journal.lives[node_no_].clean = clean;
  // Not here: this fiber must end first.
  Later(absl::ZeroDuration(), [this] { Kill(); });
}

}  // namespace postrider::simulation

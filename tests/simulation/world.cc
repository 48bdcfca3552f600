#include "tests/simulation/world.h"

#include <utility>

#include "absl/strings/str_split.h"

namespace postrider::simulation {
namespace {

// When a run begins. The same always: ids and jitter must not depend on the day.
const absl::Time kEpoch = absl::FromUnixSeconds(1772980200);
constexpr absl::Duration kLongest = absl::Minutes(30);  // after the storm

security::KeyRing Keys() {
  return *security::KeyRing::Create(*security::MasterKey::Parse(std::string(64, 'a')), {});
}

}  // namespace

World::World(uint64_t seed, const Weather& weather, int events, const Plant& plant)
    : weather_(weather),
      events_(events),
      plant_(plant),
      dice_(seed),
      database_([this] { return kEpoch + timeline_.now(); }, [this] { return dice_.Next(); }),
      network_(weather_, dice_),
      keys_(Keys()),
      receivers_(timeline_, dice_, journal_, database_, weather_),
      publishers_(timeline_, dice_, journal_, database_, weather_,
                  [this](int node) { return processes_[static_cast<size_t>(node)]; }),
      operators_(timeline_, dice_, journal_, database_, receivers_, keys_, publishers_, weather_),
      habitat_{timeline_,
               dice_,
               network_,
               database_,
               journal_,
               keys_,
               plant_,
               [this](std::shared_ptr<Process> from, http::Request request) {
                 // The first part of the path is the endpoint's.
                 const std::vector<std::string> parts =
                     absl::StrSplit(request.url.text(), absl::MaxSplits('/', 4));
                 const auto id = Ulid::Parse(parts.at(3));
                 receivers_.Post(std::move(from), std::move(request), EndpointId{id.value()});
               }},
      processes_(static_cast<size_t>(weather.nodes)) {}

World::~World() {
  for (const auto& process : processes_) {
    if (process != nullptr) process->Kill();
  }
}

void World::Often(absl::Duration mean, std::function<void()> what) {
  if (mean == absl::InfiniteDuration()) return;
  timeline_.After(dice_.Wait(mean), [this, mean, what = std::move(what)] {
    if (calm_) return;
    what();
    Often(mean, what);
  });
}

void World::StartNode(int node) {
  auto& place = processes_[static_cast<size_t>(node)];
  if (place != nullptr && place->alive()) return;
  place = std::make_shared<Process>(habitat_, node);
  place->Boot();
}

std::shared_ptr<Process> World::RandomProcess() {
  std::shared_ptr<Process> process = processes_[dice_.Below(processes_.size())];
  return process != nullptr && process->alive() ? process : nullptr;
}

void World::Begin() {
  operators_.Begin();
  publishers_.Begin(events_);
  for (int node = 0; node < weather_.nodes; ++node) {
    timeline_.After(dice_.Between(absl::ZeroDuration(), absl::Seconds(5)),
                    [this, node] { StartNode(node); });
  }
  Often(weather_.crash, [this] {
    if (const auto process = RandomProcess()) {
      const int node = process->node();
      process->Kill();
      // At once, or so late that others have taken its work over.
      timeline_.After(dice_.Spread(absl::Milliseconds(100), absl::Seconds(30)),
                      [this, node] { StartNode(node); });
    }
  });
  Often(weather_.restart, [this] {
    if (const auto process = RandomProcess()) process->Stop();
  });
  Often(weather_.pause, [this] {
    if (const auto process = RandomProcess()) {
      process->Pause(dice_.Spread(absl::Milliseconds(10), absl::Seconds(30)));
    }
  });
  Often(weather_.cut, [this] {
    const int node = static_cast<int>(dice_.Below(processes_.size()));
    network_.Cut(node);
    timeline_.After(dice_.Spread(absl::Milliseconds(10), absl::Seconds(20)),
                    [this, node] { network_.Mend(node); });
  });
  Often(weather_.outage, [this] {
    network_.SetDatabaseUp(false);
    timeline_.After(dice_.Spread(absl::Milliseconds(10), absl::Seconds(30)),
                    [this] { network_.SetDatabaseUp(true); });
  });
  Often(weather_.unplugged, [this] {
    // Before it has heard of ten hosts a node cannot know.
    if (timeline_.now() < absl::Seconds(20) || !receivers_.reachable()) return;
    // Nor of what is over in a moment, as all is when the storm ends.
    if (timeline_.now() > weather_.storm - absl::Seconds(5)) return;
    receivers_.SetReachable(false);
    timeline_.After(dice_.Spread(absl::Seconds(5), absl::Seconds(40)),
                    [this] { receivers_.SetReachable(true); });
  });
  // Whoever looks after the servers starts those that ended.
  Often(absl::Seconds(1), [this] {
    for (int node = 0; weather_.restart < absl::InfiniteDuration() && node < weather_.nodes;
         ++node) {
      const auto& process = processes_[static_cast<size_t>(node)];
      if (process != nullptr && !process->alive()) StartNode(node);
    }
  });
}

void World::Calm() {
  calm_ = true;
  network_.Calm();
  publishers_.Calm();
  receivers_.Mend();
  operators_.Calm();
  for (int node = 0; node < weather_.nodes; ++node) StartNode(node);
}

bool World::Quiet() const {
  if (!publishers_.finished()) return false;
  for (const auto& process : processes_) {
    if (process != nullptr && process->alive() && !process->idle()) return false;
  }
  for (const auto& [id, delivery] : database_.open()) {
    if (database_.endpoints().at(delivery.endpoint_id).endpoint.state == EndpointState::kEnabled ||
        delivery.lease_node != 0) {
      return false;
    }
  }
  return true;
}

void World::Run() {
  Begin();
  absl::Duration next_look = weather_.storm;
  while (timeline_.now() < weather_.storm + kLongest && timeline_.RunNext()) {
    if (timeline_.now() < next_look) continue;
    if (!calm_) Calm();
    // A node that stopped in good order as the storm ended stays away.
    for (int node = 0; node < weather_.nodes; ++node) StartNode(node);
    if (Quiet()) {
      journal_.quiet = true;
      return;
    }
    next_look = timeline_.now() + absl::Seconds(1);
  }
}

}  // namespace postrider::simulation

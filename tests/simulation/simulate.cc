#include "tests/simulation/simulate.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/simulation/checker.h"
#include "tests/simulation/world.h"

namespace postrider::simulation {
namespace {

// Nodes that are killed and cut off have much to say.
class Hush {
 public:
  explicit Hush(bool loud) {
    if (loud) return;
    kept_ = dup(STDERR_FILENO);
    const int nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, STDERR_FILENO);
    close(nowhere);
  }
  ~Hush() {
    if (kept_ < 0) return;
    dup2(kept_, STDERR_FILENO);
    close(kept_);
  }

 private:
  int kept_ = -1;
};

}  // namespace

Report Simulate(uint64_t seed, int events, const Plant& plant, bool loud) {
  const Hush hush(loud);
  const Weather weather = WeatherOf(seed);
  World world(seed, weather, events, plant);
  world.Run();
  Checker::Kindness kindness;
  kindness.clean = weather.name == "calm" || weather.name == "restarts in good order";
  if (weather.slow > 0) kindness.clock_error = absl::Seconds(1);
  kindness.unplugged = weather.unplugged < absl::InfiniteDuration();
  Report report;
  report.findings = Checker(world.journal(), world.database(), kindness).Check();
  report.findings.insert(report.findings.end(), world.complaints().begin(),
                         world.complaints().end());
  report.weather = weather.name;
  report.deliveries =
      static_cast<int64_t>(world.database().open().size() + world.database().closed().size());
  report.requests = static_cast<int64_t>(world.journal().wire.size());
  report.abandoned = std::count_if(
      world.database().attempts().begin(), world.database().attempts().end(),
      [](const memory::StoredAttempt& row) { return row.abandoned_time.has_value(); });
  report.events = world.event_count();
  report.virtual_seconds = absl::ToDoubleSeconds(world.elapsed());
  return report;
}

std::string CommandOf(uint64_t seed, int events) {
  return absl::StrCat("build/release/bin/simulation --seed=", seed, " --events=", events);
}

}  // namespace postrider::simulation

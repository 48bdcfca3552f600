#include "tests/simulation/weather.h"

namespace postrider::simulation {

Weather WeatherOf(uint64_t seed) {
  Dice dice(seed ^ 0x77656174686572u);
  Weather weather;
  weather.nodes = 1 + static_cast<int>(dice.Below(4));
  weather.bad_receivers = dice.OneOf<double>({0, 0.1, 0.4});
  weather.operation = dice.OneOf<absl::Duration>(
      {absl::InfiniteDuration(), absl::Seconds(3), absl::Milliseconds(300)});
  switch (seed % 9) {
    case 0:
      weather.name = "calm";
      break;
    case 1:
      weather.name = "restarts in good order";
      weather.restart = absl::Seconds(8);
      break;
    case 2:
      weather.name = "crashes";
      weather.crash = dice.OneOf<absl::Duration>({absl::Seconds(5), absl::Seconds(30)});
      break;
    case 3:
      weather.name = "lost messages";
      weather.lose_request = 0.02;
      weather.lose_answer = 0.03;
      weather.race = 0.01;
      weather.lose_publish = 0.02;
      break;
    case 4:
      weather.name = "pauses and cuts";
      weather.wait_for_turn = 0.01;
      weather.pause = absl::Seconds(25);
      weather.cut = absl::Seconds(25);
      break;
    case 5:
      weather.name = "outages";
      weather.outage = absl::Seconds(30);
      weather.slow = 0.002;
      break;
    case 6:
      weather.name = "slow database";
      weather.slow = 0.02;
      weather.lose_answer = 0.005;
      weather.crash = absl::Seconds(40);
      break;
    case 7:
      // A node must hear of ten hosts within ten seconds to know that it is not them.
      weather.name = "cut off from receivers";
      weather.nodes = 1;
      weather.hosts = 12;
      weather.endpoints = 24;
      weather.bad_receivers = 0;
      weather.operation = absl::InfiniteDuration();
      weather.unplugged = absl::Seconds(30);
      break;
    default:
      weather.name = "everything";
      weather.lose_request = 0.005;
      weather.lose_answer = 0.01;
      weather.slow = 0.005;
      weather.race = 0.005;
      weather.lose_publish = 0.01;
      weather.wait_for_turn = 0.002;
      weather.crash = absl::Seconds(20);
      weather.restart = absl::Seconds(40);
      weather.pause = absl::Seconds(40);
      weather.cut = absl::Seconds(40);
      weather.outage = absl::Seconds(60);
      break;
  }
  return weather;
}

}  // namespace postrider::simulation

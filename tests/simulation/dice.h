// Every choice of a simulation comes from one seed. The same on every machine, which the standard
// library's distributions are not.

#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/time/time.h"

namespace postrider::simulation {

class Dice {
 public:
  explicit Dice(uint64_t seed) : state_(seed) {}

  // SplitMix64.
  uint64_t Next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  // Uniform in [0, 1).
  double Fraction() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }
  bool Chance(double probability) { return probability > 0 && Fraction() < probability; }
  // 0 to n - 1.
  size_t Below(size_t n) { return static_cast<size_t>(Next() % n); }
  template <typename T>
  const T& OneOf(const std::vector<T>& values) {
    return values[Below(values.size())];
  }
  absl::Duration Between(absl::Duration low, absl::Duration high) {
    return low + (high - low) * Fraction();
  }
  // Every order of magnitude is as likely as the next.
  absl::Duration Spread(absl::Duration low, absl::Duration high) {
    return low * std::exp(std::log(absl::FDivDuration(high, low)) * Fraction());
  }
  // Of a Poisson process.
  absl::Duration Wait(absl::Duration mean) { return mean * -std::log(1 - Fraction()); }

 private:
  uint64_t state_;
};

}  // namespace postrider::simulation

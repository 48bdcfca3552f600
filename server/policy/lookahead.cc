#include "server/policy/lookahead.h"

#include <algorithm>
#include <cmath>

namespace postrider::policy {
namespace {

constexpr absl::Duration kMemory = absl::Seconds(1);

double DecayOver(absl::Duration elapsed) {
  return std::exp(-absl::FDivDuration(std::max(absl::ZeroDuration(), elapsed), kMemory));
}

}  // namespace

void CompletionRate::Add(Instant now) {
  rate_ = PerSecond(now) + 1 / absl::ToDoubleSeconds(kMemory);
  last_ = now;
}

double CompletionRate::PerSecond(Instant now) const {
  return rate_ == 0 ? 0 : rate_ * DecayOver(now - last_);
}

int Lookahead(int limit, double completions_per_second) {
  if (limit <= 0) return 0;
  const double soon = completions_per_second * absl::ToDoubleSeconds(kLookaheadTime);
  const int floor = std::max(1, limit / 2);
  return std::clamp(static_cast<int>(std::min<double>(soon, kMaxLookahead)),
                    std::min(floor, kMaxLookahead), kMaxLookahead);
}

}  // namespace postrider::policy

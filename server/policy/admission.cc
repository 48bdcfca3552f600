#include "server/policy/admission.h"

#include <algorithm>

namespace postrider::policy {
namespace {

// How far starts may run ahead of an even spacing: so far that in any second at most a twentieth
// more start than the rate says.
absl::Duration BurstOf(double rate) {
  return std::max(absl::ZeroDuration(), absl::Milliseconds(50) - absl::Seconds(1 / rate));
}

double RateOf(const AdmissionRules& rules) {
  return rules.rate_per_second / std::max(1, rules.nodes);
}

}  // namespace

int Admission::Limit(const AdmissionRules& rules) const {
  int cluster = std::max(1, rules.max_in_flight);
  if (rules.disable_threshold > 0) {
    const int left = std::max(0, rules.disable_threshold - consecutive_failures_);
    cluster = std::max(1, std::min(cluster, left / 2));
  }
  const int nodes = std::max(1, rules.nodes);
  const int share = cluster / nodes + (rules.rank < cluster % nodes ? 1 : 0);
  return std::min(share, adaptive_limit_);
}

bool Admission::MayStart(const AdmissionRules& rules, Instant now, Instant* retry_at) const {
  *retry_at = absl::InfiniteDuration();
  if (in_flight_ >= Limit(rules)) return false;
  if (now < paused_until_) {
    *retry_at = paused_until_;
    return false;
  }
  if (rules.rate_per_second > 0) {
    const Instant earliest = next_slot_ - BurstOf(RateOf(rules));
    if (now < earliest) {
      *retry_at = earliest;
      return false;
    }
  }
  return true;
}

void Admission::OnStart(const AdmissionRules& rules, Instant now) {
  ++in_flight_;
  if (rules.rate_per_second > 0) {
    next_slot_ = std::max(next_slot_, now) + absl::Seconds(1 / RateOf(rules));
  }
}

void Admission::OnSuccess(const AdmissionRules& rules) {
  --in_flight_;
  consecutive_failures_ = 0;
  pause_ = absl::ZeroDuration();
  paused_until_ = -absl::InfiniteDuration();
  adaptive_limit_ = std::min(std::max(1, adaptive_limit_) + 1, std::max(1, rules.max_in_flight));
}

void Admission::OnFailure(const AdmissionRules& rules, Instant now) {
  --in_flight_;
  ++consecutive_failures_;
  adaptive_limit_ = std::max(1, std::min(adaptive_limit_, std::max(1, rules.max_in_flight)) / 2);
  if (Limit(rules) > 1) return;
  // Attempts that ran side by side fail together: that is one pause.
  if (now < paused_until_) return;
  pause_ = pause_ == absl::ZeroDuration() ? kFirstPause : std::min(2 * pause_, kLongestPause);
  paused_until_ = now + pause_;
}

void Admission::OnNeutral() { --in_flight_; }

void Admission::OnNotStarted() {
  --in_flight_;
  adaptive_limit_ = std::min(adaptive_limit_, std::max(1, in_flight_));
}

}  // namespace postrider::policy

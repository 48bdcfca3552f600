#include "server/publish/batch_bound.h"

#include <algorithm>
#include <cstdint>

namespace postrider::publish {
namespace {

// Of what is known, replaced by each new transaction.
constexpr int64_t kSmoothing = 8;

}  // namespace

void BatchBound::OnCall(const std::string& org, Instant now) {
  if (org == last_org_) return;
  if (!last_org_.empty()) shared_until_ = now + kSharedFor;
  last_org_ = org;
}

void BatchBound::OnStored(size_t events, absl::Duration took) {
  if (events < kMinShared) return;
  const absl::Duration each = took / static_cast<int64_t>(events);
  per_event_ =
      per_event_ == absl::ZeroDuration() ? each : per_event_ + (each - per_event_) / kSmoothing;
}

size_t BatchBound::Events(Instant now) const {
  if (now >= shared_until_ || per_event_ <= absl::ZeroDuration()) return most_;
  const auto in_time = static_cast<size_t>(kSharedTime / per_event_);
  return std::clamp(in_time, std::min(kMinShared, most_), most_);
}

}  // namespace postrider::publish

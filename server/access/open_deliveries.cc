#include "server/access/open_deliveries.h"

#include <algorithm>
#include <utility>

#include "server/observe/log.h"
#include "server/runtime/clock.h"

namespace postrider::access {
namespace {

// Between two counts at least this many times what one takes.
constexpr int kRest = 50;

}  // namespace

OpenDeliveries::OpenDeliveries(std::unique_ptr<OpenDeliveryReader> reader, int64_t limit)
    : reader_(std::move(reader)), limit_(limit) {
  if (limit_ > 0) thread_ = NamedThread("quotas", [this] { Count(); });
}

void OpenDeliveries::Stop() {
  stop_.Stop();
  thread_.Join();
}

void OpenDeliveries::Count() {
  absl::Duration wait = absl::ZeroDuration();
  while (stop_.WaitFor(wait)) {
    const Instant started = MonotonicNow();
    absl::StatusOr<std::vector<std::string>> full = reader_->OrgsWithOpenDeliveries(limit_);
    wait = std::max(kCountEvery, kRest * (MonotonicNow() - started));
    if (!full.ok()) {
      POSTRIDER_LOG_RARELY(observe::Severity::kWarning, "cannot count open deliveries",
                           {{"error", std::string(full.status().message())}});
      continue;
    }
    absl::MutexLock lock(&mutex_);
    full_ = absl::flat_hash_set<std::string>(full->begin(), full->end());
  }
}

bool OpenDeliveries::HasRoom(const std::string& org_id) const {
  if (limit_ == 0) return true;
  absl::ReaderMutexLock lock(&mutex_);
  return !full_.contains(org_id);
}

}  // namespace postrider::access

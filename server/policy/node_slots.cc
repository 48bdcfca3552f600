#include "server/policy/node_slots.h"

#include <algorithm>

namespace postrider::policy {

bool NodeSlots::MayStart(int in_flight, bool failing, int endpoints) const {
  if (full()) return false;
  const int half = std::max(1, total_ / 2);
  if (failing && failing_ >= half) return false;
  if (in_use_ < half) return true;
  return in_flight < std::max(1, total_ / std::max(1, endpoints));
}

void NodeSlots::OnStart(bool failing) {
  ++in_use_;
  if (failing) ++failing_;
}

void NodeSlots::OnEnd(bool failing) {
  --in_use_;
  if (failing) --failing_;
}

}  // namespace postrider::policy

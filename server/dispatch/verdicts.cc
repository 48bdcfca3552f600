#include "server/dispatch/verdicts.h"

#include <utility>

#include "server/dispatch/attempt.h"

namespace postrider::dispatch {
namespace {

// After that the outcome of an attempt may come too late for its lease (hold_until leaves room for
// the longest attempt, and some more for recording it).
Instant VerdictBy(const Flight& flight) { return flight.item.hold_until + flight.target->timeout; }

}  // namespace

std::optional<Ended> Verdicts::Add(Ended ended, AttemptOutcome outcome, Instant validated_at) {
  const bool unreachable = policy::IsUnreachable(outcome);
  if (outcome != AttemptOutcome::kBlocked) {
    const Target& target = *ended.flight.target;
    outage_.Add(target.url.host(), target.org_id, unreachable, ended.end);
  }
  const bool suspicious = unreachable && (in_outage_ || outage_.Wary(ended.end));
  if (suspicious || (policy::IsFailure(outcome) && !KnewEndpointsAt(ended.end, validated_at))) {
    held_.push_back(std::move(ended));
    return std::nullopt;
  }
  return ended;
}

std::vector<Verdicts::Judged> Verdicts::Judge(Instant now, Instant validated_at, bool last_call) {
  std::vector<Judged> judged;
  if ((held_.empty() && !in_outage_) || (now < next_look_ && !last_call)) return judged;
  next_look_ = now + kVerdictInterval;
  const bool was_in_outage = std::exchange(in_outage_, outage_.InOutage(now));
  // What failed in an outage was held when it ended: it is settled before the outage is over.
  const bool ours = in_outage_ || was_in_outage;
  std::deque<Ended> waiting = std::exchange(held_, {});
  bool cleared = true;  // in order of their end: behind one that is not cleared no other is
  for (Ended& ended : waiting) {
    cleared = cleared && outage_.Cleared(ended.end);
    const bool reached = !policy::IsUnreachable(*OutcomeOf(ended.result));
    const bool blameless = ours && !reached;
    const bool due = reached || cleared || last_call || now - ended.end >= policy::kOutageWindow ||
                     now >= VerdictBy(ended.flight);
    if (blameless || (due && KnewEndpointsAt(ended.end, validated_at))) {
      judged.push_back({std::move(ended), blameless ? Blame::kUs : Blame::kEndpoint});
    } else {
      held_.push_back(std::move(ended));
    }
  }
  return judged;
}

}  // namespace postrider::dispatch

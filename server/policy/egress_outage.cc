#include "server/policy/egress_outage.h"

#include <string_view>

namespace postrider::policy {

bool IsUnreachable(AttemptOutcome outcome) {
  switch (outcome) {
    case AttemptOutcome::kDns:
    case AttemptOutcome::kConnection:
    case AttemptOutcome::kTimeout:
      return true;
    case AttemptOutcome::kSucceeded:
    case AttemptOutcome::kHttpStatus:
    case AttemptOutcome::kTls:
    case AttemptOutcome::kBlocked:
    case AttemptOutcome::kAbandoned:
      return false;
  }
  return false;
}

EgressOutage::Host& EgressOutage::Touch(const std::string& name, const std::string& org_id,
                                        Instant now) {
  if (const auto it = by_name_.find(name); it != by_name_.end()) {
    hosts_.splice(hosts_.begin(), hosts_, it->second);
  } else {
    hosts_.push_front({name, org_id, now});
    by_name_.emplace(name, hosts_.begin());
    if (hosts_.size() > kMaxHostsRemembered) {
      by_name_.erase(hosts_.back().name);
      hosts_.pop_back();
    }
  }
  hosts_.front().org_id = org_id;
  hosts_.front().last = now;
  return hosts_.front();
}

void EgressOutage::Expect(const std::string& host, const std::string& org_id, Instant now) {
  if (!by_name_.contains(host)) Touch(host, org_id, now);
}

void EgressOutage::Add(const std::string& name, const std::string& org_id, bool unreachable,
                       Instant now) {
  Host& host = Touch(name, org_id, now);
  host.tried = true;
  host.unreachable = unreachable;
}

EgressOutage::Count EgressOutage::Since(Instant from) const {
  Count count;
  absl::flat_hash_map<std::string_view, bool> orgs;  // whether some host of theirs was reached
  for (const Host& host : hosts_) {
    if (host.last < from) break;
    if (!host.tried) continue;
    ++count.hosts;
    if (host.unreachable) ++count.unreachable;
    orgs[host.org_id] |= !host.unreachable;
  }
  count.orgs = orgs.size();
  for (const auto& [org_id, reached] : orgs) count.unreachable_orgs += reached ? 0 : 1;
  return count;
}

bool EgressOutage::InOutage(Instant now) {
  const Count lately = Since(now - kOutageWindow);
  if (!outage_) {
    outage_ = lately.hosts >= kOutageMinHosts && lately.Mostly();
  } else if (lately.hosts > 0 && !lately.Mostly()) {
    outage_ = false;
  } else if (Since(now - kOutageConfirmedWithin).unreachable < kOutageMinHosts) {
    // Only a few hosts are still tried, and those may well be down themselves.
    outage_ = false;
  }
  return outage_;
}

void EgressOutage::Forget(Instant now) {
  while (!hosts_.empty() && hosts_.back().last < now - kHostMemory) {
    by_name_.erase(hosts_.back().name);
    hosts_.pop_back();
  }
}

bool EgressOutage::Wary(Instant now) {
  Forget(now);
  return hosts_.size() >= kOutageMinHosts;
}

bool EgressOutage::Cleared(Instant end) const {
  const Count since = Since(end);
  const size_t answered = since.hosts - since.unreachable;
  return answered >= 2 && answered * 100 > since.hosts * (100 - kOutagePercent);
}

}  // namespace postrider::policy

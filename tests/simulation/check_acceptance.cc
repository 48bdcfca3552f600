// What publishers were told against what is stored.

#include <map>
#include <set>
#include <utility>

#include "tests/simulation/checker_expect.h"

namespace postrider::simulation {
namespace {

bool Matches(const std::vector<std::string>& events, const std::string& type) {
  if (events.empty()) return type.rfind("postrider.", 0) != 0;
  for (const std::string& pattern : events) {
    if (pattern == type) return true;
    if (pattern.size() > 2 && pattern.substr(pattern.size() - 2) == ".*" &&
        type.rfind(pattern.substr(0, pattern.size() - 1), 0) == 0) {
      return true;
    }
  }
  return false;
}

}  // namespace

void Checker::CheckPublications() {
  std::map<std::pair<Tenant, std::string>, std::vector<EventId>> stored;
  for (const auto& [id, event] : database_.events()) {
    stored[{event.tenant, event.idempotency_key}].push_back(id);
  }
  std::map<EventId, int32_t> deliveries;
  for (const auto& [id, course] : courses_) {
    if (course.origin == DeliveryOrigin::kPublish) ++deliveries[course.event_id];
  }
  for (const Publication& publication : journal_.publications) {
    const auto it = stored.find({publication.tenant, publication.key});
    const size_t count = it == stored.end() ? 0 : it->second.size();
    Expect(count <= 1, "the event of ", publication.key, " is stored ", count, " times");
    Expect(count == 0 || publication.maybe_stored, publication.key,
           " is stored though no call can have stored it");
    Expect(!journal_.quiet || !publication.told.empty(), "nobody was told of ", publication.key);
    for (const Publication::Told& told : publication.told) {
      Expect(count == 1 && it->second[0] == told.event_id, told.event_id.ToText(),
             " was acknowledged for ", publication.key, " and is not what is stored");
      const auto made = deliveries.find(told.event_id);
      const int32_t made_count = made == deliveries.end() ? 0 : made->second;
      Expect(made_count == told.delivery_count, told.event_id.ToText(), " was said to have ",
             told.delivery_count, " deliveries and has ", made_count);
    }
    if (it != stored.end()) stored.erase(it);
  }
  Expect(stored.empty(), stored.size(), " events are stored that nobody published");
}

void Checker::CheckFanOut() {
  // Deliveries that were made by acceptance, and those that should have been.
  std::set<std::pair<EventId, EndpointId>> made;
  for (const auto& [id, course] : courses_) {
    if (course.origin != DeliveryOrigin::kPublish) continue;
    Expect(made.emplace(course.event_id, course.endpoint_id).second, course.event_id.ToText(),
           " has two deliveries to ", course.endpoint_id.ToText());
  }
  for (const auto& [event_id, event] : database_.events()) {
    for (const auto& [endpoint_id, stored] : database_.endpoints()) {
      bool enabled = false;
      const EndpointConfig* config = nullptr;
      for (const memory::StoredChange* change : changes_[endpoint_id]) {
        if (change->commit_no >= event.commit_no) break;
        config = &change->config;
        using memory::ChangeKind;
        if (change->kind != ChangeKind::kUpdated && change->kind != ChangeKind::kCanceled) {
          enabled = change->kind == ChangeKind::kCreated || change->kind == ChangeKind::kEnabled;
        }
      }
      const bool expected =
          enabled && stored.endpoint.tenant == event.tenant && Matches(config->events, event.type);
      Expect(made.contains({event_id, endpoint_id}) == expected, event_id.ToText(),
             expected ? " has no delivery to " : " has a delivery to ", endpoint_id.ToText());
    }
  }
}

}  // namespace postrider::simulation

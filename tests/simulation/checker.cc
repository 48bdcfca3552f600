#include "tests/simulation/checker.h"

#include <algorithm>
#include <utility>

#include "tests/simulation/checker_expect.h"

namespace postrider::simulation {

Checker::Checker(const Journal& journal, const memory::Database& database, Kindness kindness)
    : journal_(journal), database_(database), kindness_(kindness) {
  for (const memory::StoredChange& change : database.changes()) {
    changes_[change.endpoint_id].push_back(&change);
  }
  CollectCourses();
}

const memory::StoredAttempt* Checker::Course::RowOf(const WireAttempt& sent) const {
  const size_t index = static_cast<size_t>(sent.number) - 1;
  return index < log.size() ? log[index] : nullptr;
}

void Checker::CollectCourses() {
  for (const auto& [id, row] : database_.open()) {
    Course& course = courses_[id];
    course.event_id = row.event_id;
    course.endpoint_id = row.endpoint_id;
    course.origin = row.origin;
    course.attempt_count = row.attempt_count;
    course.sequence = row.sequence;
  }
  for (const auto& [id, row] : database_.closed()) {
    Expect(!courses_.contains(id), id.ToText(), " is open and closed at once");
    Course& course = courses_[id];
    course.event_id = row.event_id;
    course.endpoint_id = row.endpoint_id;
    course.origin = row.origin;
    course.closed = &row;
    course.sequence = row.sequence;
    course.attempt_count = row.attempt_count;
  }
  for (const auto& [id, course] : courses_) deliveries_of_[course.endpoint_id].push_back(id);
  for (size_t i = 0; i < journal_.publications.size(); ++i) {
    publication_of_[journal_.publications[i].key] = i;
  }
  for (const WireAttempt& sent : journal_.wire) {
    const auto it = courses_.find(sent.delivery_id);
    if (it == courses_.end()) {
      Expect(false, sent.delivery_id.ToText(), " was sent and is not stored");
      continue;
    }
    it->second.wire.push_back(&sent);
    wire_of_[sent.endpoint_id].push_back(&sent);
  }
  for (const memory::StoredAttempt& row : database_.attempts()) {
    courses_[row.attempt.delivery_id].log.push_back(&row);
    log_of_[row.attempt.endpoint_id].push_back(&row);
  }
  for (auto& [id, course] : courses_) {
    std::sort(course.log.begin(), course.log.end(),
              [](const auto* a, const auto* b) { return a->attempt.number < b->attempt.number; });
  }
}

std::vector<const EndpointConfig*> Checker::ConfigsAround(EndpointId id, absl::Time time) const {
  return ConfigsUntil(id, time, 0);
}

std::vector<const EndpointConfig*> Checker::ConfigsUntil(EndpointId id, absl::Time time,
                                                         int64_t commit_no) const {
  std::vector<const EndpointConfig*> configs;
  const auto it = changes_.find(id);
  if (it == changes_.end()) return configs;
  for (const memory::StoredChange* change : it->second) {
    if (change->time > time && change->commit_no >= commit_no) break;
    // One that was replaced more than a second ago holds no more.
    if (change->time <= time - kChangeHolds) configs.clear();
    configs.push_back(&change->config);
  }
  return configs;
}

std::vector<std::string> Checker::Check() {
  CheckPublications();
  CheckFanOut();
  for (const auto& [id, course] : courses_) {
    CheckEnd(id, course);
    CheckNumbers(id, course);
    CheckOverlap(id, course);
    CheckSchedule(id, course);
    if (kindness_.clean) CheckSentOnce(id, course);
  }
  for (const auto& [id, endpoint] : database_.endpoints()) {
    CheckCounter(id, endpoint);
    CheckChangesHold(id);
    CheckOrder(id);
  }
  CheckCancels();
  CheckSignatureTimes();
  return std::move(findings_);
}

}  // namespace postrider::simulation

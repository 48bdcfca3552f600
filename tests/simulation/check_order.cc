// Ordered endpoints: who was accepted first goes first, and nothing goes around it.

#include <algorithm>
#include <map>
#include <utility>

#include "tests/simulation/checker_expect.h"

namespace postrider::simulation {

void Checker::CheckOrder(EndpointId id) {
  std::vector<std::pair<int64_t, DeliveryId>> queue;
  for (DeliveryId delivery : deliveries_of_[id]) {
    const Course& course = courses_.at(delivery);
    if (course.origin == DeliveryOrigin::kPublish) {
      const int64_t commit_no = database_.events().at(course.event_id).commit_no;
      bool ordered = false;
      for (const memory::StoredChange* change : changes_[id]) {
        if (change->commit_no < commit_no) ordered = change->config.ordered;
      }
      Expect(course.sequence.has_value() == ordered, delivery.ToText(),
             ordered ? " has no place in the queue of " : " has a place in no queue of ",
             id.ToText());
    }
    if (course.sequence) queue.emplace_back(*course.sequence, delivery);
  }
  std::sort(queue.begin(), queue.end());
  CheckPlaces(queue);
  absl::Time over = absl::InfinitePast();
  for (const auto& [sequence, delivery] : queue) {
    const Course& course = courses_.at(delivery);
    if (!course.wire.empty()) {
      Expect(course.wire[0]->start >= over, delivery.ToText(), " was sent ",
             absl::FormatDuration(over - course.wire[0]->start),
             " before what was accepted earlier had ended");
    }
    over = std::max(over,
                    course.closed == nullptr ? absl::InfiniteFuture() : course.closed->closed_time);
  }
}

// An event that was acknowledged before another one was published stands before it, and so does the
// earlier one of a call.
void Checker::CheckPlaces(const std::vector<std::pair<int64_t, DeliveryId>>& queue) {
  absl::Time first_told = absl::InfiniteFuture();      // of those behind
  std::map<std::pair<int64_t, size_t>, size_t> later;  // in the same transaction and call
  for (auto it = queue.rbegin(); it != queue.rend(); ++it) {
    const Course& course = courses_.at(it->second);
    if (course.origin != DeliveryOrigin::kPublish) continue;
    const memory::StoredEvent& event = database_.events().at(course.event_id);
    const auto found = publication_of_.find(event.idempotency_key);
    if (found == publication_of_.end()) continue;
    const Publication& publication = journal_.publications[found->second];
    Expect(publication.first_call <= first_told, it->second.ToText(), " was published ",
           absl::FormatDuration(publication.first_call - first_told),
           " after one behind it was acknowledged");
    for (const Publication::Told& told : publication.told) {
      first_told = std::min(first_told, told.time);
    }
    const auto [behind, is_last] =
        later.try_emplace({event.commit_no, publication.call}, found->second);
    Expect(is_last || found->second < behind->second, it->second.ToText(),
           " stands before an earlier one of its call");
    behind->second = found->second;
  }
}

}  // namespace postrider::simulation

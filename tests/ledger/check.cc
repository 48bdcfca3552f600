#include "tests/ledger/check.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>

#include "absl/strings/str_cat.h"

namespace postrider::testing {
namespace {

using Outcome = StoredAttempt::Outcome;

// All that concerns one delivery, attempts and arrivals in the order of their numbers.
struct Story {
  const StoredDelivery* delivery = nullptr;
  std::vector<const StoredAttempt*> attempts;
  std::vector<const Arrival*> arrivals;

  const StoredAttempt* AttemptOf(int number) const {
    for (const StoredAttempt* attempt : attempts) {
      if (attempt->number == number) return attempt;
    }
    return nullptr;
  }
  const Arrival* ArrivalOf(int number) const {
    for (const Arrival* arrival : arrivals) {
      if (arrival->number == number) return arrival;
    }
    return nullptr;
  }
};

std::map<std::string, Story> StoriesOf(const Ledger& ledger) {
  std::map<std::string, Story> stories;
  for (const StoredDelivery& delivery : ledger.deliveries) {
    stories[delivery.id].delivery = &delivery;
  }
  for (const StoredAttempt& attempt : ledger.attempts) {
    stories[attempt.delivery_id].attempts.push_back(&attempt);
  }
  for (const Arrival& arrival : ledger.arrivals) {
    stories[arrival.delivery_id].arrivals.push_back(&arrival);
  }
  const auto by_number = [](const auto* a, const auto* b) { return a->number < b->number; };
  for (auto& [id, story] : stories) {
    std::sort(story.attempts.begin(), story.attempts.end(), by_number);
    std::stable_sort(story.arrivals.begin(), story.arrivals.end(), by_number);
  }
  return stories;
}

// Whether the receiver got it after it had answered 2xx, and whether the log says how that came.
struct Repeats {
  bool repeated = false;
  bool explained = true;
};
Repeats RepeatsOf(const Story& story) {
  Repeats repeats;
  for (size_t i = 0; i + 1 < story.arrivals.size(); ++i) {
    if (!story.arrivals[i]->Succeeded()) continue;
    repeats.repeated = true;
    const StoredAttempt* const attempt = story.AttemptOf(story.arrivals[i]->number);
    repeats.explained &= attempt != nullptr && attempt->was_abandoned;
  }
  return repeats;
}

class Check {
 public:
  explicit Check(const Ledger& ledger) : ledger_(ledger), stories_(StoriesOf(ledger)) {
    for (const StoredEvent& event : ledger.events) {
      events_[event.id] = &event;
      by_key_[event.key].push_back(&event);
    }
    for (const StoredDelivery& delivery : ledger.deliveries) {
      deliveries_[{delivery.event_id, delivery.endpoint_id}].push_back(&delivery);
    }
  }

  std::vector<std::string> Run() {
    CheckPublications();
    for (const StoredEvent& event : ledger_.events) CheckFanOut(event);
    for (const auto& [id, story] : stories_) {
      if (story.delivery == nullptr) {
        Broken(id, "it is not stored");
        continue;
      }
      CheckEnd(story);
      CheckNumbers(story);
      CheckAgreement(story);
      CheckRepeats(story);
      CheckTimes(story);
    }
    return std::move(broken_);
  }

 private:
  template <typename... Args>
  void Broken(const std::string& id, const Args&... what) {
    broken_.push_back(absl::StrCat(id, ": ", what...));
  }

  void CheckPublications() {
    std::set<std::string> known;
    for (const Publication& publication : ledger_.publications) {
      known.insert(publication.key);
      CheckPublication(publication);
    }
    for (const auto& [key, events] : by_key_) {
      if (known.count(key) == 0) Broken(key, "nobody published under this key");
    }
  }

  void CheckPublication(const Publication& publication) {
    std::set<std::string> ids;
    bool may_exist = false;
    for (const Try& one : publication.tries) {
      if (one.told == Told::kAccepted) {
        ids.insert(one.event_id);
        if (one.duplicate && !may_exist) {
          Broken(publication.key, "called a duplicate at the first try");
        }
      }
      may_exist |= one.told != Told::kRefused;
    }
    if (ids.size() > 1) Broken(publication.key, "answered with several event ids");
    const auto stored = by_key_.find(publication.key);
    const size_t count = stored == by_key_.end() ? 0 : stored->second.size();
    if (count > 1) Broken(publication.key, "stored ", count, " times");
    if (count > 0 && !publication.MaybeStored()) {
      Broken(publication.key, "stored, although every try was refused");
    }
    for (const std::string& id : ids) {
      const auto event = events_.find(id);
      if (event == events_.end()) {
        Broken(publication.key, "acknowledged as ", id, " and lost");
      } else if (event->second->key != publication.key || event->second->type != publication.type) {
        Broken(publication.key, "acknowledged as ", id, ", which is another event");
      }
    }
  }

  void CheckFanOut(const StoredEvent& event) {
    int matching = 0;
    for (const Subscriber& subscriber : ledger_.subscribers) {
      const auto found = deliveries_.find({event.id, subscriber.endpoint_id});
      const size_t count = found == deliveries_.end() ? 0 : found->second.size();
      const size_t expected = subscriber.Wants(event.type) ? 1 : 0;
      matching += static_cast<int>(expected);
      if (count != expected) {
        Broken(event.id, count, " deliveries to ", subscriber.endpoint_id, " instead of ",
               expected);
      }
    }
    if (event.delivery_count != matching) {
      Broken(event.id, "says ", event.delivery_count, " deliveries instead of ", matching);
    }
  }

  void CheckEnd(const Story& story) {
    const StoredDelivery& delivery = *story.delivery;
    int failures = 0;
    for (const StoredAttempt* attempt : story.attempts) {
      failures += attempt->outcome != Outcome::kSucceeded && !attempt->was_abandoned ? 1 : 0;
    }
    const int most = static_cast<int>(ledger_.schedule.size()) + 1;
    if (failures > most) Broken(delivery.id, failures, " failed attempts of ", most);
    const bool succeeded = std::any_of(story.arrivals.begin(), story.arrivals.end(),
                                       [](const Arrival* a) { return a->Succeeded(); });
    switch (delivery.state) {
      case StoredState::kSucceeded:
        if (!succeeded) Broken(delivery.id, "succeeded, and no receiver answered 2xx");
        return;
      case StoredState::kExhausted:
        if (failures != most) Broken(delivery.id, "exhausted after ", failures, " of ", most);
        return;
      case StoredState::kOpen:
        Broken(delivery.id, "is not over");
        return;
      case StoredState::kFailedOtherwise:
      case StoredState::kCanceled:
        Broken(delivery.id, "ended for a reason that nobody gave");
        return;
    }
  }

  void CheckNumbers(const Story& story) {
    const std::string& id = story.delivery->id;
    for (size_t i = 0; i < story.attempts.size(); ++i) {
      if (story.attempts[i]->number != static_cast<int>(i) + 1) {
        Broken(id, "attempts are not numbered 1..n in the log");
        break;
      }
    }
    if (story.delivery->attempt_count != static_cast<int>(story.attempts.size())) {
      Broken(id, "says ", story.delivery->attempt_count, " attempts, the log has ",
             story.attempts.size());
    }
    for (size_t i = 0; i < story.arrivals.size(); ++i) {
      if (i > 0 && story.arrivals[i]->number == story.arrivals[i - 1]->number) {
        Broken(id, "attempt ", story.arrivals[i]->number, " arrived twice");
      }
      if (i > 0 && story.arrivals[i]->arrived < story.arrivals[i - 1]->arrived) {
        Broken(id, "attempt ", story.arrivals[i]->number, " arrived before the one before it");
      }
    }
  }

  void CheckAgreement(const Story& story) {
    const std::string& id = story.delivery->id;
    for (const Arrival* arrival : story.arrivals) {
      if (arrival->event_id != story.delivery->event_id ||
          arrival->endpoint_id != story.delivery->endpoint_id) {
        Broken(id, "arrived as another event or at another endpoint");
      }
      const StoredAttempt* const attempt = story.AttemptOf(arrival->number);
      if (attempt == nullptr) {
        Broken(id, "attempt ", arrival->number, " arrived and is not in the log");
        continue;
      }
      const bool says_success = attempt->outcome == Outcome::kSucceeded;
      // Its server was stopped when the answer came, others thought it dead, and when it went on
      // the time was long over.
      const bool stood_still =
          attempt->outcome == Outcome::kNotAnswered && attempt->was_abandoned &&
          attempt->end - attempt->start > ledger_.attempt_timeout + absl::Seconds(1);
      if (attempt->outcome != Outcome::kAbandoned && !stood_still &&
          says_success != arrival->Succeeded()) {
        Broken(id, "attempt ", arrival->number, " was answered with ", arrival->status,
               ", the log says something else");
      }
    }
    for (const StoredAttempt* attempt : story.attempts) {
      const bool answered =
          attempt->outcome == Outcome::kSucceeded || attempt->outcome == Outcome::kHttpStatus;
      if (answered && story.ArrivalOf(attempt->number) == nullptr) {
        Broken(id, "attempt ", attempt->number, " is in the log as answered and never arrived");
      }
    }
  }

  void CheckRepeats(const Story& story) {
    const Repeats repeats = RepeatsOf(story);
    if (repeats.repeated && !repeats.explained) {
      Broken(story.delivery->id, "sent again after 2xx, and no ABANDONED row says why");
    }
  }

  void CheckTimes(const Story& story) {
    const std::string& id = story.delivery->id;
    size_t step = 0;
    for (size_t i = 0; i + 1 < story.attempts.size(); ++i) {
      const StoredAttempt& attempt = *story.attempts[i];
      if (attempt.was_abandoned) continue;  // The next one is due at once.
      if (attempt.outcome == Outcome::kSucceeded) {
        Broken(id, "attempt ", attempt.number + 1, " follows a success");
        continue;
      }
      if (step >= ledger_.schedule.size()) {
        Broken(id, "attempt ", attempt.number + 1, " is beyond the schedule");
        return;
      }
      const absl::Duration delay = ledger_.schedule[step++];
      const StoredAttempt& next = *story.attempts[i + 1];
      // The start of an abandoned one is a guess of whoever took it over.
      if (!next.was_abandoned && next.start < attempt.end + delay - kClockSlack) {
        Broken(id, "attempt ", next.number, " began ",
               absl::FormatDuration(attempt.end + delay - next.start), " early by the log");
      }
      const Arrival* const before = story.ArrivalOf(attempt.number);
      const Arrival* const after = story.ArrivalOf(next.number);
      if (before != nullptr && after != nullptr &&
          after->arrived < before->answered + delay - kClockSlack) {
        Broken(id, "attempt ", next.number, " arrived ",
               absl::FormatDuration(before->answered + delay - after->arrived), " early");
      }
    }
  }

  const Ledger& ledger_;
  const std::map<std::string, Story> stories_;
  std::unordered_map<std::string, const StoredEvent*> events_;
  std::map<std::string, std::vector<const StoredEvent*>> by_key_;
  std::map<std::pair<std::string, std::string>, std::vector<const StoredDelivery*>> deliveries_;
  std::vector<std::string> broken_;
};

}  // namespace

Count CountOf(const Ledger& ledger) {
  Count count;
  std::set<std::pair<std::string, std::string>> got;  // Event and endpoint.
  for (const Arrival& arrival : ledger.arrivals) {
    if (arrival.Succeeded()) got.emplace(arrival.event_id, arrival.endpoint_id);
  }
  std::set<std::pair<std::string, std::string>> said;
  for (const StoredDelivery& delivery : ledger.deliveries) {
    if (delivery.state != StoredState::kOpen && delivery.state != StoredState::kSucceeded) {
      said.emplace(delivery.event_id, delivery.endpoint_id);
    }
  }
  for (const Publication& publication : ledger.publications) {
    if (!publication.Acknowledged()) {
      count.unknown += publication.MaybeStored() ? 1 : 0;
      continue;
    }
    ++count.acknowledged;
    const auto accepted = std::find_if(publication.tries.begin(), publication.tries.end(),
                                       [](const Try& one) { return one.told == Told::kAccepted; });
    const bool lost = std::any_of(
        ledger.subscribers.begin(), ledger.subscribers.end(), [&](const Subscriber& subscriber) {
          const std::pair<std::string, std::string> one(accepted->event_id, subscriber.endpoint_id);
          return subscriber.Wants(publication.type) && got.count(one) + said.count(one) == 0;
        });
    count.lost += lost ? 1 : 0;
  }
  count.deliveries = ledger.deliveries.size();
  count.arrivals = ledger.arrivals.size();
  for (const auto& [id, story] : StoriesOf(ledger)) {
    const Repeats repeats = RepeatsOf(story);
    count.duplicated += repeats.repeated ? 1 : 0;
    count.unexplained += repeats.repeated && !repeats.explained ? 1 : 0;
  }
  for (const StoredAttempt& attempt : ledger.attempts) count.abandoned += attempt.was_abandoned;
  return count;
}

std::vector<std::string> BrokenPromises(const Ledger& ledger) { return Check(ledger).Run(); }

}  // namespace postrider::testing

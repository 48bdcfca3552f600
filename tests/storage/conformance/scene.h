// A small cast over one of the subjects: endpoints, events and deliveries in the order in which
// they were made, which is the same whatever ids they get.

#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/storage/conformance/subjects.h"

namespace postrider {

inline constexpr absl::Duration kLease = absl::Seconds(30);

template <typename Subject>
class Scene {
 public:
  // Times of events lie a little in the past, a millisecond apart: all is due, in a certain order.
  Scene() : clock_(subject_.Now() - absl::Seconds(5)), ulids_(RandomBits) {}

  int AddEndpoint(const std::vector<std::string>& events = {}) {
    endpoints_.push_back(subject_.AddEndpoint(events));
    return static_cast<int>(endpoints_.size()) - 1;
  }
  NewEvent MakeEvent(const std::string& type, const std::string& key = "", char content = 'd') {
    NewEvent event;
    event.create_time = Tick();
    event.id = EventId{ulids_.Next(event.create_time)};
    event.tenant = {"org", "env"};
    event.type = type;
    event.event_time = event.create_time;
    event.idempotency_key = key;
    event.body = std::make_shared<const std::string>("{}");
    event.content_digest = std::string(32, content);
    return event;
  }
  // Its deliveries become those of the scene, by endpoint.
  AcceptResult Accept(const NewEvent& event, int32_t node_no = 0) {
    auto results = subject_.events().Accept({event}, {0}, {node_no, kLease, {}});
    EXPECT_TRUE(results.ok()) << results.status();
    if (!results.ok()) return {};
    AcceptResult result = std::move(results->at(0));
    std::sort(result.deliveries.begin(), result.deliveries.end(),
              [](const auto& a, const auto& b) { return a.endpoint_id < b.endpoint_id; });
    for (const NewDelivery& made : result.deliveries) {
      deliveries_.push_back({made.id, result.event_id, made.endpoint_id, made.lease_token});
    }
    return result;
  }
  // Numbers of what a node gets.
  std::vector<int> Claim(int endpoint, int count, int32_t node_no, absl::Duration lease = kLease) {
    const auto claimed = subject_.dispatch().Claim(
        {{endpoints_[static_cast<size_t>(endpoint)], count}}, node_no, lease);
    EXPECT_TRUE(claimed.ok()) << claimed.status();
    std::vector<int> numbers;
    for (const ClaimedDelivery& delivery : *claimed) {
      for (size_t i = 0; i < deliveries_.size(); ++i) {
        if (deliveries_[i].id != delivery.id) continue;
        deliveries_[i].token = delivery.lease_token;
        numbers.push_back(static_cast<int>(i));
      }
    }
    std::sort(numbers.begin(), numbers.end());
    return numbers;
  }
  // A success ends it; a failure lets it wait until it is due, or ends it as EXHAUSTED.
  OutcomeRecord OutcomeOf(int number, bool success, bool exhausted = false) {
    const Leased& delivery = deliveries_[static_cast<size_t>(number)];
    OutcomeRecord record;
    record.attempt.id = AttemptId{ulids_.Next(Tick())};
    record.attempt.delivery_id = delivery.id;
    record.attempt.event_id = delivery.event_id;
    record.attempt.endpoint_id = delivery.endpoint_id;
    record.attempt.start_time = record.complete_time = record.next_attempt_time = clock_;
    record.attempt.outcome = success ? AttemptOutcome::kSucceeded : AttemptOutcome::kHttpStatus;
    record.attempt.http_status = success ? 200 : 500;
    record.lease_token = delivery.token;
    record.state = success     ? DeliveryState::kSucceeded
                   : exhausted ? DeliveryState::kFailed
                               : DeliveryState::kPending;
    record.state_reason = exhausted ? StateReason::kExhausted : StateReason::kNone;
    record.uses_retry = !success;
    return record;
  }
  EndpointTally TallyOf(const OutcomeRecord& outcome, int32_t threshold = 3) {
    EndpointTally tally;
    tally.endpoint_id = outcome.attempt.endpoint_id;
    tally.threshold = threshold;
    if (outcome.attempt.outcome == AttemptOutcome::kSucceeded) {
      tally.has_success = true;
    } else {
      tally.leading_failures = tally.longest_run = tally.trailing_failures = 1;
    }
    return tally;
  }
  absl::Status Record(const OutcomeRecord& outcome) {
    return subject_.dispatch().Record({outcome}, {TallyOf(outcome)}).status();
  }
  // A node that is gone for certain, because its next life has begun.
  int32_t DeadNode(bool clean) {
    const std::string name = absl::StrCat("node-", ++nodes_);
    const int32_t node_no = subject_.nodes().Register(name)->node_no;
    if (clean) {
      EXPECT_TRUE(subject_.nodes().MarkStopped(node_no).ok());
    }
    EXPECT_TRUE(subject_.nodes().Register(name).ok());
    return node_no;
  }
  FreedWork TakeOver(const std::vector<int32_t>& gone, const std::vector<int32_t>& live = {}) {
    const auto freed = subject_.dispatch().TakeOver(gone, live, 1000, kLease);
    EXPECT_TRUE(freed.ok()) << freed.status();
    FreedWork sum;
    for (const FreedWork& work : *freed) {
      sum.count += work.count;
      sum.poisoned += work.poisoned;
    }
    return sum;
  }
  absl::Status Redeliver(int number) {
    const DeliveryId id{ulids_.Next(Tick())};
    const Leased of = deliveries_[static_cast<size_t>(number)];
    const absl::Status status = subject_.Redeliver(of.id, id);
    if (status.ok()) deliveries_.push_back({id, of.event_id, of.endpoint_id, 0});
    return status;
  }

  std::string Show(int number) { return subject_.Show(IdOf(number)); }
  std::string ShowEndpoint(int number) {
    return subject_.Show(endpoints_[static_cast<size_t>(number)]);
  }
  // Everything, a line each.
  std::string ShowAll() {
    std::string shown;
    for (size_t i = 0; i < endpoints_.size(); ++i) {
      absl::StrAppend(&shown, "endpoint ", i, ": ", ShowEndpoint(static_cast<int>(i)), "\n");
    }
    for (size_t i = 0; i < deliveries_.size(); ++i) {
      absl::StrAppend(&shown, "delivery ", i, ": ", Show(static_cast<int>(i)), "\n");
    }
    return shown;
  }

  DeliveryId IdOf(int number) const { return deliveries_[static_cast<size_t>(number)].id; }
  EndpointId EndpointAt(int number) const { return endpoints_[static_cast<size_t>(number)]; }
  LeaseRef LeaseOf(int number) const {
    const Leased& delivery = deliveries_[static_cast<size_t>(number)];
    return {delivery.id, delivery.token};
  }
  int delivery_count() const { return static_cast<int>(deliveries_.size()); }
  int endpoint_count() const { return static_cast<int>(endpoints_.size()); }
  Subject& subject() { return subject_; }

 private:
  absl::Time Tick() { return clock_ += absl::Milliseconds(1); }

  Subject subject_;
  absl::Time clock_;
  UlidGenerator ulids_;
  int nodes_ = 0;
  std::vector<EndpointId> endpoints_;
  std::vector<Leased> deliveries_;
};

}  // namespace postrider

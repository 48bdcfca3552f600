// A small cast over one of the subjects: endpoints, events and deliveries in the order in which
// they were made, which is the same whatever ids they get. And the fixture of the suite.

#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/policy/endpoint_health.h"
#include "tests/storage/conformance/memory_subject.h"
#include "tests/storage/conformance/postgres_subject.h"

namespace postrider {

inline constexpr absl::Duration kLease = absl::Seconds(30);

// What becomes of a delivery that was tried.
enum class Ending { kSuccess, kRetry, kExhausted, kGone };

template <typename Subject>
class Scene {
 public:
  // Times of events lie a little in the past, a millisecond apart: all is due, in a certain order.
  Scene() : clock_(subject_.Now() - absl::Seconds(5)), ulids_(RandomBits) {}

  // Time passes for leases, retries and nodes.
  void Pass(absl::Duration time) { clock_ += subject_.Pass(time); }

  int AddEndpoint(const std::vector<std::string>& events = {}) {
    endpoints_.push_back(subject_.AddEndpoint(events));
    return static_cast<int>(endpoints_.size()) - 1;
  }
  NewEvent MakeEvent(const std::string& type, const std::string& key = "", char content = 'd') {
    const absl::Time now = Tick();
    return MakeEventAt(now, EventId{ulids_.Next(now)}, type, key, content);
  }
  // As if accepted so long ago. Its deliveries are of that day too.
  NewEvent MakeOldEvent(const std::string& type, absl::Duration age) {
    const absl::Time then = Tick() - age;
    subject_.MakeDay(then);
    return MakeEventAt(then, EventId{Ulid::RandomAt(then, RandomBits)}, type, "", 'd');
  }
  // One all-or-nothing batch. Its deliveries become those of the scene, by event and endpoint. What
  // `congested` ones get is not leased.
  std::vector<AcceptResult> AcceptBatch(const std::vector<NewEvent>& events, int32_t node_no = 0,
                                        const std::vector<int>& congested = {}) {
    FanOutLease lease{node_no, kLease, {}};
    for (int endpoint : congested) lease.congested.push_back(EndpointAt(endpoint));
    auto results = subject_.events().Accept(events, std::vector<int32_t>(events.size()), lease);
    EXPECT_TRUE(results.ok()) << results.status();
    if (!results.ok()) return std::vector<AcceptResult>(events.size());
    for (AcceptResult& result : *results) {
      std::sort(result.deliveries.begin(), result.deliveries.end(),
                [](const auto& a, const auto& b) { return a.endpoint_id < b.endpoint_id; });
      for (const NewDelivery& made : result.deliveries) {
        deliveries_.push_back({made.id, result.event_id, made.endpoint_id, made.lease_token});
      }
    }
    return *std::move(results);
  }
  AcceptResult Accept(const NewEvent& event, int32_t node_no = 0,
                      const std::vector<int>& congested = {}) {
    return AcceptBatch({event}, node_no, congested).at(0);
  }
  // Numbers of what a node gets. claimed() tells more of them.
  std::vector<int> Claim(int endpoint, int count, int32_t node_no, absl::Duration lease = kLease,
                         bool ordered = false) {
    auto claimed =
        subject_.dispatch().Claim({{EndpointAt(endpoint), count, ordered}}, node_no, lease);
    EXPECT_TRUE(claimed.ok()) << claimed.status();
    claimed_ = *std::move(claimed);
    std::vector<int> numbers;
    for (const ClaimedDelivery& delivery : claimed_) {
      for (size_t i = 0; i < deliveries_.size(); ++i) {
        if (deliveries_[i].id != delivery.id) continue;
        deliveries_[i].token = delivery.lease_token;
        numbers.push_back(static_cast<int>(i));
      }
    }
    std::sort(numbers.begin(), numbers.end());
    return numbers;
  }
  const std::vector<ClaimedDelivery>& claimed() const { return claimed_; }

  // A retry is due `retry_in` after the event that was made last.
  OutcomeRecord OutcomeOf(int number, Ending ending,
                          absl::Duration retry_in = absl::ZeroDuration()) {
    const Leased& delivery = deliveries_[static_cast<size_t>(number)];
    OutcomeRecord record;
    record.attempt.id = AttemptId{ulids_.Next(Tick())};
    record.attempt.delivery_id = delivery.id;
    record.attempt.event_id = delivery.event_id;
    record.attempt.endpoint_id = delivery.endpoint_id;
    record.attempt.start_time = record.complete_time = clock_;
    record.attempt.send_count = 1;
    record.attempt.response_body = "answer";
    record.next_attempt_time = clock_ + retry_in;
    record.lease_token = delivery.token;
    record.attempt.outcome =
        ending == Ending::kSuccess ? AttemptOutcome::kSucceeded : AttemptOutcome::kHttpStatus;
    record.uses_retry = ending == Ending::kRetry;
    switch (ending) {
      case Ending::kSuccess:
        record.attempt.http_status = 200;
        record.state = DeliveryState::kSucceeded;
        break;
      case Ending::kRetry:
        record.attempt.http_status = 500;
        record.state = DeliveryState::kPending;
        break;
      case Ending::kExhausted:
        record.attempt.http_status = 500;
        record.state = DeliveryState::kFailed;
        record.state_reason = StateReason::kExhausted;
        break;
      case Ending::kGone:
        record.attempt.http_status = 410;
        record.state = DeliveryState::kFailed;
        record.state_reason = StateReason::kGone;
    }
    return record;
  }
  OutcomeRecord OutcomeOf(int number, bool success) {
    return OutcomeOf(number, success ? Ending::kSuccess : Ending::kRetry);
  }
  // What these, all of one endpoint and in their order, do to its counter.
  static EndpointTally TallyOf(const std::vector<OutcomeRecord>& outcomes, int32_t threshold) {
    std::vector<AttemptOutcome> each;
    bool gone = false;
    for (const OutcomeRecord& outcome : outcomes) {
      each.push_back(outcome.attempt.outcome);
      gone |= outcome.state_reason == StateReason::kGone;
    }
    const policy::Tally tally = policy::TallyOf(each);
    return {outcomes.at(0).attempt.endpoint_id,
            tally.leading_failures,
            tally.longest_run,
            tally.trailing_failures,
            tally.has_success,
            threshold,
            gone};
  }
  static EndpointTally TallyOf(const OutcomeRecord& outcome) { return TallyOf({outcome}, 3); }
  absl::Status Record(const OutcomeRecord& outcome) {
    return subject_.dispatch().Record({outcome}, {TallyOf(outcome)}).status();
  }
  // A batch of one endpoint.
  absl::Status Record(const std::vector<OutcomeRecord>& outcomes, int32_t threshold) {
    return subject_.dispatch().Record(outcomes, {TallyOf(outcomes, threshold)}).status();
  }
  absl::Status RecordLate(const OutcomeRecord& outcome) {
    return subject_.dispatch().RecordLate(outcome, {TallyOf(outcome)}).status();
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
  FreedWork TakeOver(const std::vector<int32_t>& gone, const std::vector<int32_t>& live = {},
                     int32_t limit = 1000) {
    const auto freed = subject_.dispatch().TakeOver(gone, live, limit, kLease);
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

  // Endpoints that changed since, deliveries canceled under a node or not: numbers, in order.
  std::vector<int> ChangedSince(int64_t position, bool cancels) {
    const auto since = subject_.reader().ChangesSince(position);
    EXPECT_TRUE(since.ok()) << since.status();
    std::vector<int> numbers;
    for (const EndpointChange& change : since->changes) {
      for (int i = 0; i < endpoint_count() && change.cancels == cancels; ++i) {
        if (change.endpoint_id == EndpointAt(i)) numbers.push_back(i);
      }
    }
    return numbers;
  }
  // Where to ask from for what changes from now on; the last changes may come once more.
  int64_t Position() { return subject_.reader().ChangesSince(0)->position; }

  // "state 1 reason 0 attempts 1", and of each attempt " number:outcome".
  std::string Show(int number) {
    const auto deliveries = subject_.Deliveries();
    const auto found = deliveries.find(IdOf(number));
    if (found == deliveries.end()) return "unknown";
    std::string shown = Describe(found->second);
    for (const Attempt& attempt : LogOf(number)) {
      absl::StrAppend(&shown, " ", attempt.number, ":", static_cast<int>(attempt.outcome));
    }
    return shown;
  }
  std::string ShowEndpoint(int number) {
    const auto endpoint = subject_.Find(EndpointAt(number));
    return endpoint ? Describe(*endpoint) : "deleted";
  }
  // By number.
  std::vector<Attempt> LogOf(int number) {
    return LogOf(IdOf(number),
                 subject_.Attempts(deliveries_[static_cast<size_t>(number)].endpoint_id));
  }
  // Everything, a line each.
  std::string ShowAll() {
    std::string shown;
    std::vector<Attempt> log;
    for (size_t i = 0; i < endpoints_.size(); ++i) {
      absl::StrAppend(&shown, "endpoint ", i, ": ", ShowEndpoint(static_cast<int>(i)), "\n");
      for (Attempt& attempt : subject_.Attempts(endpoints_[i])) log.push_back(std::move(attempt));
    }
    const auto deliveries = subject_.Deliveries();
    const auto marks = subject_.Marks();
    const absl::Time now = subject_.Now();
    for (size_t i = 0; i < deliveries_.size(); ++i) {
      absl::StrAppend(&shown, "delivery ", i, ": ");
      const auto found = deliveries.find(deliveries_[i].id);
      if (found == deliveries.end()) {
        absl::StrAppend(&shown, "unknown");
      } else {
        const Delivery& delivery = found->second;
        absl::StrAppend(&shown, Describe(delivery), " origin ", static_cast<int>(delivery.origin));
        if (delivery.next_attempt_time) {
          absl::StrAppend(&shown, *delivery.next_attempt_time <= now ? " due" : " later");
        }
      }
      if (const auto open = marks.find(deliveries_[i].id); open != marks.end()) {
        absl::StrAppend(&shown, " lost ", open->second.lost_claims, " alone ",
                        open->second.alone_deaths, " failed ", open->second.failure_count);
      }
      for (const Attempt& attempt : LogOf(deliveries_[i].id, log)) {
        absl::StrAppend(&shown, "\n    ", Describe(attempt));
      }
      absl::StrAppend(&shown, "\n");
    }
    return shown;
  }
  OpenMarks MarksOf(int number) { return subject_.Marks()[IdOf(number)]; }

  DeliveryId IdOf(int number) const { return deliveries_[static_cast<size_t>(number)].id; }
  EventId EventOf(int number) const { return deliveries_[static_cast<size_t>(number)].event_id; }
  EndpointId EndpointAt(int number) const { return endpoints_[static_cast<size_t>(number)]; }
  LeaseRef LeaseOf(int number) const {
    const Leased& delivery = deliveries_[static_cast<size_t>(number)];
    return {delivery.id, delivery.token};
  }
  bool IsOf(int number, int endpoint) const {
    return deliveries_[static_cast<size_t>(number)].endpoint_id == EndpointAt(endpoint);
  }
  int delivery_count() const { return static_cast<int>(deliveries_.size()); }
  int endpoint_count() const { return static_cast<int>(endpoints_.size()); }
  Subject& subject() { return subject_; }

 private:
  absl::Time Tick() { return clock_ += absl::Milliseconds(1); }

  static NewEvent MakeEventAt(absl::Time time, EventId id, const std::string& type,
                              const std::string& key, char content) {
    NewEvent event;
    event.create_time = event.event_time = time;
    event.id = id;
    event.tenant = {"org", "env"};
    event.type = type;
    event.idempotency_key = key;
    event.body = std::make_shared<const std::string>("{}");
    event.content_digest = std::string(32, content);
    return event;
  }
  static std::vector<Attempt> LogOf(DeliveryId id, const std::vector<Attempt>& all) {
    std::vector<Attempt> log;
    std::copy_if(all.begin(), all.end(), std::back_inserter(log),
                 [&](const Attempt& attempt) { return attempt.delivery_id == id; });
    std::sort(log.begin(), log.end(),
              [](const Attempt& a, const Attempt& b) { return a.number < b.number; });
    return log;
  }

  Subject subject_;
  absl::Time clock_;
  UlidGenerator ulids_;
  int nodes_ = 0;
  std::vector<EndpointId> endpoints_;
  std::vector<Leased> deliveries_;
  std::vector<ClaimedDelivery> claimed_;
};

// A test of the suite says what both do, on a scene of its own.
template <typename Subject>
class ConformanceTest : public ::testing::Test {
 protected:
  Scene<Subject> scene_;
};
using Subjects = ::testing::Types<MemorySubject, PostgresSubject>;

// As Show says them.
inline constexpr char kWaits[] = "state 1 reason 0 attempts 0";
inline constexpr char kLeased[] = "state 2 reason 0 attempts 0";

}  // namespace postrider

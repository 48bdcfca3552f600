#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/simulation/people.h"

namespace postrider::simulation {
namespace {

// After which a publisher thinks that its call is lost.
constexpr absl::Duration kPatience = absl::Seconds(12);

}  // namespace

const std::vector<Tenant>& Tenants() {
  static const auto* const tenants =
      new std::vector<Tenant>{{"org-a", "live"}, {"org-a", "test"}, {"org-b", "live"}};
  return *tenants;
}

const std::vector<std::string>& Types() {
  static const auto* const types =
      new std::vector<std::string>{"user.created", "user.deleted", "order.paid"};
  return *types;
}

// One call to publish some events, repeated until it is answered with OK.
struct Publishers::Call {
  std::vector<size_t> publications;
  int tries = 0;
  int answered = 0;        // the try that was answered, or given up
  bool repeats = false;    // published once more, though it was told OK
  bool conflicts = false;  // with other content under the same key
};

void Publishers::Begin(int events) {
  int made = 0;
  while (made < events) {
    const int count = dice_.Chance(0.1) ? 1 + static_cast<int>(dice_.Below(20)) : 1;
    auto call = std::make_shared<Call>();
    const Tenant& tenant = dice_.OneOf(Tenants());
    for (int i = 0; i < count; ++i) {
      Publication publication;
      publication.tenant = tenant;
      publication.call = static_cast<size_t>(open_);
      publication.type = dice_.OneOf(Types());
      publication.key = absl::StrCat("key-", journal_.publications.size());
      call->publications.push_back(journal_.publications.size());
      journal_.publications.push_back(std::move(publication));
    }
    made += count;
    ++open_;
    timeline_.After(dice_.Between(absl::ZeroDuration(), weather_.storm),
                    [this, call] { Try(call); });
  }
}

void Publishers::Try(std::shared_ptr<Call> call) {
  const int number = ++call->tries;
  const std::shared_ptr<Process> process =
      process_of_(static_cast<int>(dice_.Below(static_cast<size_t>(weather_.nodes))));
  if (process == nullptr || !process->serving()) {
    Again(call);
    return;
  }
  std::vector<NewEvent> events;
  const absl::Time now = process->clock().Now();
  for (size_t index : call->publications) {
    Publication& publication = journal_.publications[index];
    if (publication.first_call == absl::UnixEpoch()) publication.first_call = database_.Now();
    publication.maybe_stored = true;
    NewEvent event;
    event.id = EventId{ulids_.Next(now)};
    event.tenant = publication.tenant;
    event.type = publication.type;
    event.event_time = event.create_time = now;
    event.idempotency_key = publication.key;
    event.body = std::make_shared<const std::string>(absl::StrCat("{\"n\":", index, "}"));
    event.content_digest = call->conflicts ? "another" : "digest";
    events.push_back(std::move(event));
  }
  const bool lost = !calm_ && dice_.Chance(weather_.lose_publish);
  process->Publish(std::move(events), dice_.Between(absl::Seconds(1), kPatience),
                   [this, call, number, lost](absl::StatusOr<std::vector<AcceptResult>> results) {
                     if (lost || call->answered >= number) return;
                     call->answered = number;
                     OnAnswer(call, std::move(results));
                   });
  timeline_.After(kPatience, [this, call, number] {
    if (call->answered >= number) return;
    call->answered = number;
    Again(call);
  });
}

void Publishers::Again(std::shared_ptr<Call> call) {
  timeline_.After(dice_.Spread(absl::Milliseconds(10), absl::Seconds(2)),
                  [this, call] { Try(call); });
}

void Publishers::OnAnswer(const std::shared_ptr<Call>& call,
                          absl::StatusOr<std::vector<AcceptResult>> results) {
  if (!results.ok()) {
    Again(call);
    return;
  }
  using Status = AcceptResult::Status;
  for (size_t i = 0; i < results->size(); ++i) {
    const AcceptResult& result = (*results)[i];
    Publication& publication = journal_.publications[call->publications[i]];
    if (call->conflicts != (result.status == Status::kConflict) ||
        (call->repeats && !call->conflicts && result.status != Status::kDuplicate)) {
      complaints_.push_back(absl::StrCat("the publisher of ", publication.key, " got status ",
                                         static_cast<int>(result.status)));
    }
    if (result.status == Status::kAccepted || result.status == Status::kDuplicate) {
      publication.told.push_back({result.event_id, result.delivery_count, database_.Now()});
    }
    for (const NewDelivery& delivery : result.deliveries) deliveries_.push_back(delivery.id);
  }
  if (!call->repeats && dice_.Chance(0.03)) {
    call->repeats = true;
    call->conflicts = dice_.Chance(0.3);
    timeline_.After(dice_.Spread(absl::Milliseconds(1), absl::Seconds(30)),
                    [this, call] { Try(call); });
    return;
  }
  --open_;
}

}  // namespace postrider::simulation

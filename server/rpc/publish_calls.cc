#include "server/rpc/publish_calls.h"

#include <chrono>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "server/rpc/errors.h"
#include "server/rpc/publish_request.h"
#include "server/rpc/times.h"

namespace postrider::rpc {
namespace {

// How long a call without a deadline may wait for its turn.
constexpr absl::Duration kLongestWait = absl::Seconds(60);

grpc::Status Conflict(const std::string& field) {
  return Error(grpc::StatusCode::ALREADY_EXISTS, reason::kIdempotencyConflict,
               absl::StrCat(field,
                            " was used within the idempotency window for an event of another "
                            "type, data or event_time: use a new key for a new event"));
}

grpc::Status TooManyOpenDeliveries() {
  return RetryLater(grpc::StatusCode::RESOURCE_EXHAUSTED, reason::kTooManyOpenDeliveries,
                    "the org has as many open deliveries as it may: wait until some are over, or "
                    "cancel those of endpoints that do not answer",
                    access::OpenDeliveries::kCountEvery);
}

bool SameTime(const NewEvent& event, const std::optional<absl::Time>& given) {
  return !event.given_event_time || !given || event.given_event_time == given;
}

}  // namespace

grpc::Status CheckBatchSize(int64_t requests) {
  if (requests >= 1 && requests <= kMaxBatchRequests) return grpc::Status::OK;
  FieldErrors errors;
  errors.Add("requests",
             absl::StrCat("must hold 1 to ", kMaxBatchRequests, " entries, not ", requests));
  return errors.ToStatus();
}

PublishOrigin::PublishOrigin(const grpc::CallbackServerContext& context, Caller admitted)
    : caller(std::move(admitted)), traceparent(TraceparentOf(context)) {}

Instant WaitUntil(const grpc::CallbackServerContext& context) {
  // A call without deadline shows one of thousands of years: clamped before arithmetic.
  const auto left = context.deadline() - std::chrono::system_clock::now();
  const auto longest = absl::ToChronoMilliseconds(kLongestWait);
  return MonotonicNow() + (left > longest ? kLongestWait : absl::FromChrono(left));
}

// Requests that are accepted together, one or many.
struct PublishCalls::Call {
  Done done;
  bool single = true;
  Instant deadline;
  std::vector<NewEvent> events;       // what is stored: each key once
  std::vector<std::string> payloads;  // of the events
  std::vector<size_t> event_of;       // by request: its place in `events`
  std::vector<bool> repeats;          // by request: its key came before in this batch

  std::string FieldOf(size_t request, const char* name) const {
    return single ? std::string(name) : absl::StrCat("requests[", request, "].", name);
  }
  void Refuse(const grpc::Status& status) { done(status, v1::BatchPublishResponse()); }
  void Answer(absl::StatusOr<std::vector<AcceptResult>> results);
};

void PublishCalls::Publish(const v1::PublishRequest& request, const PublishOrigin& origin,
                           Instant deadline, Done done) const {
  auto call = std::make_shared<Call>();
  call->done = std::move(done);
  call->deadline = deadline;
  call->events.resize(1);
  call->payloads.resize(1);
  call->event_of = {0};
  call->repeats = {false};
  call->events[0].traceparent = origin.traceparent;
  FieldErrors errors;
  CheckPublish(request, origin.caller, parts_.limits, "", call->events[0], call->payloads[0],
               errors);
  if (!errors.empty()) {
    call->Refuse(errors.ToStatus());
    return;
  }
  request.validate_only() ? Validate(std::move(call)) : Submit(std::move(call));
}

void PublishCalls::Publish(const v1::BatchPublishRequest& request, const PublishOrigin& origin,
                           Instant deadline, Done done) const {
  auto call = std::make_shared<Call>();
  call->done = std::move(done);
  call->single = false;
  call->deadline = deadline;
  if (grpc::Status size = CheckBatchSize(request.requests_size()); !size.ok()) {
    call->Refuse(size);
    return;
  }
  // The call itself was charged as one.
  const grpc::Status charged =
      origin.caller.Charge(request.requests_size() - 1, parts_.clock.Now());
  if (!charged.ok()) {
    call->Refuse(charged);
    return;
  }
  FieldErrors errors;
  const size_t count = static_cast<size_t>(request.requests_size());
  std::vector<NewEvent> events(count);
  std::vector<std::string> payloads(count);
  for (size_t i = 0; i < count; ++i) {
    const v1::PublishRequest& item = request.requests(static_cast<int>(i));
    const std::string prefix = absl::StrCat("requests[", i, "].");
    events[i].traceparent = origin.traceparent;
    CheckPublish(item, origin.caller, parts_.limits, prefix, events[i], payloads[i], errors);
    if (item.validate_only() != request.requests(0).validate_only()) {
      errors.Add(prefix + "validate_only", "must be the same in every entry");
    }
  }
  if (!errors.empty()) {
    call->Refuse(errors.ToStatus());
    return;
  }
  // A key that is repeated inside the batch follows the rule of any second publish, against its
  // first occurrence.
  absl::flat_hash_map<std::pair<Tenant, std::string>, size_t> place_of;
  for (size_t i = 0; i < count; ++i) {
    if (!events[i].idempotency_key.empty()) {
      const auto [it, is_new] =
          place_of.try_emplace({events[i].tenant, events[i].idempotency_key}, call->events.size());
      if (!is_new) {
        const NewEvent& first = call->events[it->second];
        if (first.type != events[i].type || !SameTime(first, events[i].given_event_time) ||
            call->payloads[it->second] != payloads[i]) {
          call->Refuse(Conflict(call->FieldOf(i, "idempotency_key")));
          return;
        }
        call->event_of.push_back(it->second);
        call->repeats.push_back(true);
        continue;
      }
    }
    call->event_of.push_back(call->events.size());
    call->repeats.push_back(false);
    call->events.push_back(std::move(events[i]));
    call->payloads.push_back(std::move(payloads[i]));
  }
  request.requests(0).validate_only() ? Validate(std::move(call)) : Submit(std::move(call));
}

void PublishCalls::Submit(std::shared_ptr<Call> call) const {
  for (const NewEvent& event : call->events) {
    if (parts_.reception.open_deliveries.HasRoom(event.tenant.org_id)) continue;
    call->Refuse(TooManyOpenDeliveries());
    return;
  }
  const absl::Time now = parts_.clock.Now();
  for (size_t i = 0; i < call->events.size(); ++i) {
    SealEvent(parts_.new_event_id(now), now, call->payloads[i], call->events[i]);
  }
  call->payloads.clear();
  publish::Submission submission;
  submission.events = std::move(call->events);
  submission.deadline = call->deadline;
  submission.done = [call](absl::StatusOr<std::vector<AcceptResult>> results) {
    call->Answer(std::move(results));
  };
  const absl::Status status = parts_.submit(std::move(submission));
  if (status.ok()) return;
  const bool overloaded = absl::IsResourceExhausted(status);
  call->Refuse(
      RetryLater(overloaded ? grpc::StatusCode::RESOURCE_EXHAUSTED : grpc::StatusCode::UNAVAILABLE,
                 overloaded ? reason::kOverloaded : reason::kUnavailable,
                 std::string(status.message()), absl::Milliseconds(200)));
}

void PublishCalls::Call::Answer(absl::StatusOr<std::vector<AcceptResult>> results) {
  if (!results.ok()) {
    Refuse(FromStore(results.status()));
    return;
  }
  v1::BatchPublishResponse response;
  for (size_t i = 0; i < event_of.size(); ++i) {
    const AcceptResult& result = (*results)[event_of[i]];
    if (result.status == AcceptResult::Status::kConflict) {
      Refuse(Conflict(FieldOf(i, "idempotency_key")));
      return;
    }
    v1::PublishResponse* answer = response.add_responses();
    answer->set_event_id(result.event_id.ToText());
    ToProto(result.create_time, answer->mutable_create_time());
    answer->set_delivery_count(result.delivery_count);
    answer->set_duplicate(result.status == AcceptResult::Status::kDuplicate || repeats[i]);
  }
  done(grpc::Status::OK, response);
}

grpc::Status PublishCalls::ValidateOne(const Call& call, size_t request,
                                       v1::PublishResponse* answer) const {
  const size_t place = call.event_of[request];
  const NewEvent& event = call.events[place];
  absl::StatusOr<std::vector<EndpointId>> matched = parts_.events.Match(event.tenant, event.type);
  if (!matched.ok()) return FromStore(matched.status());
  answer->set_delivery_count(static_cast<int32_t>(matched->size()));
  for (EndpointId id : *matched) answer->add_matched_endpoint_ids(id.ToText());
  if (event.idempotency_key.empty()) return grpc::Status::OK;
  absl::StatusOr<StoredKey> known = parts_.events.FindKey(event.tenant, event.idempotency_key);
  if (absl::IsNotFound(known.status())) return grpc::Status::OK;
  if (!known.ok()) return FromStore(known.status());
  if (known->create_time <= parts_.clock.Now() - parts_.idempotency_window) {
    return grpc::Status::OK;
  }
  // No digest: the payload was erased, and any content is the same.
  const bool same_content = known->content_digest.empty() ||
                            known->content_digest == ContentDigest(event, call.payloads[place]);
  if (!SameTime(event, known->given_event_time) || !same_content) {
    return Conflict(call.FieldOf(request, "idempotency_key"));
  }
  answer->set_duplicate(true);
  answer->set_event_id(known->event_id.ToText());
  answer->set_delivery_count(known->delivery_count);
  ToProto(known->create_time, answer->mutable_create_time());
  return grpc::Status::OK;
}

// A dry run: all checks, and what would match now, with nothing stored.
void PublishCalls::Validate(std::shared_ptr<Call> call) const {
  const bool taken = parts_.reception.workers.Run([this, call] {
    v1::BatchPublishResponse response;
    for (size_t i = 0; i < call->event_of.size(); ++i) {
      const grpc::Status status = ValidateOne(*call, i, response.add_responses());
      if (!status.ok()) {
        call->Refuse(status);
        return;
      }
    }
    call->done(grpc::Status::OK, response);
  });
  if (!taken) {
    call->Refuse(RetryLater(grpc::StatusCode::RESOURCE_EXHAUSTED, reason::kOverloaded,
                            "too many calls are waiting: slow down", absl::Seconds(1)));
  }
}

}  // namespace postrider::rpc

#include "server/rpc/publisher_service.h"

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "server/rpc/call.h"
#include "server/rpc/publish_request.h"
#include "server/rpc/times.h"
#include "server/rpc/unimplemented.h"

namespace postrider::rpc {
namespace {

// How long a call without a deadline may wait for its turn.
constexpr absl::Duration kLongestWait = absl::Seconds(60);

Instant DeadlineOf(const grpc::CallbackServerContext& context) {
  // A call without deadline shows one of thousands of years: clamped before arithmetic.
  const auto left = context.deadline() - std::chrono::system_clock::now();
  const auto longest = absl::ToChronoMilliseconds(kLongestWait);
  return MonotonicNow() + (left > longest ? kLongestWait : absl::FromChrono(left));
}

grpc::Status Conflict(const std::string& field) {
  return Error(grpc::StatusCode::ALREADY_EXISTS, reason::kIdempotencyConflict,
               absl::StrCat(field,
                            " was used within the idempotency window for an event of another "
                            "type, data or event_time: use a new key for a new event"));
}

}  // namespace

// One call, of one request or many.
struct PublisherService::Batch {
  grpc::ServerUnaryReactor* reactor = nullptr;
  grpc::ByteBuffer* out = nullptr;
  bool single = true;
  Instant deadline;
  std::vector<NewEvent> events;       // what is stored: each key once
  std::vector<std::string> payloads;  // of all requests
  std::vector<size_t> event_of;       // by request: its place in `events`
  std::vector<bool> repeats;          // by request: its key came before in this batch
  std::vector<bool> validate_only;    // by request

  std::string FieldOf(size_t request, const char* name) const {
    return single ? std::string(name) : absl::StrCat("requests[", request, "].", name);
  }
  void Finish(const v1::BatchPublishResponse& response) {
    reactor->Finish(single ? WriteResponse(response.responses(0), out)
                           : WriteResponse(response, out));
  }
};

grpc::ServerUnaryReactor* PublisherService::Publish(grpc::CallbackServerContext* context,
                                                    const grpc::ByteBuffer* in,
                                                    grpc::ByteBuffer* out) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  v1::PublishRequest request;
  if (!ParseRequest(*in, request)) {
    reactor->Finish(Malformed());
    return reactor;
  }
  auto batch = std::make_shared<Batch>();
  batch->reactor = reactor;
  batch->out = out;
  batch->deadline = DeadlineOf(*context);
  batch->events.resize(1);
  batch->payloads.resize(1);
  batch->event_of = {0};
  batch->repeats = {false};
  batch->events[0].traceparent = TraceparentOf(*context);
  FieldErrors errors;
  CheckPublish(request, CallerOf(*context), parts_.limits, "", batch->events[0], batch->payloads[0],
               errors);
  if (!errors.empty()) {
    reactor->Finish(errors.ToStatus());
    return reactor;
  }
  request.validate_only() ? Validate(std::move(batch)) : Submit(std::move(batch));
  return reactor;
}

grpc::ServerUnaryReactor* PublisherService::BatchPublish(grpc::CallbackServerContext* context,
                                                         const grpc::ByteBuffer* in,
                                                         grpc::ByteBuffer* out) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  v1::BatchPublishRequest request;
  if (!ParseRequest(*in, request)) {
    reactor->Finish(Malformed());
    return reactor;
  }
  FieldErrors errors;
  if (request.requests().empty() || request.requests_size() > kMaxBatchRequests) {
    errors.Add("requests", absl::StrCat("must hold 1 to ", kMaxBatchRequests, " entries, not ",
                                        request.requests_size()));
    reactor->Finish(errors.ToStatus());
    return reactor;
  }
  auto batch = std::make_shared<Batch>();
  batch->reactor = reactor;
  batch->out = out;
  batch->single = false;
  batch->deadline = DeadlineOf(*context);
  const Caller caller = CallerOf(*context);
  const std::string traceparent = TraceparentOf(*context);
  const size_t count = static_cast<size_t>(request.requests_size());
  std::vector<NewEvent> events(count);
  batch->payloads.resize(count);
  for (size_t i = 0; i < count; ++i) {
    const v1::PublishRequest& item = request.requests(static_cast<int>(i));
    const std::string prefix = absl::StrCat("requests[", i, "].");
    events[i].traceparent = traceparent;
    CheckPublish(item, caller, parts_.limits, prefix, events[i], batch->payloads[i], errors);
    if (item.validate_only() != request.requests(0).validate_only()) {
      errors.Add(prefix + "validate_only", "must be the same in every entry");
    }
  }
  if (!errors.empty()) {
    reactor->Finish(errors.ToStatus());
    return reactor;
  }
  // A key that is repeated inside the batch follows the rule of any second publish, against its
  // first occurrence.
  absl::flat_hash_map<std::pair<Tenant, std::string>, size_t> first_of;
  for (size_t i = 0; i < count; ++i) {
    size_t place = batch->events.size();
    bool repeats = false;
    if (!events[i].idempotency_key.empty()) {
      const auto [it, is_new] =
          first_of.try_emplace({events[i].tenant, events[i].idempotency_key}, i);
      if (!is_new) {
        const NewEvent& first = events[it->second];
        const bool same_time = !first.given_event_time || !events[i].given_event_time ||
                               first.given_event_time == events[i].given_event_time;
        if (first.type != events[i].type || !same_time ||
            batch->payloads[it->second] != batch->payloads[i]) {
          reactor->Finish(Conflict(batch->FieldOf(i, "idempotency_key")));
          return reactor;
        }
        repeats = true;
        place = batch->event_of[it->second];
      }
    }
    if (!repeats) batch->events.push_back(events[i]);
    batch->event_of.push_back(place);
    batch->repeats.push_back(repeats);
  }
  // Payloads follow their events from here on.
  std::vector<std::string> kept(batch->events.size());
  for (size_t i = 0; i < count; ++i) {
    if (!batch->repeats[i]) kept[batch->event_of[i]] = std::move(batch->payloads[i]);
  }
  batch->payloads = std::move(kept);
  request.requests(0).validate_only() ? Validate(std::move(batch)) : Submit(std::move(batch));
  return reactor;
}

void PublisherService::Submit(std::shared_ptr<Batch> batch) {
  const absl::Time now = parts_.clock.Now();
  for (size_t i = 0; i < batch->events.size(); ++i) {
    SealEvent(parts_.new_event_id(now), now, batch->payloads[i], batch->events[i]);
  }
  batch->payloads.clear();
  publish::Submission submission;
  submission.events = std::move(batch->events);
  submission.deadline = batch->deadline;
  submission.done = [this, batch](absl::StatusOr<std::vector<AcceptResult>> results) {
    Answer(*batch, std::move(results));
  };
  const absl::Status status = parts_.submit(std::move(submission));
  if (status.ok()) return;
  const bool overloaded = absl::IsResourceExhausted(status);
  batch->reactor->Finish(
      RetryLater(overloaded ? grpc::StatusCode::RESOURCE_EXHAUSTED : grpc::StatusCode::UNAVAILABLE,
                 overloaded ? reason::kOverloaded : reason::kUnavailable,
                 std::string(status.message()), absl::Milliseconds(200)));
}

void PublisherService::Answer(Batch& batch, absl::StatusOr<std::vector<AcceptResult>> results) {
  if (!results.ok()) {
    batch.reactor->Finish(FromStore(results.status()));
    return;
  }
  v1::BatchPublishResponse response;
  for (size_t i = 0; i < batch.event_of.size(); ++i) {
    const AcceptResult& result = (*results)[batch.event_of[i]];
    if (result.status == AcceptResult::Status::kConflict) {
      batch.reactor->Finish(Conflict(batch.FieldOf(i, "idempotency_key")));
      return;
    }
    v1::PublishResponse* answer = response.add_responses();
    answer->set_event_id(result.event_id.ToText());
    ToProto(result.create_time, answer->mutable_create_time());
    answer->set_delivery_count(result.delivery_count);
    answer->set_duplicate(result.status == AcceptResult::Status::kDuplicate || batch.repeats[i]);
  }
  batch.Finish(response);
}

grpc::Status PublisherService::ValidateOne(const Batch& batch, size_t request,
                                           v1::PublishResponse* answer) {
  const size_t place = batch.event_of[request];
  const NewEvent& event = batch.events[place];
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
  const bool same_time = !known->given_event_time || !event.given_event_time ||
                         known->given_event_time == event.given_event_time;
  // No digest: the payload was erased, and any content is the same.
  const bool same_content = known->content_digest.empty() ||
                            known->content_digest == ContentDigest(event, batch.payloads[place]);
  if (!same_time || !same_content) {
    return Conflict(batch.FieldOf(request, "idempotency_key"));
  }
  answer->set_duplicate(true);
  answer->set_event_id(known->event_id.ToText());
  answer->set_delivery_count(known->delivery_count);
  ToProto(known->create_time, answer->mutable_create_time());
  return grpc::Status::OK;
}

// A dry run: all checks, and what would match now, with nothing stored.
void PublisherService::Validate(std::shared_ptr<Batch> batch) {
  const bool taken = parts_.workers.Run([this, batch] {
    v1::BatchPublishResponse response;
    for (size_t i = 0; i < batch->event_of.size(); ++i) {
      const grpc::Status status = ValidateOne(*batch, i, response.add_responses());
      if (!status.ok()) {
        batch->reactor->Finish(status);
        return;
      }
    }
    batch->Finish(response);
  });
  if (!taken) {
    batch->reactor->Finish(RetryLater(grpc::StatusCode::RESOURCE_EXHAUSTED, reason::kOverloaded,
                                      "too many calls are waiting: slow down", absl::Seconds(1)));
  }
}

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* PublisherService::StreamPublish(
    grpc::CallbackServerContext*) {
  return RefuseStream("StreamPublish");
}

}  // namespace postrider::rpc

#include "server/dispatch/attempt.h"

#include <optional>
#include <utility>

#include "server/policy/retry_after.h"

namespace postrider::dispatch {
namespace {

bool NameIs(std::string_view name, std::string_view lower) {
  if (name.size() != lower.size()) return false;
  for (size_t i = 0; i < name.size(); ++i) {
    const char c = name[i] >= 'A' && name[i] <= 'Z' ? static_cast<char>(name[i] + 32) : name[i];
    if (c != lower[i]) return false;
  }
  return true;
}

std::optional<absl::Duration> RetryAfterOf(const http::Result& result, absl::Time end_time) {
  if (result.status != 429 && result.status != 503) return std::nullopt;
  for (const auto& [name, value] : result.headers) {
    if (NameIs(name, "retry-after")) return policy::ParseRetryAfter(value, end_time);
  }
  return std::nullopt;
}

}  // namespace

http::Request MakeRequest(uint64_t flight, const WorkItem& item, const Target& target,
                          absl::Time database_now, std::string signature) {
  http::Request request;
  request.id = flight;
  request.url = target.url;
  request.body = item.body;
  request.timeout = target.timeout;
  request.connect_timeout = target.connect_timeout;
  request.headers.reserve(target.headers.size() + 6);
  request.headers = target.headers;
  request.headers.emplace_back("Content-Type", "application/json");
  request.headers.emplace_back("webhook-id", item.event_id.ToText());
  request.headers.emplace_back("webhook-timestamp",
                               std::to_string(absl::ToUnixSeconds(database_now)));
  request.headers.emplace_back("webhook-signature", std::move(signature));
  request.headers.emplace_back("postrider-delivery-id", item.id.ToText());
  request.headers.emplace_back("postrider-attempt", std::to_string(item.attempt_count + 1));
  return request;
}

std::optional<AttemptOutcome> OutcomeOf(const http::Result& result) {
  switch (result.error) {
    case http::TransferError::kNone:
      return policy::OutcomeOf(std::nullopt, result.status);
    case http::TransferError::kTimeout:
      return AttemptOutcome::kTimeout;
    case http::TransferError::kConnection:
      return AttemptOutcome::kConnection;
    case http::TransferError::kDns:
      return AttemptOutcome::kDns;
    case http::TransferError::kTls:
      return AttemptOutcome::kTls;
    case http::TransferError::kBlocked:
      return AttemptOutcome::kBlocked;
    case http::TransferError::kNotStarted:
      return std::nullopt;
  }
  return std::nullopt;
}

FinishedAttempt FinishAttempt(const WorkItem& item, const Target& target, AttemptTimes times,
                              http::Result result, Blame blame, AttemptId id, double random) {
  FinishedAttempt finished;
  finished.in_order = item.in_order;
  Attempt& attempt = finished.record.attempt;
  attempt.id = id;
  attempt.delivery_id = item.id;
  attempt.event_id = item.event_id;
  attempt.endpoint_id = item.endpoint_id;
  attempt.number = item.attempt_count + 1;
  attempt.origin = item.origin;
  attempt.start_time = times.start;
  attempt.duration = result.duration;
  attempt.outcome = OutcomeOf(result).value_or(AttemptOutcome::kConnection);
  attempt.http_status = result.status;
  attempt.error = attempt.outcome == AttemptOutcome::kHttpStatus
                      ? "the receiver answered " + std::to_string(result.status)
                      : std::move(result.error_text);
  attempt.remote_address = std::move(result.remote_address);
  attempt.send_count = result.send_count;
  attempt.phases = {result.phases.dns, result.phases.connect, result.phases.tls,
                    result.phases.first_byte};

  policy::FailureFacts facts;
  facts.earlier_failures = item.failure_count;
  facts.http_status = attempt.outcome == AttemptOutcome::kHttpStatus ? result.status : 0;
  facts.retry_after = RetryAfterOf(result, times.end);
  facts.attempt_end = times.end;
  facts.random = random;
  const auto input = attempt.outcome == AttemptOutcome::kSucceeded
                         ? policy::DeliveryInput::kSucceeded
                     : blame == Blame::kUs ? policy::DeliveryInput::kOurOutage
                                           : policy::DeliveryInput::kFailed;
  const std::optional<policy::Transition> next =
      policy::Next(DeliveryState::kInProgress, input, facts, target.failure);
  OutcomeRecord& record = finished.record;
  record.lease_token = item.lease_token;
  record.state = next->state;
  record.state_reason = next->reason;
  record.next_attempt_time = next->next_attempt_time.value_or(times.end);
  record.uses_retry = next->uses_retry;
  record.complete_time = times.end;
  finished.counts = blame == Blame::kEndpoint;
  finished.disable_threshold = target.disable_threshold;
  finished.disables_endpoint = next->disables_endpoint;

  attempt.response_headers = std::move(result.headers);
  attempt.response_body = std::move(result.body);
  attempt.response_body_truncated = result.body_truncated;
  return finished;
}

}  // namespace postrider::dispatch

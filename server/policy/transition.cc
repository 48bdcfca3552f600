#include "server/policy/transition.h"

namespace postrider::policy {
namespace {

constexpr int kGone = 410;

Transition AfterFailure(const FailureFacts& facts, const FailureRules& rules) {
  Transition next;
  next.logs_attempt = true;
  next.uses_retry = true;
  if (facts.http_status == kGone && rules.disable_on_gone) {
    next.state = DeliveryState::kFailed;
    next.reason = StateReason::kGone;
    next.disables_endpoint = true;
    return next;
  }
  const auto time = NextAttemptTime(rules.retry, facts.earlier_failures + 1, facts.attempt_end,
                                    facts.retry_after, facts.random);
  if (!time) {
    next.state = DeliveryState::kFailed;
    next.reason = StateReason::kExhausted;
    return next;
  }
  next.state = DeliveryState::kPending;
  next.next_attempt_time = *time;
  return next;
}

Transition Ended(DeliveryState state, StateReason reason, bool logs_attempt) {
  Transition next;
  next.state = state;
  next.reason = reason;
  next.logs_attempt = logs_attempt;
  return next;
}

}  // namespace

AttemptOutcome OutcomeOf(std::optional<AttemptOutcome> transport_failure, int http_status) {
  if (transport_failure) return *transport_failure;
  if (http_status >= 200 && http_status <= 299) return AttemptOutcome::kSucceeded;
  return AttemptOutcome::kHttpStatus;
}

bool IsFailure(AttemptOutcome outcome) {
  switch (outcome) {
    case AttemptOutcome::kHttpStatus:
    case AttemptOutcome::kTimeout:
    case AttemptOutcome::kConnection:
    case AttemptOutcome::kDns:
    case AttemptOutcome::kTls:
    case AttemptOutcome::kBlocked:
      return true;
    case AttemptOutcome::kSucceeded:
    case AttemptOutcome::kAbandoned:
      return false;
  }
  return false;
}

std::optional<Transition> Next(DeliveryState state, DeliveryInput input, const FailureFacts& facts,
                               const FailureRules& rules) {
  const bool open = state == DeliveryState::kPending || state == DeliveryState::kInProgress;
  if (!open) return std::nullopt;
  const bool running = state == DeliveryState::kInProgress;
  switch (input) {
    case DeliveryInput::kClaim:
      if (running) return std::nullopt;
      return Ended(DeliveryState::kInProgress, StateReason::kNone, false);
    case DeliveryInput::kRelease:
      if (!running) return std::nullopt;
      return Ended(DeliveryState::kPending, StateReason::kNone, false);
    case DeliveryInput::kSucceeded:
      if (!running) return std::nullopt;
      return Ended(DeliveryState::kSucceeded, StateReason::kNone, true);
    case DeliveryInput::kFailed:
      if (!running) return std::nullopt;
      return AfterFailure(facts, rules);
    case DeliveryInput::kOurOutage: {
      // No step of the schedule is used.
      if (!running) return std::nullopt;
      Transition next = Ended(DeliveryState::kPending, StateReason::kNone, true);
      next.next_attempt_time = facts.attempt_end + kOutageRetry;
      return next;
    }
    case DeliveryInput::kPoisoned:
      if (!running) return std::nullopt;
      return Ended(DeliveryState::kFailed, StateReason::kPoisoned, true);
    case DeliveryInput::kAbandoned:
      // Due again at once, and no step of the schedule is used.
      if (!running) return std::nullopt;
      return Ended(DeliveryState::kPending, StateReason::kNone, true);
    case DeliveryInput::kLateSuccess:
      // Its row is in the log already.
      return Ended(DeliveryState::kSucceeded, StateReason::kNone, false);
    case DeliveryInput::kCanceledByCaller:
      return Ended(DeliveryState::kCanceled, StateReason::kCanceledByCaller, running);
    case DeliveryInput::kEndpointDeleted:
      return Ended(DeliveryState::kCanceled, StateReason::kEndpointDeleted, running);
    case DeliveryInput::kExpired:
      return Ended(DeliveryState::kCanceled, StateReason::kExpired, running);
  }
  return std::nullopt;
}

}  // namespace postrider::policy

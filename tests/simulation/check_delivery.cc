// The course of each delivery: its attempts on the wire, in the log, and its end.

#include <algorithm>

#include "tests/simulation/checker_expect.h"

namespace postrider::simulation {
namespace {

// A node's idea of the database's time may be off by so much: it does not begin with a heartbeat
// that took longer than 2 s.
constexpr absl::Duration kLogClockError = absl::Seconds(1);
// Between an attempt that met an outage of our own and the next.
constexpr absl::Duration kOutagePause = absl::Seconds(2);

bool Succeeded(const WireAttempt& sent) {
  return sent.answered && sent.status >= 200 && sent.status <= 299;
}

size_t RetriesOf(const EndpointConfig& config, size_t by_default) {
  if (config.retries_disabled) return 0;
  return config.retry_schedule.empty() ? by_default : config.retry_schedule.size();
}

const std::vector<absl::Duration>& DefaultSchedule() {
  static const auto* const schedule =
      new std::vector<absl::Duration>{absl::Seconds(1), absl::Seconds(3), absl::Seconds(8)};
  return *schedule;
}

}  // namespace

void Checker::CheckEnd(DeliveryId id, const Course& course) {
  Expect(database_.events().contains(course.event_id), id.ToText(), " is of no event");
  if (course.closed == nullptr) {
    const auto& endpoint = database_.endpoints().at(course.endpoint_id).endpoint;
    Expect(endpoint.state == EndpointState::kDisabled, id.ToText(), " is still open (",
           course.attempt_count, " attempts)");
    return;
  }
  const bool delivered = std::any_of(course.wire.begin(), course.wire.end(),
                                     [](const WireAttempt* sent) { return Succeeded(*sent); });
  const auto operated = [&](Operation::Kind kind) {
    return std::any_of(
        journal_.operations.begin(), journal_.operations.end(), [&](const Operation& operation) {
          return operation.kind == kind &&
                 (operation.delivery_id == id || operation.endpoint_id == course.endpoint_id);
        });
  };
  switch (course.closed->state) {
    case DeliveryState::kSucceeded:
      Expect(delivered, id.ToText(), " SUCCEEDED and no receiver said so");
      break;
    case DeliveryState::kFailed:
      if (course.closed->reason == StateReason::kGone) {
        Expect(std::any_of(course.wire.begin(), course.wire.end(),
                           [](const WireAttempt* sent) { return sent->status == 410; }),
               id.ToText(), " is GONE and nobody said 410");
      } else if (course.closed->reason == StateReason::kPoisoned) {
        CheckPoisoned(id, course);
      } else {
        Expect(course.closed->reason == StateReason::kExhausted, id.ToText(),
               " FAILED for no reason");
        Expect(!course.log.empty(), id.ToText(), " is EXHAUSTED without an attempt");
      }
      break;
    case DeliveryState::kCanceled:
      if (course.closed->reason == StateReason::kEndpointDeleted) {
        Expect(operated(Operation::Kind::kDelete), id.ToText(), " ended with a living endpoint");
      } else {
        Expect(course.closed->reason == StateReason::kCanceledByCaller &&
                   (operated(Operation::Kind::kCancel) || operated(Operation::Kind::kDiscard)),
               id.ToText(), " is CANCELED and nobody did it");
      }
      break;
    case DeliveryState::kPending:
    case DeliveryState::kInProgress:
      Expect(false, id.ToText(), " is closed in an open state");
      break;
  }
}

// Five nodes in a row that did not stop in good order had it when they were last heard of.
void Checker::CheckPoisoned(DeliveryId id, const Course& course) {
  int deaths = 0;
  for (auto it = course.log.rbegin(); it != course.log.rend() && (*it)->abandoned_time; ++it) {
    const auto life = journal_.lives.find((*it)->abandoned_node);
    if (life == journal_.lives.end() || life->second.end >= *(*it)->abandoned_time ||
        !life->second.clean) {
      ++deaths;
    }
  }
  Expect(deaths >= 5, id.ToText(), " is POISONED after ", deaths, " deaths");
}

void Checker::CheckNumbers(DeliveryId id, const Course& course) {
  for (size_t i = 0; i < course.log.size(); ++i) {
    Expect(course.log[i]->attempt.number == static_cast<int>(i) + 1, id.ToText(),
           " has a hole or a double in its log at ", i + 1);
  }
  Expect(course.attempt_count == static_cast<int32_t>(course.log.size()), id.ToText(), " counts ",
         course.attempt_count, " attempts and has ", course.log.size(), " in its log");
  int last = 0;
  for (const WireAttempt* sent : course.wire) {
    Expect(sent->number > last, id.ToText(), " was sent as attempt ", sent->number, " after ",
           last);
    last = sent->number;
    Expect(sent->event_id == course.event_id && sent->endpoint_id == course.endpoint_id,
           id.ToText(), " was sent as another event or elsewhere");
    const memory::StoredAttempt* row = course.RowOf(*sent);
    if (row == nullptr) {
      // Its delivery was ended under it, and its node died before that could be logged.
      const NodeLife& life = journal_.lives.at(sent->node_no);
      Expect(course.closed != nullptr && life.end < absl::InfiniteFuture() && !life.clean,
             id.ToText(), " has no row of attempt ", sent->number);
      continue;
    }
    const Attempt& attempt = row->attempt;
    if (attempt.outcome == AttemptOutcome::kAbandoned) {
      Expect(row->abandoned_time.has_value(), id.ToText(), " was not abandoned");
    } else {
      Expect((attempt.outcome == AttemptOutcome::kSucceeded) == Succeeded(*sent), id.ToText(),
             " attempt ", sent->number, " is logged with another outcome");
      Expect(absl::AbsDuration(attempt.start_time - sent->handed_out) < kLogClockError, id.ToText(),
             " attempt ", sent->number, " is logged with a start that is off by ",
             absl::FormatDuration(attempt.start_time - sent->handed_out));
    }
  }
  for (const memory::StoredAttempt* row : course.log) {
    if (row->abandoned_time) continue;
    Expect(std::any_of(course.wire.begin(), course.wire.end(),
                       [&](const WireAttempt* s) { return s->number == row->attempt.number; }),
           id.ToText(), " attempt ", row->attempt.number, " is logged and was not sent");
  }
}

void Checker::CheckOverlap(DeliveryId id, const Course& course) {
  for (size_t i = 0; i < course.wire.size(); ++i) {
    const WireAttempt& sent = *course.wire[i];
    const memory::StoredAttempt* row = course.RowOf(sent);
    const absl::Time lost = row == nullptr ? absl::InfiniteFuture()
                                           : row->abandoned_time.value_or(absl::InfiniteFuture());
    Expect(sent.start < lost, id.ToText(), " attempt ", sent.number,
           " began after its lease was lost");
    if (i + 1 == course.wire.size()) continue;
    const absl::Time over = std::min(sent.end, lost);
    Expect(course.wire[i + 1]->start >= over, id.ToText(), " attempt ", course.wire[i + 1]->number,
           " began while attempt ", sent.number, " was running");
  }
}

void Checker::CheckSchedule(DeliveryId id, const Course& course) {
  const auto changes = changes_.find(course.endpoint_id);
  size_t longest = 0;
  for (const memory::StoredChange* change : changes->second) {
    longest = std::max(longest, RetriesOf(change->config, DefaultSchedule().size()));
  }
  size_t failures = 0;
  size_t at = 0;  // on the wire
  for (const memory::StoredAttempt* row : course.log) {
    while (at < course.wire.size() && course.wire[at]->number < row->attempt.number) ++at;
    const bool was_sent = at < course.wire.size() && course.wire[at]->number == row->attempt.number;
    if (row->abandoned_time) continue;
    if (was_sent && course.wire[at]->unplugged) {
      Expect(at + 1 == course.wire.size() ||
                 course.wire[at + 1]->start >=
                     course.wire[at]->end + kOutagePause - kindness_.clock_error,
             id.ToText(), " was sent again too soon in an outage of our own");
      continue;
    }
    ++failures;
    if (row->attempt.outcome == AttemptOutcome::kSucceeded || !was_sent ||
        at + 1 == course.wire.size()) {
      continue;
    }
    const WireAttempt& failed = *course.wire[at];
    const WireAttempt& next = *course.wire[at + 1];
    absl::Duration least = absl::InfiniteDuration();
    // A node that knew nothing new when the attempt failed looks first, and goes by what it finds.
    for (const EndpointConfig* config :
         ConfigsUntil(course.endpoint_id, failed.end, row->commit_no)) {
      const auto& delays =
          config->retry_schedule.empty() ? DefaultSchedule() : config->retry_schedule;
      if (!config->retries_disabled && failures <= delays.size()) {
        least = std::min(least, delays[failures - 1]);
      }
    }
    Expect(least < absl::InfiniteDuration(), id.ToText(), " attempt ", next.number,
           " began after the schedule was used up");
    if (failed.answered && (failed.status == 429 || failed.status == 503)) {
      least = std::max(least, failed.retry_after);
    }
    Expect(least == absl::InfiniteDuration() ||
               next.start >= failed.end + least - kindness_.clock_error,
           id.ToText(), " attempt ", next.number, " began ",
           absl::FormatDuration(next.start - failed.end), " after a failure that asked for ",
           absl::FormatDuration(least));
  }
  if (course.closed != nullptr && kindness_.unplugged) {
    Expect(course.closed->failure_count == 0, id.ToText(), " used up a retry in our own outage");
  }
  Expect(failures <= longest + 1, id.ToText(), " had ", failures, " attempts and a schedule of ",
         longest, " retries");
}

void Checker::CheckSentOnce(DeliveryId id, const Course& course) {
  const auto succeeded = std::count_if(course.wire.begin(), course.wire.end(),
                                       [](const WireAttempt* sent) { return Succeeded(*sent); });
  Expect(succeeded <= 1, id.ToText(), " was delivered ", succeeded, " times");
  for (const memory::StoredAttempt* row : course.log) {
    Expect(!row->abandoned_time, id.ToText(), " has an abandoned attempt though no node died");
  }
}

}  // namespace postrider::simulation

#include "tests/simulation/receivers.h"

#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace postrider::simulation {
namespace {

using http::TransferError;

std::string HeaderOf(const http::Request& request, std::string_view name) {
  for (const auto& [header, value] : request.headers) {
    if (header == name) return value;
  }
  return "";
}

int64_t NumberOf(const std::string& text) {
  int64_t number = 0;
  return absl::SimpleAtoi(text, &number) ? number : -1;
}

}  // namespace

void Receivers::Add(EndpointId id) {
  Receiver& receiver = receivers_[id];
  receiver.high = dice_.Spread(absl::Milliseconds(5), absl::Seconds(2));
  if (!dice_.Chance(weather_.bad_receivers)) return;
  receiver.bad = dice_.OneOf<double>({0.02, 0.2, 0.6});
  receiver.dead = dice_.Chance(0.2);
  receiver.dead_for_good = receiver.dead && dice_.Chance(0.3);
  receiver.gone = dice_.Chance(0.1);
  if (dice_.Chance(0.3)) receiver.flap = dice_.Spread(absl::Seconds(1), absl::Seconds(30));
}

void Receivers::Mend() {
  reachable_ = true;
  for (auto& [id, receiver] : receivers_) {
    // One that is never disabled would take its pauses for hours.
    const bool dead = receiver.dead_for_good &&
                      database_.endpoints().at(id).endpoint.config.disable_threshold != 0;
    receiver = Receiver{};
    receiver.dead = dead;
  }
}

Receivers::Answer Receivers::Failure(const Receiver& receiver) {
  Answer answer;
  http::Result& result = answer.result;
  const auto broken = [&](TransferError error, bool received) {
    result.error = error;
    result.error_text = "it did not work";
    result.send_count = received ? 1 : 0;
    answer.received = received;
  };
  const double kind = dice_.Fraction();
  if (kind < 0.35) {
    answer.status = result.status = 500;
  } else if (kind < 0.5) {
    answer.status = result.status = dice_.Chance(0.5) ? 503 : 429;
    result.headers.emplace_back("Retry-After", absl::StrCat(1 + dice_.Below(20)));
  } else if (kind < 0.7) {
    broken(TransferError::kConnection, false);
  } else if (kind < 0.75) {
    broken(TransferError::kDns, false);
  } else if (kind < 0.85) {
    broken(TransferError::kTimeout, true);
    answer.wait = absl::Seconds(15);
  } else if (kind < 0.95) {
    // It answers, and the answer is lost.
    broken(TransferError::kConnection, true);
    answer.status = 200;
  } else {
    answer.status = result.status = receiver.gone && dice_.Chance(0.2) ? 410 : 404;
  }
  return answer;
}

Receivers::Answer Receivers::AnswerOf(const Receiver& receiver) {
  Answer answer;
  const absl::Duration wait = dice_.Spread(receiver.low, receiver.high);
  const bool down = receiver.flap < absl::InfiniteDuration() &&
                    absl::FDivDuration(timeline_.now(), 2 * receiver.flap) -
                            static_cast<double>(static_cast<int64_t>(
                                absl::FDivDuration(timeline_.now(), 2 * receiver.flap))) >=
                        0.5;
  if (!reachable_) {
    answer.result.error = dice_.Chance(0.5) ? TransferError::kDns : TransferError::kConnection;
    answer.result.error_text = "network unreachable";
    answer.received = false;
    // At once, so that it is over when the outage is.
    answer.wait = dice_.Spread(absl::Microseconds(100), absl::Milliseconds(2));
  } else if (receiver.dead || down) {
    answer.result.error = TransferError::kConnection;
    answer.result.error_text = "connection refused";
    answer.received = false;
  } else if (dice_.Chance(receiver.bad)) {
    answer = Failure(receiver);
  } else {
    answer.status = answer.result.status = 200;
    answer.result.send_count = 1;
    // Late, but in time.
    if (dice_.Chance(receiver.bad * 0.1)) {
      answer.wait = dice_.Between(absl::Seconds(5), absl::Seconds(14));
    }
  }
  if (answer.wait == absl::ZeroDuration()) answer.wait = wait;
  answer.result.duration = answer.wait;
  return answer;
}

void Receivers::Post(std::shared_ptr<Process> from, http::Request request, EndpointId endpoint_id) {
  if (!dice_.Chance(weather_.wait_for_turn)) {
    Send(from, request, endpoint_id, database_.Now());
    return;
  }
  const absl::Duration wait = dice_.Spread(absl::Milliseconds(10), absl::Seconds(40));
  const absl::Duration left = request.start_by - from->clock().Monotonic();
  from->Later(std::min(wait, left),
              [this, weak = std::weak_ptr<Process>(from), request = std::move(request), endpoint_id,
               handed_out = database_.Now()] {
                const std::shared_ptr<Process> process = weak.lock();
                if (process->clock().Monotonic() < request.start_by) {
                  Send(process, request, endpoint_id, handed_out);
                  return;
                }
                http::Result result;
                result.id = request.id;
                result.error = TransferError::kNotStarted;
                process->PutResult(std::move(result));
              });
}

void Receivers::Send(const std::shared_ptr<Process>& from, const http::Request& request,
                     EndpointId endpoint_id, absl::Time handed_out) {
  WireAttempt sent;
  sent.endpoint_id = endpoint_id;
  sent.event_id = EventId::Parse(HeaderOf(request, "webhook-id")).value_or(EventId{});
  sent.delivery_id =
      DeliveryId::Parse(HeaderOf(request, "postrider-delivery-id")).value_or(DeliveryId{});
  sent.number = static_cast<int>(NumberOf(HeaderOf(request, "postrider-attempt")));
  sent.signed_time = absl::FromUnixSeconds(NumberOf(HeaderOf(request, "webhook-timestamp")));
  sent.url = request.url.text();
  sent.node_no = from->node_no();
  sent.start = database_.Now();
  sent.handed_out = handed_out;
  sent.unplugged = !reachable_;
  Answer answer = AnswerOf(receivers_[endpoint_id]);
  sent.received = answer.received;
  sent.status = answer.status;
  if (!answer.result.headers.empty()) {
    sent.retry_after = absl::Seconds(NumberOf(answer.result.headers[0].second));
  }
  answer.result.id = request.id;
  const size_t index = journal_.wire.size();
  journal_.wire.push_back(std::move(sent));
  timeline_.After(answer.wait, [this, index, weak = std::weak_ptr<Process>(from),
                                result = std::move(answer.result)]() mutable {
    const std::shared_ptr<Process> process = weak.lock();
    if (process == nullptr || !process->alive()) return;
    WireAttempt& ended = journal_.wire[index];
    if (!reachable_ && !ended.unplugged) {
      ended.unplugged = true;
      result.error = TransferError::kConnection;
    }
    // A node that stands still knows it when it goes on.
    process->Later(absl::ZeroDuration(),
                   [this, index, good = result.error == TransferError::kNone] {
                     journal_.wire[index].end = database_.Now();
                     journal_.wire[index].answered = good;
                   });
    process->PutResult(result);
  });
}

}  // namespace postrider::simulation

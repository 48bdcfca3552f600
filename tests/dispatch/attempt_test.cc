#include "server/dispatch/attempt.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/dispatch/dispatcher_test_base.h"

namespace postrider::dispatch {
namespace {

using testing::ElementsAre;
using testing::Pair;

const absl::Time kStart = absl::FromUnixMillis(1772980200999);
const absl::Time kEnd = kStart + absl::Milliseconds(120);

WorkItem Item() {
  WorkItem item;
  item.id = DeliveryNo(10);
  item.event_id = EventNo(77);
  item.endpoint_id = EndpointNo(1);
  item.lease_token = 5;
  item.attempt_count = 2;
  item.failure_count = 1;
  item.body = std::make_shared<const std::string>("{\"id\":\"evt\"}\n ");
  return item;
}

http::Result ResultOf(int status) {
  http::Result result;
  result.status = status;
  return result;
}

FinishedAttempt Finish(http::Result result, std::shared_ptr<Target> target = TargetNo(1)) {
  return FinishAttempt(Item(), *target, {kStart, kEnd}, std::move(result), Blame::kEndpoint,
                       AttemptNo(3), 0);
}

TEST(RequestTest, HeadersAreExactlyTheseInThisOrder) {
  auto target = TargetNo(1);
  target->headers = {{"authorization", "Bearer x"}, {"x-team", "mail"}};
  const http::Request request = MakeRequest(9, Item(), *target, kStart, "v1,abc v1,def");
  EXPECT_THAT(
      request.headers,
      ElementsAre(
          Pair("authorization", "Bearer x"), Pair("x-team", "mail"),
          Pair("Content-Type", "application/json"), Pair("webhook-id", EventNo(77).ToText()),
          Pair("webhook-timestamp", "1772980200"), Pair("webhook-signature", "v1,abc v1,def"),
          Pair("postrider-delivery-id", DeliveryNo(10).ToText()), Pair("postrider-attempt", "3")));
}

TEST(RequestTest, TheBodyIsTheEventsOwnBytes) {
  const WorkItem item = Item();
  const http::Request request = MakeRequest(9, item, *TargetNo(1), kStart, "v1,abc");
  EXPECT_EQ(request.body, item.body);  // not even a copy
}

TEST(RequestTest, UrlAndTimeoutsAreTheEndpoints) {
  auto target = TargetNo(4);
  target->timeout = absl::Seconds(3);
  target->connect_timeout = absl::Seconds(2);
  const http::Request request = MakeRequest(9, Item(), *target, kStart, "v1,abc");
  EXPECT_EQ(request.id, 9u);
  EXPECT_EQ(request.url.text(), "https://example.com/4");
  EXPECT_EQ(request.timeout, absl::Seconds(3));
  EXPECT_EQ(request.connect_timeout, absl::Seconds(2));
}

TEST(RequestTest, TheFirstAttemptIsNumberOne) {
  WorkItem item = Item();
  item.attempt_count = 0;
  EXPECT_EQ(HeaderOf(MakeRequest(9, item, *TargetNo(1), kStart, "v1,abc"), "postrider-attempt"),
            "1");
}

TEST(FinishTest, EverythingThatIsKnownIsInTheRecord) {
  http::Result result = ResultOf(201);
  result.remote_address = "192.0.2.1:443";
  result.send_count = 1;
  result.headers = {{"Server", "x"}, {"Set-Cookie", "a"}, {"Set-Cookie", "b"}};
  result.body = "kept";
  result.body_truncated = true;
  result.duration = absl::Milliseconds(118);
  result.phases = {absl::Milliseconds(1), absl::Milliseconds(2), absl::Milliseconds(3),
                   absl::Milliseconds(4)};
  const Attempt attempt = Finish(std::move(result)).record.attempt;
  EXPECT_EQ(attempt.id, AttemptNo(3));
  EXPECT_EQ(attempt.number, 3);
  EXPECT_EQ(attempt.start_time, kStart);
  EXPECT_EQ(attempt.duration, absl::Milliseconds(118));
  EXPECT_EQ(attempt.outcome, AttemptOutcome::kSucceeded);
  EXPECT_EQ(attempt.http_status, 201);
  EXPECT_EQ(attempt.error, "");
  EXPECT_EQ(attempt.remote_address, "192.0.2.1:443");
  EXPECT_EQ(attempt.send_count, 1);
  EXPECT_THAT(attempt.response_headers,
              ElementsAre(Pair("Server", "x"), Pair("Set-Cookie", "a"), Pair("Set-Cookie", "b")));
  EXPECT_EQ(attempt.response_body, "kept");
  EXPECT_TRUE(attempt.response_body_truncated);
  EXPECT_EQ(attempt.phases.dns, absl::Milliseconds(1));
  EXPECT_EQ(attempt.phases.connect, absl::Milliseconds(2));
  EXPECT_EQ(attempt.phases.tls, absl::Milliseconds(3));
  EXPECT_EQ(attempt.phases.first_byte, absl::Milliseconds(4));
}

TEST(FinishTest, TransportErrorsAreOutcomesOfTheirOwn) {
  const std::pair<http::TransferError, AttemptOutcome> kTable[] = {
      {http::TransferError::kTimeout, AttemptOutcome::kTimeout},
      {http::TransferError::kConnection, AttemptOutcome::kConnection},
      {http::TransferError::kDns, AttemptOutcome::kDns},
      {http::TransferError::kTls, AttemptOutcome::kTls},
      {http::TransferError::kBlocked, AttemptOutcome::kBlocked},
  };
  for (const auto& [error, outcome] : kTable) {
    http::Result result;
    result.error = error;
    result.error_text = "what went wrong";
    const OutcomeRecord record = Finish(std::move(result)).record;
    EXPECT_EQ(record.attempt.outcome, outcome);
    EXPECT_EQ(record.attempt.error, "what went wrong");
    EXPECT_EQ(record.attempt.http_status, 0);
    EXPECT_EQ(record.state, DeliveryState::kPending);
    EXPECT_EQ(record.next_attempt_time, kEnd + absl::Minutes(2));
  }
}

TEST(FinishTest, AStatusBesideATransportErrorIsNoSuccess) {
  http::Result result = ResultOf(200);
  result.error = http::TransferError::kConnection;
  result.error_text = "the answer broke off";
  const OutcomeRecord record = Finish(std::move(result)).record;
  EXPECT_EQ(record.attempt.outcome, AttemptOutcome::kConnection);
  EXPECT_EQ(record.attempt.http_status, 200);
  EXPECT_EQ(record.state, DeliveryState::kPending);
}

TEST(FinishTest, ARefusingStatusHasAnErrorText) {
  EXPECT_EQ(Finish(ResultOf(503)).record.attempt.error, "the receiver answered 503");
  EXPECT_EQ(Finish(ResultOf(302)).record.attempt.error, "the receiver answered 302");
}

TEST(FinishTest, RetryAfterCountsWith429And503Alone) {
  for (int status : {302, 400, 404, 408, 410, 425, 429, 500, 502, 503, 504}) {
    http::Result result = ResultOf(status);
    result.headers = {{"Retry-After", "300"}};
    auto target = TargetNo(1);
    target->failure.disable_on_gone = false;
    const bool heeded = status == 429 || status == 503;
    EXPECT_EQ(Finish(std::move(result), target).record.next_attempt_time,
              kEnd + (heeded ? absl::Minutes(5) : absl::Minutes(2)))
        << status;
  }
}

TEST(FinishTest, RetryAfterIsReadWhateverTheCaseOfItsName) {
  for (const char* name : {"retry-after", "Retry-After", "RETRY-AFTER"}) {
    http::Result result = ResultOf(429);
    result.headers = {{"retry-afterx", "900"}, {name, "300"}};
    EXPECT_EQ(Finish(std::move(result)).record.next_attempt_time, kEnd + absl::Minutes(5)) << name;
  }
}

TEST(FinishTest, ARetryAfterDateCountsFromTheEndOfTheAttempt) {
  http::Result result = ResultOf(503);
  result.headers = {{"Retry-After", "Sun, 08 Mar 2026 14:40:00 GMT"}};  // 598.881 s after the end
  ASSERT_EQ(absl::FormatTime(absl::RFC3339_full, kEnd, absl::UTCTimeZone()),
            "2026-03-08T14:30:01.119+00:00");
  EXPECT_EQ(absl::FormatTime(absl::RFC3339_full, Finish(std::move(result)).record.next_attempt_time,
                             absl::UTCTimeZone()),
            "2026-03-08T14:40:00+00:00");
}

TEST(FinishTest, NonsenseInRetryAfterIsIgnored) {
  for (const char* value : {"-5", "soon", "", "1.5"}) {
    http::Result result = ResultOf(429);
    result.headers = {{"Retry-After", value}};
    EXPECT_EQ(Finish(std::move(result)).record.next_attempt_time, kEnd + absl::Minutes(2)) << value;
  }
}

TEST(FinishTest, TheLeaseTokenGoesAlong) {
  EXPECT_EQ(Finish(ResultOf(200)).record.lease_token, 5);
  EXPECT_EQ(Finish(ResultOf(500)).record.lease_token, 5);
}

}  // namespace
}  // namespace postrider::dispatch

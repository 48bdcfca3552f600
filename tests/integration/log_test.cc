// SEMANTICS, "The log".

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/support/engine_test.h"
#include "tests/support/expect.h"

namespace postrider::testing {
namespace {

class LogTest : public EngineTest {
 protected:
  // The only attempt of a new event at the only endpoint, which answers so.
  v1::Attempt AttemptAnsweredBy(const Answer& answer) {
    receiver_.AlwaysAnswer(answer);
    if (created().empty()) {
      v1::Endpoint endpoint = EndpointAt(receiver_.Url());
      endpoint.set_retries_disabled(true);
      Create(endpoint);
    }
    return OnlyAttempt(PublishEvent());
  }

  v1::Attempt OnlyAttempt(const std::string& event) {
    const std::string delivery = DeliveryOf(event).id();
    WaitForAttempts(delivery, 1);
    const std::vector<v1::Attempt> attempts = AttemptsOf(delivery);
    EXPECT_EQ(attempts.size(), 1u);
    return attempts.empty() ? v1::Attempt() : attempts[0];
  }
};

TEST_F(LogTest, AnAttemptNamesItselfAndWhatItBelongsTo) {
  const absl::Time before = absl::Now();
  const v1::Attempt attempt = AttemptAnsweredBy(Answer{});
  EXPECT_TRUE(absl::StartsWith(attempt.id(), "att_")) << attempt.id();
  EXPECT_EQ(attempt.id().size(), 30u);
  const v1::Delivery delivery = GetDelivery(attempt.delivery_id());
  EXPECT_TRUE(absl::StartsWith(delivery.id(), "dlv_")) << delivery.id();
  EXPECT_EQ(attempt.event_id(), delivery.event_id());
  EXPECT_EQ(attempt.endpoint_id(), created()[0]);
  EXPECT_EQ(attempt.number(), 1);
  EXPECT_EQ(attempt.origin(), v1::DELIVERY_ORIGIN_PUBLISH);
  EXPECT_EQ(attempt.outcome(), v1::ATTEMPT_OUTCOME_SUCCEEDED);
  EXPECT_EQ(attempt.http_status(), 200);
  EXPECT_EQ(attempt.error(), "");
  EXPECT_EQ(attempt.remote_address(), absl::StrCat("127.0.0.1:", receiver_.port()));
  EXPECT_EQ(attempt.send_count(), 1);
  EXPECT_GE(ToTime(attempt.start_time()), before - absl::Seconds(1));
  EXPECT_LE(ToTime(attempt.start_time()), absl::Now() + absl::Seconds(1));
}

TEST_F(LogTest, DurationAndPhasesAreMeasured) {
  const v1::Attempt first = AttemptAnsweredBy(Answer{.delay = absl::Milliseconds(200)});
  EXPECT_GE(ToDuration(first.duration()), absl::Milliseconds(199));
  EXPECT_LE(ToDuration(first.duration()), absl::Seconds(2));
  EXPECT_TRUE(first.phases().has_connect());
  EXPECT_FALSE(first.phases().has_tls());
  EXPECT_GE(ToDuration(first.phases().first_byte()), absl::Milliseconds(199));
  EXPECT_LE(ToDuration(first.phases().first_byte()), ToDuration(first.duration()));
  EXPECT_LT(ToDuration(first.phases().connect()), absl::Milliseconds(150));
  // On the same connection there is no connecting.
  const v1::Attempt second = AttemptAnsweredBy(Answer{});
  EXPECT_FALSE(second.phases().has_connect());
  EXPECT_TRUE(second.phases().has_first_byte());
}

TEST_F(LogTest, ResponseHeadersAreKeptInTheirOrder) {
  const v1::Attempt attempt = AttemptAnsweredBy(Answer{
      .headers = {
          {"X-Second", "2"}, {"x-first", "1"}, {"X-Second", "two"}, {"x-latin", "caf\xE9"}}});
  ASSERT_GE(attempt.response_headers_size(), 4);
  EXPECT_EQ(attempt.response_headers(0).name(), "X-Second");
  EXPECT_EQ(attempt.response_headers(0).value(), "2");
  EXPECT_EQ(attempt.response_headers(1).name(), "x-first");
  EXPECT_EQ(attempt.response_headers(2).name(), "X-Second");
  EXPECT_EQ(attempt.response_headers(2).value(), "two");
  EXPECT_EQ(attempt.response_headers(3).value(), "caf\xEF\xBF\xBD");  // Not UTF-8: replaced.
}

TEST_F(LogTest, TheResponseBodyIsKeptAsReceived) {
  const std::string body("\x00\xFF{\"ok\":true}\r\n", 15);
  const v1::Attempt attempt = AttemptAnsweredBy(Answer{.status = 400, .body = body});
  EXPECT_EQ(attempt.response_body(), body);
  EXPECT_FALSE(attempt.response_body_truncated());
}

TEST_F(LogTest, TheFirst4KiBOfTheResponseBodyAreKeptAndTheCutIsTold) {
  const std::string exact(4096, 'a');
  const v1::Attempt whole = AttemptAnsweredBy(Answer{.body = exact});
  EXPECT_EQ(whole.response_body(), exact);
  EXPECT_FALSE(whole.response_body_truncated());
  const v1::Attempt cut = AttemptAnsweredBy(Answer{.body = exact + "b"});
  EXPECT_EQ(cut.response_body(), exact);
  EXPECT_TRUE(cut.response_body_truncated());
  EXPECT_EQ(cut.outcome(), v1::ATTEMPT_OUTCOME_SUCCEEDED);
  const v1::Attempt large = AttemptAnsweredBy(Answer{.body = std::string(3000000, 'c')});
  EXPECT_EQ(large.response_body(), std::string(4096, 'c'));
  EXPECT_TRUE(large.response_body_truncated());
  EXPECT_EQ(large.outcome(), v1::ATTEMPT_OUTCOME_SUCCEEDED);
}

TEST_F(LogTest, AFailureHasAnErrorClassAndText) {
  const v1::Attempt attempt = AttemptAnsweredBy(Answer{.status = 503});
  EXPECT_EQ(attempt.outcome(), v1::ATTEMPT_OUTCOME_HTTP_STATUS);
  EXPECT_TRUE(absl::StrContains(attempt.error(), "503")) << attempt.error();
}

TEST_F(LogTest, AConnectionThatDiesUnderARequestIsSentOnceAndLoggedSo) {
  AttemptAnsweredBy(Answer{});  // Leaves a connection to be used again.
  const v1::Attempt attempt = AttemptAnsweredBy(Answer{.drop = true});
  EXPECT_EQ(attempt.outcome(), v1::ATTEMPT_OUTCOME_CONNECTION);
  EXPECT_EQ(attempt.send_count(), 1);
  EXPECT_TRUE(receiver_.StaysAt(2));
}

TEST_F(LogTest, EveryAttemptIsThere) {
  receiver_.AnswerInTurn({Answer{.status = 500}, Answer{.drop = true}, Answer{}});
  CreateAt(receiver_.Url());
  const std::string delivery = DeliveryOf(PublishEvent()).id();
  WaitForState(delivery, v1::DELIVERY_STATE_SUCCEEDED);
  const std::vector<v1::Attempt> attempts = AttemptsOf(delivery);
  ASSERT_EQ(attempts.size(), 3u);
  EXPECT_EQ(attempts[0].outcome(), v1::ATTEMPT_OUTCOME_HTTP_STATUS);
  EXPECT_EQ(attempts[1].outcome(), v1::ATTEMPT_OUTCOME_CONNECTION);
  EXPECT_EQ(attempts[2].outcome(), v1::ATTEMPT_OUTCOME_SUCCEEDED);
  EXPECT_LT(ToTime(attempts[0].start_time()), ToTime(attempts[1].start_time()));
  EXPECT_LT(ToTime(attempts[1].start_time()), ToTime(attempts[2].start_time()));
  EXPECT_EQ(GetDelivery(delivery).attempt_count(), 3);
}

TEST_F(LogTest, NoSecretIsInItsErrors) {
  v1::Endpoint endpoint =
      EndpointAt(absl::StrCat("http://127.0.0.1:", RefusingPort(), "/path?token=query-secret"));
  (*endpoint.mutable_headers())["authorization"] = "Bearer header-secret";
  endpoint.set_retries_disabled(true);
  const CreatedEndpoint created = Create(endpoint);
  const v1::Attempt attempt = OnlyAttempt(PublishEvent());
  for (const std::string& secret :
       {std::string("query-secret"), std::string("header-secret"), created.secret.substr(6)}) {
    EXPECT_FALSE(absl::StrContains(attempt.DebugString(), secret)) << secret;
    EXPECT_FALSE(absl::StrContains(server().Log(), secret)) << secret;
  }
}

class ListAttemptsTest : public LogTest {
 protected:
  void SetUp() override {
    receiver_.AnswerBy([](const ReceivedRequest& request) {
      return Answer{.status = request.target == "/bad" ? 500 : 200};
    });
    for (const char* path : {"/good", "/bad"}) {
      v1::Endpoint endpoint = EndpointAt(receiver_.Url(path));
      endpoint.set_retries_disabled(true);
      endpoint.set_disable_threshold(0);
      Create(endpoint);
    }
    // One after the other, so that the order of the attempts is known.
    for (int i = 0; i < 5; ++i) {
      PublishEvent();
      for (const std::string& id : created()) ASSERT_TRUE(WaitUntilIdle(id));
    }
  }

  std::vector<v1::Attempt> List(const v1::ListAttemptsRequest& request) {
    const Reply<v1::ListAttemptsResponse> reply = api().ListAttempts(request);
    EXPECT_TRUE(reply.ok()) << ToText(reply.status);
    return {reply->attempts().begin(), reply->attempts().end()};
  }
};

TEST_F(ListAttemptsTest, FiltersByEndpointOutcomeAndTime) {
  v1::ListAttemptsRequest request;
  request.set_endpoint_id(created()[1]);
  EXPECT_EQ(List(request).size(), 5u);
  request.set_outcome(v1::ATTEMPT_OUTCOME_HTTP_STATUS);
  const std::vector<v1::Attempt> failed = List(request);
  EXPECT_EQ(failed.size(), 5u);
  request.set_outcome(v1::ATTEMPT_OUTCOME_SUCCEEDED);
  EXPECT_TRUE(List(request).empty());
  request.clear_outcome();
  *request.mutable_start_time() = failed[1].start_time();  // The second newest.
  EXPECT_EQ(List(request).size(), 2u);
  request.clear_start_time();
  *request.mutable_end_time() = failed[1].start_time();
  EXPECT_EQ(List(request).size(), 3u);
}

TEST_F(ListAttemptsTest, IsNewestFirstAndPaged) {
  v1::ListAttemptsRequest request;
  request.set_endpoint_id(created()[0]);
  request.set_page_size(2);
  std::vector<v1::Attempt> all;
  int pages = 0;
  do {
    const Reply<v1::ListAttemptsResponse> page = api().ListAttempts(request);
    ASSERT_TRUE(page.ok()) << ToText(page.status);
    ASSERT_LE(page->attempts_size(), 2);
    all.insert(all.end(), page->attempts().begin(), page->attempts().end());
    request.set_page_token(page->next_page_token());
    ASSERT_LE(++pages, 5);
  } while (!request.page_token().empty());
  ASSERT_EQ(all.size(), 5u);
  for (size_t i = 1; i < all.size(); ++i) EXPECT_GT(all[i - 1].id(), all[i].id());
}

TEST_F(ListAttemptsTest, WithBothDeliveryAndEndpointAnAttemptMustFitBoth) {
  v1::ListAttemptsRequest request;
  request.set_delivery_id(DeliveriesTo(created()[0])[0].id());
  request.set_endpoint_id(created()[0]);
  EXPECT_EQ(List(request).size(), 1u);
  request.set_endpoint_id(created()[1]);
  EXPECT_TRUE(List(request).empty());
}

}  // namespace
}  // namespace postrider::testing

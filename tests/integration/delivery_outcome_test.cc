// SEMANTICS, "Delivery": every event reaches every endpoint, and what makes an attempt succeed or
// fail.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/support/engine_test.h"

namespace postrider::testing {
namespace {

class DeliveryOutcomeTest : public EngineTest {
 protected:
  // An endpoint that gets a single attempt.
  v1::Endpoint OneAttemptAt(const std::string& url) {
    v1::Endpoint endpoint = EndpointAt(url);
    endpoint.set_retries_disabled(true);
    return endpoint;
  }

  // The only attempt of a new event at the only endpoint of the org, and its delivery's end.
  v1::Attempt AttemptOf(v1::DeliveryState end, absl::Duration timeout = kPatience) {
    const v1::Delivery delivery = DeliveryOf(PublishEvent());
    const v1::Delivery ended = WaitForState(delivery.id(), end, timeout);
    EXPECT_EQ(ended.attempt_count(), 1);
    if (end == v1::DELIVERY_STATE_FAILED) {
      EXPECT_EQ(ended.state_reason(), v1::DELIVERY_STATE_REASON_EXHAUSTED);
    }
    const std::vector<v1::Attempt> attempts = AttemptsOf(delivery.id());
    EXPECT_EQ(attempts.size(), 1u);
    return attempts.empty() ? v1::Attempt() : attempts[0];
  }

  v1::Attempt FailureAt(const std::string& url) {
    const CreatedEndpoint endpoint = Create(OneAttemptAt(url));
    v1::Attempt attempt = AttemptOf(v1::DELIVERY_STATE_FAILED);
    Delete(endpoint.id());
    return attempt;
  }
};

TEST_F(DeliveryOutcomeTest, EveryAcceptedEventReachesEveryMatchingEndpoint) {
  constexpr int kEndpoints = 5;
  constexpr int kEvents = 60;
  // Every third request is refused at first.
  std::atomic<int> count{0};
  receiver_.AnswerBy([&count](const ReceivedRequest& request) {
    return Answer{.status = ++count % 3 == 0 && request.AttemptNumber() == 1 ? 500 : 200};
  });
  for (int i = 0; i < kEndpoints; ++i) {
    v1::Endpoint endpoint = EndpointAt(receiver_.Url(absl::StrCat("/", i)));
    endpoint.set_disable_threshold(0);
    Create(endpoint);
  }
  std::set<std::string> events;
  for (int i = 0; i < kEvents; ++i) events.insert(PublishEvent());
  for (const std::string& endpoint : created()) ASSERT_TRUE(WaitUntilIdle(endpoint));
  for (const std::string& event : events) {
    for (const v1::Delivery& delivery : DeliveriesOf(event)) {
      EXPECT_EQ(delivery.state(), v1::DELIVERY_STATE_SUCCEEDED);
    }
  }
  for (int i = 0; i < kEndpoints; ++i) {
    std::set<std::string> arrived;
    for (const ReceivedRequest& request : receiver_.RequestsTo(absl::StrCat("/", i))) {
      arrived.insert(request.WebhookId());
    }
    EXPECT_EQ(arrived, events);
  }
}

TEST_F(DeliveryOutcomeTest, DuplicatesCarryTheSameWebhookId) {
  receiver_.AnswerInTurn({Answer{.drop = true}, Answer{}});  // Received, but nobody knows.
  CreateAt(receiver_.Url());
  const std::string id = PublishEvent();
  const std::vector<ReceivedRequest> requests = receiver_.WaitForRequests(2);
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[0].WebhookId(), id);
  EXPECT_EQ(requests[1].WebhookId(), id);
}

TEST_F(DeliveryOutcomeTest, A2xxAnswerIsASuccess) {
  Create(OneAttemptAt(receiver_.Url()));
  for (const int status : {200, 201, 202, 204, 206, 299}) {
    receiver_.AlwaysAnswer(Answer{.status = status});
    const v1::Attempt attempt = AttemptOf(v1::DELIVERY_STATE_SUCCEEDED);
    EXPECT_EQ(attempt.outcome(), v1::ATTEMPT_OUTCOME_SUCCEEDED) << status;
    EXPECT_EQ(attempt.http_status(), status);
    EXPECT_EQ(attempt.error(), "");
  }
}

TEST_F(DeliveryOutcomeTest, EveryOtherStatusIsAFailure) {
  for (const int status : {300, 304, 400, 401, 404, 408, 418, 429, 500, 503, 599, 999}) {
    receiver_.AlwaysAnswer(Answer{.status = status});
    const v1::Attempt attempt = FailureAt(receiver_.Url());
    EXPECT_EQ(attempt.outcome(), v1::ATTEMPT_OUTCOME_HTTP_STATUS) << status;
    EXPECT_EQ(attempt.http_status(), status);
    EXPECT_NE(attempt.error(), "");
  }
}

TEST_F(DeliveryOutcomeTest, RedirectsAreNeverFollowed) {
  for (const int status : {301, 302, 303, 307, 308}) {
    receiver_.AlwaysAnswer(
        Answer{.status = status, .headers = {{"Location", receiver_.Url("/elsewhere")}}});
    const v1::Attempt attempt = FailureAt(receiver_.Url());
    EXPECT_EQ(attempt.outcome(), v1::ATTEMPT_OUTCOME_HTTP_STATUS) << status;
    EXPECT_EQ(attempt.http_status(), status);
  }
  EXPECT_TRUE(receiver_.StaysAt(5));
  EXPECT_TRUE(receiver_.RequestsTo("/elsewhere").empty());
}

TEST_F(DeliveryOutcomeTest, AnAnswerThatDoesNotComeInTimeIsATimeout) {
  receiver_.AlwaysAnswer(Answer{.hold = true});
  v1::Endpoint endpoint = OneAttemptAt(receiver_.Url());
  *endpoint.mutable_timeout() = ToProto(absl::Seconds(1));
  Create(endpoint);
  const v1::Attempt attempt = AttemptOf(v1::DELIVERY_STATE_FAILED);
  EXPECT_EQ(attempt.outcome(), v1::ATTEMPT_OUTCOME_TIMEOUT);
  EXPECT_EQ(attempt.http_status(), 0);
  EXPECT_GE(ToDuration(attempt.duration()), absl::Milliseconds(990));
  EXPECT_LE(ToDuration(attempt.duration()), absl::Milliseconds(1800));
}

TEST_F(DeliveryOutcomeTest, TheTimeoutCoversTheWholeAnswer) {
  receiver_.AlwaysAnswer(Answer{.raw = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc"});
  v1::Endpoint endpoint = OneAttemptAt(receiver_.Url());
  *endpoint.mutable_timeout() = ToProto(absl::Seconds(1));
  Create(endpoint);
  const v1::Attempt attempt = AttemptOf(v1::DELIVERY_STATE_FAILED);
  EXPECT_EQ(attempt.outcome(), v1::ATTEMPT_OUTCOME_TIMEOUT);
  EXPECT_EQ(attempt.http_status(), 200);
}

TEST_F(DeliveryOutcomeTest, ARefusedConnectionIsAFailure) {
  const v1::Attempt attempt = FailureAt(absl::StrCat("http://127.0.0.1:", RefusingPort(), "/"));
  EXPECT_EQ(attempt.outcome(), v1::ATTEMPT_OUTCOME_CONNECTION);
  EXPECT_EQ(attempt.send_count(), 0);
  EXPECT_NE(attempt.error(), "");
}

TEST_F(DeliveryOutcomeTest, ABrokenConnectionIsAFailure) {
  receiver_.AlwaysAnswer(Answer{.drop = true});
  EXPECT_EQ(FailureAt(receiver_.Url()).outcome(), v1::ATTEMPT_OUTCOME_CONNECTION);
  EXPECT_TRUE(receiver_.StaysAt(1));
}

TEST_F(DeliveryOutcomeTest, AConnectionThatBreaksWithinTheAnswerIsAFailure) {
  receiver_.AlwaysAnswer(
      Answer{.raw = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc", .close = true});
  const v1::Attempt attempt = FailureAt(receiver_.Url());
  EXPECT_EQ(attempt.outcome(), v1::ATTEMPT_OUTCOME_CONNECTION);
  EXPECT_EQ(attempt.http_status(), 200);
  EXPECT_TRUE(receiver_.StaysAt(1));
}

TEST_F(DeliveryOutcomeTest, AnAnswerThatIsNotHttpIsAFailure) {
  receiver_.AlwaysAnswer(Answer{.raw = "SSH-2.0-OpenSSH_9.2\r\n", .close = true});
  EXPECT_EQ(FailureAt(receiver_.Url()).outcome(), v1::ATTEMPT_OUTCOME_CONNECTION);
}

TEST_F(DeliveryOutcomeTest, AFailedTlsHandshakeIsAFailure) {
  // A TLS greeting is no HTTP: the receiver answers it with plain text.
  const std::string url = absl::StrCat("https://127.0.0.1:", receiver_.port(), "/");
  const CreatedEndpoint endpoint = Create(OneAttemptAt(url));
  EXPECT_EQ(AttemptOf(v1::DELIVERY_STATE_FAILED).outcome(), v1::ATTEMPT_OUTCOME_TLS);
}

TEST_F(DeliveryOutcomeTest, NothingMoreIsSentAfterASuccess) {
  CreateAt(receiver_.Url());
  PublishEvent();
  ASSERT_EQ(receiver_.WaitForRequests(1).size(), 1u);
  EXPECT_TRUE(receiver_.StaysAt(1, absl::Milliseconds(1500)));  // Longer than the first delay.
}

class DeliveryOutcomeOwnServerTest : public OwnServersTest {};

TEST_F(DeliveryOutcomeOwnServerTest, AHostNameThatDoesNotResolveIsAFailure) {
  // The C library's own settings, so that a name server that is out of reach is given up quickly.
  ServerProcess::Options options;
  options.database = database().conninfo();
  options.environment = {{"RES_OPTIONS", "timeout:1 attempts:1"}};
  ServerProcess* const server = StartServerWith(options);
  ASSERT_NE(server, nullptr);
  Caller caller(server->api());
  v1::Endpoint endpoint = caller.EndpointAt("http://no-such-host.invalid/hook");
  endpoint.set_retries_disabled(true);
  caller.Create(endpoint);
  const v1::Delivery delivery = caller.DeliveryOf(caller.PublishEvent());
  caller.WaitForState(delivery.id(), v1::DELIVERY_STATE_FAILED);
  const std::vector<v1::Attempt> attempts = caller.AttemptsOf(delivery.id());
  ASSERT_EQ(attempts.size(), 1u);
  EXPECT_EQ(attempts[0].outcome(), v1::ATTEMPT_OUTCOME_DNS);
  EXPECT_EQ(attempts[0].send_count(), 0);
  EXPECT_EQ(attempts[0].remote_address(), "");
}

TEST_F(DeliveryOutcomeOwnServerTest, ABlockedAddressIsAFailureAndNothingIsSent) {
  ServerProcess* const permissive = StartServer();
  ASSERT_NE(permissive, nullptr);
  Caller caller(permissive->api());
  v1::Endpoint endpoint = caller.EndpointAt(receiver_.Url());
  endpoint.set_retries_disabled(true);
  caller.Create(endpoint);
  EXPECT_EQ(permissive->Terminate(), 0);
  // The same endpoint, and a server that may not reach it.
  ServerProcess::Options options;
  options.database = database().conninfo();
  options.allow_loopback = false;
  ServerProcess* const strict = StartServerWith(options);
  ASSERT_NE(strict, nullptr);
  caller.Use(strict->api());
  const v1::Delivery delivery = caller.DeliveryOf(caller.PublishEvent());
  caller.WaitForState(delivery.id(), v1::DELIVERY_STATE_FAILED);
  const std::vector<v1::Attempt> attempts = caller.AttemptsOf(delivery.id());
  ASSERT_EQ(attempts.size(), 1u);
  EXPECT_EQ(attempts[0].outcome(), v1::ATTEMPT_OUTCOME_BLOCKED);
  EXPECT_EQ(attempts[0].remote_address(), "");
  EXPECT_EQ(attempts[0].send_count(), 0);
  EXPECT_TRUE(receiver_.StaysAt(0));
}

// A listener whose queue is full, so that a connection to it neither opens nor is refused.
class SilentListener {
 public:
  SilentListener() {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address_);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address_), size), 0);
    EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address_), &size), 0);
    EXPECT_EQ(::listen(listener_, 0), 0);
    for (int& fd : fillers_) {
      fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
      ::connect(fd, reinterpret_cast<sockaddr*>(&address_), size);
    }
  }
  ~SilentListener() {
    for (const int fd : fillers_) ::close(fd);
    ::close(listener_);
  }
  std::string Url() const {
    return absl::StrCat("http://127.0.0.1:", ntohs(address_.sin_port), "/");
  }

 private:
  int listener_ = -1;
  sockaddr_in address_{};
  int fillers_[4] = {};
};

TEST_F(DeliveryOutcomeTest, ByDefaultAnAttemptMayTake15SecondsAndConnecting5) {
  SilentListener silent;
  receiver_.AlwaysAnswer(Answer{.hold = true});
  const CreatedEndpoint slow = Create(OneAttemptAt(receiver_.Url()));
  const CreatedEndpoint unconnected = Create(OneAttemptAt(silent.Url()));
  PublishEvent();
  ASSERT_TRUE(WaitUntilIdle(slow.id(), absl::Seconds(30)));
  const std::vector<v1::Attempt> slow_attempts = AttemptsTo(slow.id());
  const std::vector<v1::Attempt> unconnected_attempts = AttemptsTo(unconnected.id());
  ASSERT_EQ(slow_attempts.size(), 1u);
  ASSERT_EQ(unconnected_attempts.size(), 1u);
  EXPECT_EQ(slow_attempts[0].outcome(), v1::ATTEMPT_OUTCOME_TIMEOUT);
  EXPECT_NEAR(absl::ToDoubleSeconds(ToDuration(slow_attempts[0].duration())), 15, 0.9);
  EXPECT_EQ(unconnected_attempts[0].outcome(), v1::ATTEMPT_OUTCOME_TIMEOUT);
  EXPECT_NEAR(absl::ToDoubleSeconds(ToDuration(unconnected_attempts[0].duration())), 5, 0.9);
  EXPECT_EQ(unconnected_attempts[0].send_count(), 0);
}

}  // namespace
}  // namespace postrider::testing

// What one caller may use: rates, endpoints, open deliveries, messages, metadata, streams, pings.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/integration/callers/http2_connection.h"
#include "tests/support/credentials.h"
#include "tests/support/engine_test.h"
#include "tests/support/expect.h"
#include "tests/support/health.h"
#include "tests/support/publish_stream_call.h"
#include "tests/support/wait.h"

namespace postrider::testing {
namespace {

using ::testing::HasSubstr;

class LimitsTest : public OwnServersTest {
 protected:
  v1::PublishRequest Event(const std::string& org) {
    v1::PublishRequest request;
    request.set_org_id(org);
    request.set_env_id("env_1");
    request.set_type("a.b");
    request.set_data_json("{}");
    return request;
  }
};

std::string ReasonOf(const grpc::Status& status) { return DetailsOf(status).info.reason(); }

TEST_F(LimitsTest, AKeyAboveItsRateIsToldWhenToComeBack) {
  ServerProcess* server = StartServer({"--key-rate-limit", "20"});
  ASSERT_NE(server, nullptr);
  const NewKey key = MakeKey(server->api(), "", KeyFor({v1::SCOPE_PUBLISH, v1::SCOPE_READ}));
  const NewKey other = MakeKey(server->api(), "", KeyFor({v1::SCOPE_READ}));
  // A batch counts as many as it holds: the bucket of one second is empty after it.
  v1::BatchPublishRequest batch;
  for (int i = 0; i < 20; ++i) *batch.add_requests() = Event("org_a");
  const auto publish = [&] {
    return CallAs<v1::BatchPublishRequest, v1::BatchPublishResponse>(
               server->api(), key.text, "postrider.v1.PublisherService/BatchPublish", batch)
        .status;
  };
  ASSERT_TRUE(publish().ok());
  const grpc::Status limited = publish();
  EXPECT_REFUSED(limited, grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(ReasonOf(limited), "RATE_LIMITED");
  const ErrorDetails details = DetailsOf(limited);
  ASSERT_TRUE(details.has_retry);
  EXPECT_GT(ToDuration(details.retry.retry_delay()), absl::ZeroDuration());
  EXPECT_LE(ToDuration(details.retry.retry_delay()), absl::Seconds(1));
  // Others are not held up, and local callers have no rate.
  EXPECT_TRUE(TryKey(server->api(), other.text).ok());
  EXPECT_TRUE(server->api().BatchPublish(batch).ok());
  EXPECT_TRUE(server->api().BatchPublish(batch).ok());
  // The wait that was named is enough for another call.
  EXPECT_TRUE(WaitUntil([&] { return TryKey(server->api(), key.text).ok(); }, absl::Seconds(3)));
}

TEST_F(LimitsTest, AnEnvironmentHasAsManyEndpointsAsItMay) {
  ServerProcess* server = StartServer({"--max-endpoints-per-env", "2"});
  ASSERT_NE(server, nullptr);
  v1::CreateEndpointRequest create;
  create.mutable_endpoint()->set_org_id("org_a");
  create.mutable_endpoint()->set_env_id("env_1");
  create.mutable_endpoint()->set_url(receiver_.Url());
  const std::string first = server->api().CreateEndpoint(create)->endpoint().id();
  EXPECT_TRUE(server->api().CreateEndpoint(create).ok());
  EXPECT_REFUSED(server->api().CreateEndpoint(create).status, grpc::StatusCode::RESOURCE_EXHAUSTED);
  v1::CreateEndpointRequest elsewhere = create;
  elsewhere.mutable_endpoint()->set_env_id("env_2");
  EXPECT_TRUE(server->api().CreateEndpoint(elsewhere).ok());
  v1::DeleteEndpointRequest erase;
  erase.set_endpoint_id(first);
  EXPECT_TRUE(server->api().DeleteEndpoint(erase).ok());
  EXPECT_TRUE(server->api().CreateEndpoint(create).ok());
}

TEST_F(LimitsTest, AnOrgWithTooMuchOpenPublishesNoMoreUntilThereIsRoom) {
  ServerProcess* server = StartServer({"--max-open-deliveries-per-org", "3"});
  ASSERT_NE(server, nullptr);
  Caller caller(server->api(), "org_a");
  const std::string endpoint = caller.CreateAt(receiver_.Url()).id();
  caller.Disable(endpoint);
  caller.Enable(endpoint);
  // Held without an answer, so they stay open.
  receiver_.AlwaysAnswer(Answer{.status = 500});
  std::vector<std::string> events;
  for (int i = 0; i < 3; ++i) events.push_back(caller.PublishEvent());
  grpc::Status full;
  ASSERT_TRUE(WaitUntil([&] {
    full = server->api().Publish(Event("org_a")).status;
    return !full.ok();
  }));
  EXPECT_REFUSED(full, grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(ReasonOf(full), "TOO_MANY_OPEN_DELIVERIES");
  EXPECT_TRUE(DetailsOf(full).has_retry);
  v1::BatchPublishRequest batch;
  *batch.add_requests() = Event("org_a");
  EXPECT_REFUSED(server->api().BatchPublish(batch).status, grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(server->api().Publish(Event("org_b")).ok()) << "nobody else is held up";
  for (const v1::Delivery& delivery : caller.DeliveriesTo(endpoint, v1::DELIVERY_STATE_PENDING)) {
    caller.Cancel(delivery.id());
  }
  EXPECT_TRUE(WaitUntil([&] { return server->api().Publish(Event("org_a")).ok(); }));
}

TEST_F(LimitsTest, AClientThatPingsAllTheTimeLosesItsConnection) {
  ServerProcess* server = StartServer();
  ASSERT_NE(server, nullptr);
  Http2Connection connection(server->grpc_address());
  for (int i = 0; i < 10; ++i) connection.Ping();
  // GOAWAY with ENHANCE_YOUR_CALM.
  EXPECT_THAT(connection.ReadToEnd(), HasSubstr("too_many_pings"));
  EXPECT_TRUE(TryKey(server->api(), "").ok());
}

TEST_F(LimitsTest, AClientThatOpensMoreStreamsThanItMayLosesItsConnection) {
  ServerProcess* server = StartServer();
  ASSERT_NE(server, nullptr);
  Http2Connection connection(server->grpc_address());
  connection.TakeSettings();
  // gRPC's own clients wait; this one goes on beyond 1024.
  for (int stream = 1;
       stream < 2 * 1100 &&
       connection.OpenStream(stream, "/postrider.v1.PublisherService/StreamPublish");
       stream += 2) {
  }
  EXPECT_TRUE(connection.IsClosed());
  EXPECT_TRUE(TryKey(server->api(), "").ok());
}

// A number in /proc/PID/status.
int64_t StatusOf(pid_t pid, const std::string& name) {
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  for (std::string word; status >> word;) {
    int64_t number = 0;
    if (word == name && status >> number) return number;
  }
  return 0;
}

int64_t ThreadsOf(pid_t pid) { return StatusOf(pid, "Threads:"); }

TEST_F(LimitsTest, StreamsOfReflectionTakeNoThreadsWithoutEnd) {
  ServerProcess* server = StartServer({"--require-auth"});
  ASSERT_NE(server, nullptr);
  ASSERT_TRUE(ReflectedServices(server->api()).ok());
  const int64_t before = ThreadsOf(server->program().pid());
  {
    Http2Connection connection(server->grpc_address());
    for (int i = 0; i < 300; ++i) {
      ASSERT_TRUE(connection.OpenStream(
          2 * i + 1, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"));
    }
    int64_t most = 0;
    EXPECT_FALSE(WaitUntil(
        [&] {
          most = std::max(most, ThreadsOf(server->program().pid()));
          return most > before + 12;
        },
        absl::Seconds(2)));
    EXPECT_GT(most, before) << "the streams were not taken at all";
    EXPECT_EQ(TryKey(server->api(), "").error_code(), grpc::StatusCode::UNAUTHENTICATED);
  }
  EXPECT_TRUE(WaitUntil([&] { return ReflectedServices(server->api()).ok(); }));
}

TEST_F(LimitsTest, MetadataOverTheLimitIsRefusedAndTheServerGoesOn) {
  ServerProcess* server = StartServer();
  ASSERT_NE(server, nullptr);
  const auto list = [server](size_t bytes) {
    return server->api()
        .CallRaw("postrider.v1.EndpointService/ListEndpoints", "",
                 {{"x-large", std::string(bytes, 'x')}})
        .status;
  };
  EXPECT_TRUE(list(10000).ok());
  for (const size_t bytes : {17000, 100000, 1000000}) {
    EXPECT_EQ(list(bytes).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << bytes;
    // The connection may be over too; the next one is as good.
    EXPECT_TRUE(WaitUntil([&] { return list(100).ok(); }));
  }
}

class MessageSizeTest : public LimitsTest {
 protected:
  static constexpr size_t kMaxMessageBytes = size_t{16} << 20;

  // A Publish whose message has this many bytes.
  std::string EventOf(size_t message_bytes) {
    v1::PublishRequest request = Event("org_a");
    std::string data = "{\"x\":\"\"}";
    data.insert(data.size() - 2, message_bytes - 100, 'x');
    request.set_data_json(data);
    const size_t bytes = request.ByteSizeLong();
    request.mutable_data_json()->insert(data.size() - 2, message_bytes - bytes, 'x');
    EXPECT_EQ(request.ByteSizeLong(), message_bytes);
    return request.SerializeAsString();
  }
};

TEST_F(MessageSizeTest, AMessageOverTheLimitIsRefusedAndTheServerGoesOn) {
  ServerProcess* server = StartServer();
  ASSERT_NE(server, nullptr);
  const auto publish = [&](const std::string& message) {
    return server->api().CallRaw("postrider.v1.PublisherService/Publish", message).status;
  };
  for (const size_t bytes : {kMaxMessageBytes + 1, 2 * kMaxMessageBytes, 4 * kMaxMessageBytes}) {
    const grpc::Status over = publish(EventOf(bytes));
    EXPECT_EQ(over.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << ToText(over);
    EXPECT_THAT(over.error_message(), HasSubstr("larger than max"));
    EXPECT_THAT(over.error_message(), HasSubstr(std::to_string(kMaxMessageBytes)));
  }
  // The largest that there may be is for our own checks.
  const grpc::Status within = publish(EventOf(kMaxMessageBytes));
  EXPECT_BAD_FIELDS(within, "data_json");
  EXPECT_THAT(DescriptionOf(within, "data_json"), HasSubstr("262144"));
  EXPECT_TRUE(server->api().Publish(Event("org_a")).ok());
  EXPECT_EQ(database().Value("SELECT count(*) FROM events"), "1");
}

TEST_F(MessageSizeTest, ABatchOfMillionsIsRefusedWithoutTheMemoryOfMillions) {
  ServerProcess* server = StartServer();
  ASSERT_NE(server, nullptr);
  const auto peak = [server] { return StatusOf(server->program().pid(), "VmHWM:") << 10; };
  // Entries of the field `requests` without a byte in them, which parsed would take 0.8 GB.
  constexpr size_t kEntries = kMaxMessageBytes / 2;
  std::string message;
  for (size_t i = 0; i < kEntries; ++i) message.append("\x0a\x00", 2);
  const int64_t before = peak();
  ASSERT_GT(before, 0);
  const grpc::Status over =
      server->api().CallRaw("postrider.v1.PublisherService/BatchPublish", message).status;
  EXPECT_BAD_FIELDS(over, "requests");
  EXPECT_THAT(DescriptionOf(over, "requests"), HasSubstr(absl::StrCat("not ", kEntries)));
  EXPECT_LT(peak() - before, int64_t{100} << 20);
}

TEST_F(MessageSizeTest, ACallThatPublishesNothingTakesNoMoreThanItCanNeed) {
  ServerProcess* server = StartServer();
  ASSERT_NE(server, nullptr);
  // Types without a letter in them: parsed, 16 MiB of them would take half a gigabyte.
  std::string message;
  while (message.size() < size_t{1} << 20) message.append("\x2a\x00", 2);
  const auto list = [&] {
    return server->api().CallRaw("postrider.v1.EventService/ListEvents", message).status;
  };
  EXPECT_BAD_FIELDS(list(), "types");
  message.append("\x2a\x00", 2);
  const grpc::Status over = list();
  EXPECT_REFUSED(over, grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(over.error_message(), HasSubstr("1048576"));
}

TEST_F(MessageSizeTest, AMessageOverTheLimitEndsItsStreamAfterWhatWasSaidBefore) {
  ServerProcess* server = StartServer();
  ASSERT_NE(server, nullptr);
  PublishStreamCall stream(server->grpc_address());
  ASSERT_TRUE(stream.Send(1, Event("org_a")));
  ASSERT_TRUE(stream.Read().has_value());
  stream.SendBytes(std::string(kMaxMessageBytes + 1, 'x'));
  EXPECT_FALSE(stream.Read().has_value());
  EXPECT_EQ(stream.Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(server->api().Publish(Event("org_a")).ok());
}

}  // namespace
}  // namespace postrider::testing

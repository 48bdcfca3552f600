// The gate, and the streams that pass it, in front of a server in this process.

#include <gmock/gmock.h>
#include <grpcpp/channel.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "postrider/v1/publisher_service.grpc.pb.h"
#include "tests/rpc/served_publisher.h"
#include "tests/support/expect.h"
#include "tests/support/wait.h"

namespace postrider::rpc {
namespace {

using postrider::testing::DetailsOf;
using postrider::testing::kPatience;
using postrider::testing::ToDuration;
using postrider::testing::WaitUntil;

v1::PublishRequest Event() {
  v1::PublishRequest request;
  request.set_org_id("org_a");
  request.set_env_id("env_1");
  request.set_type("a.b");
  request.set_data_json("{}");
  return request;
}

// A connection of its own.
class Connection {
 public:
  explicit Connection(const std::string& address) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    stub_ = v1::PublisherService::NewStub(
        grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments));
  }
  v1::PublisherService::Stub& stub() { return *stub_; }

 private:
  std::unique_ptr<v1::PublisherService::Stub> stub_;
};

// One Publish that has begun.
class Call {
 public:
  // An empty key is no credential.
  explicit Call(Connection& connection, const std::string& key = "",
                std::optional<absl::Duration> deadline = std::nullopt)
      : request_(Event()) {
    if (!key.empty()) context_.AddMetadata("authorization", "Bearer " + key);
    if (deadline) context_.set_deadline(absl::ToChronoTime(absl::Now() + *deadline));
    connection.stub().async()->Publish(&context_, &request_, &response_,
                                       [this](const grpc::Status& status) {
                                         status_ = status;
                                         done_.Notify();
                                       });
  }
  ~Call() {
    context_.TryCancel();
    done_.WaitForNotification();
  }

  bool done() const { return done_.HasBeenNotified(); }
  grpc::Status Wait() {
    EXPECT_TRUE(done_.WaitForNotificationWithTimeout(kPatience));
    return done() ? status_ : grpc::Status(grpc::StatusCode::UNKNOWN, "no answer");
  }

 private:
  const v1::PublishRequest request_;
  grpc::ClientContext context_;
  v1::PublishResponse response_;
  grpc::Status status_;
  absl::Notification done_;
};

using Calls = std::vector<std::unique_ptr<Call>>;

Calls Begin(int count, Connection& connection, const std::string& key = "") {
  Calls calls;
  for (int i = 0; i < count; ++i) calls.push_back(std::make_unique<Call>(connection, key));
  return calls;
}

// A StreamPublish that has begun.
class Stream {
 public:
  explicit Stream(Connection& connection, const std::string& key = "") {
    if (!key.empty()) context_.AddMetadata("authorization", "Bearer " + key);
    // Longer than the server lets anybody wait.
    context_.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(90)));
    stream_ = connection.stub().StreamPublish(&context_);
  }
  ~Stream() { context_.TryCancel(); }

  bool Send() {
    v1::StreamPublishRequest item;
    *item.mutable_request() = Event();
    return stream_->Write(item);
  }
  // What is said of the next item; that of the stream when it is over.
  grpc::Status Read() {
    v1::StreamPublishResponse answer;
    if (!stream_->Read(&answer)) return stream_->Finish();
    if (answer.has_response()) return grpc::Status::OK;
    return grpc::Status(static_cast<grpc::StatusCode>(answer.status().code()),
                        answer.status().message(), answer.status().SerializeAsString());
  }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::StreamPublishRequest, v1::StreamPublishResponse>>
      stream_;
};

void ExpectOverloaded(const grpc::Status& status) {
  EXPECT_REFUSED(status, grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(DetailsOf(status).info.reason(), "OVERLOADED");
  ASSERT_TRUE(DetailsOf(status).has_retry);
  EXPECT_EQ(ToDuration(DetailsOf(status).retry.retry_delay()), absl::Seconds(1));
}

GateOptions Open(int calls_in_flight = 20000) {
  return {.trust = LocalTrust::kEverybody, .calls_in_flight = calls_in_flight};
}

TEST(GateTest, ACallBeyondThoseThatMayBeInFlightIsToldToComeBack) {
  ServedPublisher server(Open(3), {});
  Connection one(server.address());
  Connection other(server.address());
  Calls calls = Begin(3, one);
  ASSERT_TRUE(WaitUntil([&] { return server.waiting() == 3; }));
  ExpectOverloaded(Call(one).Wait());
  ExpectOverloaded(Call(other).Wait());
  ExpectOverloaded(Stream(other).Read());
  EXPECT_EQ(server.waiting(), 3u);
  // An answer makes room for one.
  server.Accept(1);
  EXPECT_TRUE(WaitUntil([&] { return calls[0]->done() || calls[1]->done() || calls[2]->done(); }));
  Calls next = Begin(1, other);
  ASSERT_TRUE(WaitUntil([&] { return server.waiting() == 3; }));
  ExpectOverloaded(Call(one).Wait());
  server.Accept(3);
  EXPECT_TRUE(next[0]->Wait().ok());
  for (const auto& call : calls) EXPECT_TRUE(call->Wait().ok());
}

TEST(GateTest, CallsOfOneKeyTakeNobodyElsesPlace) {
  ServedPublisher server({}, {.calls_in_flight = 2});
  const std::string busy = server.AddKey();
  const std::string other = server.AddKey();
  Connection connection(server.address());
  const Calls calls = Begin(2, connection, busy);
  ASSERT_TRUE(WaitUntil([&] { return server.waiting() == 2; }));
  ExpectOverloaded(Call(connection, busy).Wait());
  Call free(connection, other);
  ASSERT_TRUE(WaitUntil([&] { return server.waiting() == 3; }));
  server.Accept(3);
  EXPECT_TRUE(free.Wait().ok());
}

TEST(GateTest, AnOpenStreamIsACallInFlight) {
  ServedPublisher server(Open(1), {});
  Connection connection(server.address());
  auto stream = std::make_unique<Stream>(connection);
  ASSERT_TRUE(stream->Send());
  ASSERT_TRUE(WaitUntil([&] { return server.waiting() == 1; }));
  ExpectOverloaded(Call(connection).Wait());
  server.Accept(1);
  EXPECT_TRUE(stream->Read().ok());
  ExpectOverloaded(Call(connection).Wait());
  stream.reset();
  EXPECT_TRUE(WaitUntil([&] {
    const Call next(connection);
    EXPECT_TRUE(WaitUntil([&] { return next.done() || server.waiting() == 1; }));
    return server.waiting() == 1;
  }));
}

TEST(GateTest, NobodyWaitsLongerThanAMinuteWhateverTheirDeadline) {
  ServedPublisher server(Open(), {});
  Connection connection(server.address());
  const absl::Duration kMinute = absl::Seconds(60);
  const auto left = [&](std::optional<absl::Duration> deadline) {
    const Instant before = MonotonicNow();
    Call call(connection, "", deadline);
    EXPECT_TRUE(WaitUntil([&] { return server.waiting() == 1; }));
    const Instant after = MonotonicNow();
    const Instant at = server.deadlines()[0];
    server.Accept(1);
    EXPECT_TRUE(call.Wait().ok());
    // Between what was left when it came and when it was asked for.
    return std::pair(at - after, at - before);
  };
  for (const std::optional<absl::Duration> longer :
       {std::optional<absl::Duration>(), std::optional(absl::Hours(1)),
        std::optional(absl::Hours(24 * 365 * 100))}) {
    const auto [least, most] = left(longer);
    EXPECT_LE(least, kMinute);
    EXPECT_GE(most, kMinute);
  }
  const auto [least, most] = left(absl::Seconds(9));
  // gRPC rounds what it tells the server up.
  EXPECT_LE(least, absl::Seconds(10));
  EXPECT_GE(most, absl::Seconds(8));

  Stream stream(connection);
  const Instant before = MonotonicNow();
  ASSERT_TRUE(stream.Send());
  ASSERT_TRUE(WaitUntil([&] { return server.waiting() == 1; }));
  EXPECT_GE(server.deadlines()[0], before + kMinute);
  EXPECT_LE(server.deadlines()[0], MonotonicNow() + kMinute);
}

TEST(GateTest, AConnectionHasAsManyCallsAsItMayAndOthersGoOn) {
  constexpr size_t kStreams = 1024;
  constexpr size_t kMore = 6;
  ServedPublisher server(Open(), {});
  Connection full(server.address());
  Connection other(server.address());
  Calls calls = Begin(kStreams + kMore, full);
  ASSERT_TRUE(WaitUntil([&] { return server.waiting() == kStreams; }));
  Call passes(other);
  ASSERT_TRUE(WaitUntil([&] { return server.waiting() == kStreams + 1; }));
  // What came over the other connection came later: the rest of the first one is held up.
  EXPECT_FALSE(WaitUntil([&] { return server.waiting() > kStreams + 1; }, testing::kQuiet));
  server.Accept(kMore);
  EXPECT_TRUE(WaitUntil([&] { return server.waiting() == kStreams + 1; }));
  server.Accept(kStreams + 1);
  for (const auto& call : calls) EXPECT_TRUE(call->Wait().ok());
  EXPECT_TRUE(passes.Wait().ok());
}

TEST(PublishStreamTest, AnItemIsHandedOverWhenTheOneBeforeItWas) {
  ServedPublisher server(Open(), access::KeyLimits());
  Connection connection(server.address());
  Stream stream(connection);
  ASSERT_TRUE(stream.Send());
  ASSERT_TRUE(WaitUntil([&] { return server.waiting() == 1; }));
  server.HoldNext();
  ASSERT_TRUE(stream.Send());
  ASSERT_TRUE(WaitUntil([&] { return server.holding(); }));
  // While the second one is being handed over the first one's answer goes out, and the third comes.
  server.Accept(1);
  EXPECT_TRUE(stream.Read().ok());
  ASSERT_TRUE(stream.Send());
  EXPECT_FALSE(WaitUntil([&] { return server.waiting() > 0; }, absl::Milliseconds(300)));
  server.Release();
  EXPECT_TRUE(WaitUntil([&] { return server.waiting() == 2; }));
}

TEST(GateTest, AnItemOfAKeyThatEndedIsRefusedAndEndsTheStream) {
  ServedPublisher server({}, {});
  const std::string key = server.AddKey();
  Connection connection(server.address());
  Stream stream(connection, key);
  ASSERT_TRUE(stream.Send());
  ASSERT_TRUE(WaitUntil([&] { return server.waiting() == 1; }));
  server.Accept(1);
  ASSERT_TRUE(stream.Read().ok());
  server.Revoke(key);
  ASSERT_TRUE(stream.Send());
  EXPECT_REFUSED(stream.Read(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_REFUSED(stream.Read(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(server.waiting(), 0u);
}

TEST(GateTest, AStreamOfAKeyThatEndedEndsWithoutAWordFromItsCaller) {
  ServedPublisher server({}, {});
  const std::string key = server.AddKey();
  Connection connection(server.address());
  Stream ending(connection, key);
  Stream staying(connection, server.AddKey());
  for (Stream* stream : {&ending, &staying}) {
    ASSERT_TRUE(stream->Send());
    ASSERT_TRUE(WaitUntil([&] { return server.waiting() == 1; }));
    server.Accept(1);
    ASSERT_TRUE(stream->Read().ok());
  }
  server.Revoke(key);
  server.streams().EndThoseOfEndedKeys();
  EXPECT_REFUSED(ending.Read(), grpc::StatusCode::UNAUTHENTICATED);
  ASSERT_TRUE(staying.Send());
  ASSERT_TRUE(WaitUntil([&] { return server.waiting() == 1; }));
  server.Accept(1);
  EXPECT_TRUE(staying.Read().ok());
}

TEST(GateTest, WhileKeysCannotBeReadNoItemOfAStreamIsTaken) {
  ServedPublisher server({}, {});
  Connection connection(server.address());
  Stream stream(connection, server.AddKey());
  const Instant read = MonotonicNow();  // Nobody reads them again.
  grpc::Status status;
  while (status.ok() && MonotonicNow() - read < absl::Seconds(10)) {
    ASSERT_TRUE(stream.Send());
    ASSERT_TRUE(WaitUntil([&] {
      return server.waiting() == 1 ||
             MonotonicNow() - read > access::KeyDirectory::kMaxAge + absl::Milliseconds(100);
    }));
    server.Accept(server.waiting());
    status = stream.Read();
  }
  EXPECT_REFUSED(status, grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(DetailsOf(status).has_retry);
  EXPECT_GE(MonotonicNow() - read, access::KeyDirectory::kMaxAge - absl::Milliseconds(100));
}

}  // namespace
}  // namespace postrider::rpc

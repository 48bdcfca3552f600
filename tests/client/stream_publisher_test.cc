#include "client/stream_publisher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "client/status_details.h"
#include "tests/client/fake_server.h"

namespace postrider::client {
namespace {

using grpc::StatusCode;
using postrider::testing::FakeServer;
using postrider::testing::RefusedFor;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::SizeIs;

v1::PublishRequest Event(const std::string& type = "message.received") {
  v1::PublishRequest request;
  request.set_type(type);
  request.set_data_json("{}");
  return request;
}

// What became of events, by type.
class Outcomes {
 public:
  StreamPublisher::Done For(const std::string& type) {
    return [this, type](absl::StatusOr<v1::PublishResponse> result) {
      absl::MutexLock lock(&mutex_);
      ++counts_[type];
      statuses_[type] = result.status();
    };
  }
  absl::Status Of(const std::string& type) const {
    absl::MutexLock lock(&mutex_);
    const auto it = statuses_.find(type);
    return it == statuses_.end() ? absl::NotFoundError("not called yet") : it->second;
  }
  // Events whose callback was called once.
  size_t count() const {
    absl::MutexLock lock(&mutex_);
    size_t once = 0;
    for (const auto& [type, count] : counts_) once += count == 1;
    return once;
  }

 private:
  mutable absl::Mutex mutex_;
  std::map<std::string, int> counts_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, absl::Status> statuses_ ABSL_GUARDED_BY(mutex_);
};

class StreamPublisherTest : public ::testing::Test {
 protected:
  static StreamOptions Quick() {
    StreamOptions options;
    options.retry.first_wait = absl::Milliseconds(1);
    options.retry.max_wait = absl::Milliseconds(5);
    return options;
  }

  StreamPublisher MakePublisher(const StreamOptions& options = Quick()) {
    return *StreamPublisher::Create({.address = server_.address()}, options);
  }

  void PublishAndFlush(StreamPublisher& publisher, int events) {
    for (int i = 0; i < events; ++i) {
      const std::string type = absl::StrCat("type_", i);
      publisher.Publish(Event(type), outcomes_.For(type));
    }
    publisher.Flush();
  }

  // Types by key, as the server got them; a key stands for one type alone.
  std::map<std::string, std::string> TypesByKey() {
    std::map<std::string, std::string> types;
    for (const v1::PublishRequest& request : server_.published()) {
      const auto [it, is_new] = types.emplace(request.idempotency_key(), request.type());
      EXPECT_EQ(it->second, request.type());
    }
    return types;
  }

  FakeServer server_;
  Outcomes outcomes_;
};

TEST_F(StreamPublisherTest, SendsEverythingOverOneStreamWithAKeyEach) {
  StreamPublisher publisher = MakePublisher();
  PublishAndFlush(publisher, 500);
  EXPECT_EQ(outcomes_.count(), 500u);
  EXPECT_THAT(server_.published(), SizeIs(500));
  EXPECT_THAT(TypesByKey(), SizeIs(500));
  EXPECT_THAT(server_.published()[0].idempotency_key(), MatchesRegex("auto_[0-9a-f]+"));
  EXPECT_EQ(server_.streams(), 1);
}

TEST_F(StreamPublisherTest, KeepsAGivenKeyAndMakesNoneForADryRun) {
  StreamPublisher publisher = MakePublisher();
  v1::PublishRequest with_key = Event();
  with_key.set_idempotency_key("order-1");
  publisher.Publish(with_key, outcomes_.For("a"));
  publisher.Flush();
  v1::PublishRequest dry = Event();
  dry.set_validate_only(true);
  publisher.Publish(dry, outcomes_.For("b"));
  publisher.Flush();
  EXPECT_EQ(server_.published()[0].idempotency_key(), "order-1");
  EXPECT_EQ(server_.published()[1].idempotency_key(), "");
}

TEST_F(StreamPublisherTest, ABadItemGetsItsErrorAndTheOthersGoOn) {
  server_.FailPublishes({RefusedFor(StatusCode::INVALID_ARGUMENT, "no", "INVALID_REQUEST")});
  StreamPublisher publisher = MakePublisher();
  PublishAndFlush(publisher, 3);
  EXPECT_EQ(outcomes_.Of("type_0").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ErrorReason(outcomes_.Of("type_0")), "INVALID_REQUEST");
  EXPECT_TRUE(outcomes_.Of("type_1").ok());
  EXPECT_TRUE(outcomes_.Of("type_2").ok());
  EXPECT_EQ(server_.streams(), 1);
}

TEST_F(StreamPublisherTest, AnOverloadIsTriedAgainUnderTheSameKey) {
  const grpc::Status overloaded = RefusedFor(StatusCode::RESOURCE_EXHAUSTED, "slow", "OVERLOADED");
  server_.FailPublishes({overloaded, overloaded, overloaded});
  StreamPublisher publisher = MakePublisher();
  PublishAndFlush(publisher, 2);
  EXPECT_TRUE(outcomes_.Of("type_0").ok());
  EXPECT_TRUE(outcomes_.Of("type_1").ok());
  EXPECT_THAT(server_.published(), SizeIs(5));
  EXPECT_THAT(TypesByKey(), SizeIs(2));
}

TEST_F(StreamPublisherTest, AfterTheLastTryTheLastErrorIsReturned) {
  const grpc::Status overloaded = RefusedFor(StatusCode::RESOURCE_EXHAUSTED, "slow", "OVERLOADED");
  server_.FailPublishes({overloaded, overloaded, overloaded});
  StreamOptions options = Quick();
  options.retry.max_tries = 3;
  StreamPublisher publisher = MakePublisher(options);
  PublishAndFlush(publisher, 1);
  EXPECT_EQ(outcomes_.Of("type_0").code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(server_.published(), SizeIs(3));
}

TEST_F(StreamPublisherTest, WhatALostStreamLeftUnansweredIsSentAgainOnTheNextOne) {
  const grpc::Status gone(StatusCode::UNAVAILABLE, "gone");
  server_.EndStreams(40, {gone, gone, grpc::Status::OK});
  StreamPublisher publisher = MakePublisher();
  PublishAndFlush(publisher, 200);
  EXPECT_EQ(outcomes_.count(), 200u);
  for (int i = 0; i < 200; ++i) {
    EXPECT_TRUE(outcomes_.Of(absl::StrCat("type_", i)).ok()) << i;
  }
  EXPECT_THAT(TypesByKey(), SizeIs(200));
  EXPECT_EQ(server_.streams(), 4);
}

TEST_F(StreamPublisherTest, AnEndThatWouldComeAgainFailsEverything) {
  server_.EndStreams(1, {grpc::Status(StatusCode::PERMISSION_DENIED, "not yours")});
  StreamOptions options = Quick();
  options.max_unanswered = 3;
  StreamPublisher publisher = MakePublisher(options);
  PublishAndFlush(publisher, 3);
  EXPECT_EQ(outcomes_.Of("type_0").code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(outcomes_.count(), 3u);
}

TEST_F(StreamPublisherTest, AnAnswerThatDoesNotComeEndsTheTry) {
  server_.HoldPublishes();
  StreamOptions options = Quick();
  options.retry.try_timeout = absl::Milliseconds(30);
  options.retry.max_tries = 2;
  StreamPublisher publisher = MakePublisher(options);
  PublishAndFlush(publisher, 2);
  EXPECT_EQ(outcomes_.Of("type_0").code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(outcomes_.Of("type_1").code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(server_.streams(), 2);
}

TEST_F(StreamPublisherTest, WithoutAServerEventsFailAtTheirDeadline) {
  std::string address;
  {
    FakeServer gone;
    address = gone.address();
  }
  StreamOptions options = Quick();
  options.retry.deadline = absl::Seconds(1);
  options.retry.max_tries = 100'000;
  StreamPublisher publisher = *StreamPublisher::Create({.address = address}, options);
  PublishAndFlush(publisher, 20);
  EXPECT_EQ(outcomes_.count(), 20u);
  for (int i = 0; i < 20; ++i) {
    // Which of the two depends on whether a connection is being tried at the deadline.
    const absl::Status status = outcomes_.Of(absl::StrCat("type_", i));
    EXPECT_THAT(status.code(),
                AnyOf(absl::StatusCode::kUnavailable, absl::StatusCode::kDeadlineExceeded))
        << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("onnect")) << i;
  }
}

TEST_F(StreamPublisherTest, HoldsBackWhatTheServerDoesNotAnswer) {
  server_.HoldPublishes();
  StreamOptions options = Quick();
  options.max_unanswered = 10;
  options.retry.try_timeout = options.retry.deadline = absl::Milliseconds(300);
  StreamPublisher publisher = MakePublisher(options);
  PublishAndFlush(publisher, 30);
  EXPECT_EQ(outcomes_.count(), 30u);
  // Ten at a time, each of which took its time.
  EXPECT_GE(server_.streams(), 3);
  for (int i = 0; i < 30; ++i) {
    EXPECT_EQ(outcomes_.Of(absl::StrCat("type_", i)),
              absl::DeadlineExceededError("there was no answer in time"));
  }
}

TEST_F(StreamPublisherTest, ItsEndWaitsForAllAnswers) {
  {
    StreamPublisher publisher = MakePublisher();
    for (int i = 0; i < 100; ++i) {
      const std::string type = absl::StrCat("type_", i);
      publisher.Publish(Event(type), outcomes_.For(type));
    }
  }
  EXPECT_EQ(outcomes_.count(), 100u);
}

TEST_F(StreamPublisherTest, ARequestThatNoServerTakesIsNotSent) {
  StreamPublisher publisher = MakePublisher();
  v1::PublishRequest large = Event();
  large.set_data_json(std::string(kMaxMessageBytes, ' '));
  publisher.Publish(large, outcomes_.For("large"));
  publisher.Flush();
  EXPECT_EQ(outcomes_.Of("large").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(server_.published(), IsEmpty());
}

TEST_F(StreamPublisherTest, SendsTheKeyOfItsCaller) {
  StreamPublisher publisher =
      *StreamPublisher::Create({.address = server_.address(), .api_key = "prk_a_b"}, Quick());
  PublishAndFlush(publisher, 1);
  EXPECT_THAT(server_.credentials(), ::testing::ElementsAre("Bearer prk_a_b"));
}

}  // namespace
}  // namespace postrider::client

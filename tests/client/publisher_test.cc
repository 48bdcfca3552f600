#include "client/publisher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "tests/client/fake_server.h"

namespace postrider::client {
namespace {

using grpc::StatusCode;
using postrider::testing::FakeServer;
using postrider::testing::RefusedFor;
using ::testing::ElementsAre;
using ::testing::MatchesRegex;
using ::testing::SizeIs;

// Time that passes only in sleeps, which it keeps.
class PublisherTest : public ::testing::Test {
 protected:
  Publisher MakePublisher(const RetryOptions& options = {}) {
    return Publisher(client_, options,
                     {.now = [this] { return now_; },
                      .sleep =
                          [this](absl::Duration wait) {
                            sleeps_.push_back(wait);
                            now_ += wait;
                          },
                      .random = [] { return 0.0; }});
  }

  FakeServer server_;
  Client client_ = *Client::Create({.address = server_.address()});
  absl::Time now_ = absl::FromUnixSeconds(1700000000);
  std::vector<absl::Duration> sleeps_;
};

v1::PublishRequest Event() {
  v1::PublishRequest request;
  request.set_type("message.received");
  request.set_data_json("{}");
  return request;
}

TEST_F(PublisherTest, MakesANewKeyForEveryEvent) {
  const Publisher publisher = MakePublisher();
  ASSERT_TRUE(publisher.Publish(Event()).ok());
  ASSERT_TRUE(publisher.Publish(Event()).ok());
  const auto published = server_.published();
  ASSERT_THAT(published, SizeIs(2));
  EXPECT_THAT(published[0].idempotency_key(), MatchesRegex("auto_[0-9a-f]+"));
  EXPECT_THAT(published[0].idempotency_key(), SizeIs(37));
  EXPECT_NE(published[0].idempotency_key(), published[1].idempotency_key());
}

TEST_F(PublisherTest, KeepsTheKeyOfTheCaller) {
  v1::PublishRequest request = Event();
  request.set_idempotency_key("mine");
  ASSERT_TRUE(MakePublisher().Publish(request).ok());
  EXPECT_EQ(server_.published()[0].idempotency_key(), "mine");
}

TEST_F(PublisherTest, MakesNoKeyForADryRun) {
  v1::PublishRequest request = Event();
  request.set_validate_only(true);
  ASSERT_TRUE(MakePublisher().Publish(request).ok());
  EXPECT_EQ(server_.published()[0].idempotency_key(), "");
}

TEST_F(PublisherTest, RetriesUnderTheSameKeyUntilItSucceeds) {
  server_.FailPublishes({RefusedFor(StatusCode::UNAVAILABLE, "draining", "DRAINING"),
                         RefusedFor(StatusCode::DEADLINE_EXCEEDED, "late", "LATE"),
                         RefusedFor(StatusCode::RESOURCE_EXHAUSTED, "full", "BACKLOG")});
  const auto response = MakePublisher().Publish(Event());
  ASSERT_TRUE(response.ok());
  EXPECT_EQ(response->event_id(), "evt_4");
  EXPECT_THAT(sleeps_, ElementsAre(absl::Milliseconds(50), absl::Milliseconds(100),
                                   absl::Milliseconds(200)));
  std::set<std::string> keys;
  for (const auto& request : server_.published()) keys.insert(request.idempotency_key());
  EXPECT_THAT(keys, SizeIs(1));
}

TEST_F(PublisherTest, WaitsAsLongAsTheServerAsks) {
  server_.FailPublishes(
      {RefusedFor(StatusCode::RESOURCE_EXHAUSTED, "full", "BACKLOG", absl::Seconds(12))});
  ASSERT_TRUE(MakePublisher().Publish(Event()).ok());
  EXPECT_THAT(sleeps_, ElementsAre(absl::Seconds(12)));
}

TEST_F(PublisherTest, GivesUpAtOnceWhenTheServerAsksForLongerThanIsLeft) {
  server_.FailPublishes(
      {RefusedFor(StatusCode::RESOURCE_EXHAUSTED, "full", "BACKLOG", absl::Seconds(60))});
  const auto response = MakePublisher({.deadline = absl::Seconds(60)}).Publish(Event());
  EXPECT_EQ(response.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(sleeps_, SizeIs(0));
}

TEST_F(PublisherTest, GivesUpAfterTheLastTryWithItsError) {
  server_.FailPublishes(
      std::vector<grpc::Status>(5, RefusedFor(StatusCode::UNAVAILABLE, "draining", "DRAINING")));
  const auto response = MakePublisher({.max_tries = 3}).Publish(Event());
  EXPECT_EQ(response.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(server_.published(), SizeIs(3));
}

TEST_F(PublisherTest, DoesNotRepeatWhatTheServerRefuses) {
  for (const StatusCode code :
       {StatusCode::INVALID_ARGUMENT, StatusCode::ALREADY_EXISTS, StatusCode::PERMISSION_DENIED,
        StatusCode::UNAUTHENTICATED, StatusCode::INTERNAL, StatusCode::UNKNOWN}) {
    server_.FailPublishes({RefusedFor(code, "no", "NO")});
    EXPECT_EQ(static_cast<int>(MakePublisher().Publish(Event()).status().code()),
              static_cast<int>(code));
  }
  EXPECT_THAT(server_.published(), SizeIs(6));
  EXPECT_THAT(sleeps_, SizeIs(0));
}

TEST_F(PublisherTest, RefusesARequestThatNoServerTakes) {
  v1::PublishRequest request = Event();
  request.set_data_json(std::string(kMaxMessageBytes, ' '));
  EXPECT_EQ(MakePublisher().Publish(request).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(server_.published(), SizeIs(0));
}

TEST_F(PublisherTest, GivesEveryItemOfABatchAKeyOfItsOwn) {
  v1::BatchPublishRequest batch;
  *batch.add_requests() = Event();
  *batch.add_requests() = Event();
  const auto response = MakePublisher().PublishBatch(batch);
  ASSERT_TRUE(response.ok());
  EXPECT_THAT(response->responses(), SizeIs(2));
  const auto published = server_.published();
  EXPECT_NE(published[0].idempotency_key(), "");
  EXPECT_NE(published[0].idempotency_key(), published[1].idempotency_key());
}

}  // namespace
}  // namespace postrider::client

// When an attempt may start at all, and what it is sent with.

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/signing/signature.h"
#include "tests/dispatch/dispatcher_test_base.h"

namespace postrider::dispatch {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

TEST_F(DispatcherTest, AnEndpointIsReadBeforeItsFirstAttempt) {
  AddWork(1, 10, 2);
  AddWork(2, 20, 1);
  const Turn turn = Run();
  EXPECT_THAT(turn.requests, IsEmpty());
  EXPECT_THAT(turn.loads, ElementsAre(EndpointNo(1), EndpointNo(2)));
  // Asked for once.
  AddWork(1, 12, 1);
  EXPECT_THAT(Run().loads, IsEmpty());
  Load({TargetNo(1)});
  EXPECT_THAT(DeliveriesOf(Run().requests), ElementsAre(10, 11, 12));
}

TEST_F(DispatcherTest, NothingStartsWhenTheLastLookForChangesIsTooOld) {
  AddWork(1, 10, 1);
  Load({TargetNo(1)});
  Advance(absl::Milliseconds(750));
  EXPECT_THAT(Run().requests, SizeIs(1));
  AddWork(1, 11, 1);
  Advance(absl::Nanoseconds(1));
  EXPECT_THAT(Run().requests, IsEmpty());
  // A look that found nothing new is enough.
  Load({});
  EXPECT_THAT(DeliveriesOf(Run().requests), ElementsAre(11));
}

TEST_F(DispatcherTest, ALookCountsFromWhenItWasSentOut) {
  AddWork(1, 10, 1);
  Load({TargetNo(1)});
  Advance(absl::Seconds(2));
  dispatcher_->AddNews({{}, {}, now_ - absl::Milliseconds(751)});
  EXPECT_THAT(Run().requests, IsEmpty());
  dispatcher_->AddNews({{}, {}, now_ - absl::Milliseconds(750)});
  EXPECT_THAT(Run().requests, SizeIs(1));
}

TEST_F(DispatcherTest, WhatWasLeasedWhileOthersMayHaveThoughtThisNodeDeadIsGivenBack) {
  AddWork(1, 10, 1);
  std::vector<WorkItem> claimed = Items(1, 11, 1);  // its claim is answered later
  Load({TargetNo(1)});
  Advance(absl::Seconds(9));
  const Instant renewed = now_;
  dispatcher_->SetStanding({-absl::InfiniteDuration(), now_ + absl::Seconds(7), renewed});
  Load({});
  Turn turn = Run();
  EXPECT_THAT(turn.requests, IsEmpty());
  EXPECT_THAT(DeliveriesOf(turn.releases), ElementsAre(10));
  dispatcher_->AddClaimed({{EndpointNo(1), 1}}, std::move(claimed));
  turn = Run();
  EXPECT_THAT(turn.requests, IsEmpty());
  EXPECT_THAT(DeliveriesOf(turn.releases), ElementsAre(11));
  AddWork(1, 20, 1);
  EXPECT_THAT(DeliveriesOf(Run().requests), ElementsAre(20));
}

TEST_F(DispatcherTest, NothingStartsOnceOthersMayThinkThisNodeDead) {
  AddWork(1, 10, 1);
  Load({TargetNo(1)});
  dispatcher_->SetStanding({-absl::InfiniteDuration(), now_});
  EXPECT_THAT(Run().requests, IsEmpty());
  dispatcher_->SetStanding({-absl::InfiniteDuration(), now_ + absl::Nanoseconds(1)});
  EXPECT_THAT(Run().requests, SizeIs(1));
}

TEST_F(DispatcherTest, NothingStartsBeforeTheFirstHeartbeat) {
  dispatcher_ = std::make_unique<Dispatcher>(
      DispatchLimits(), [] { return 0.0; }, [](absl::Time) { return AttemptNo(1); });
  AddWork(1, 10, 1);
  Load({TargetNo(1)});
  EXPECT_THAT(Run().requests, IsEmpty());
  EXPECT_FALSE(dispatcher_->joined());
}

TEST_F(DispatcherTest, NothingStartsBeforeTheNodeHasJoined) {
  AddWork(1, 10, 1);
  Load({TargetNo(1)});
  const Instant joins = now_ + absl::Milliseconds(300);
  dispatcher_->SetStanding({joins, now_ + absl::Seconds(7)});
  const Turn turn = Run();
  EXPECT_THAT(turn.requests, IsEmpty());
  EXPECT_EQ(turn.wake_at, joins);
  EXPECT_FALSE(dispatcher_->joined());
  Advance(absl::Milliseconds(300));
  EXPECT_THAT(Run().requests, SizeIs(1));
  EXPECT_TRUE(dispatcher_->joined());
}

TEST_F(DispatcherTest, ADisabledEndpointsLeasesAreGivenBack) {
  auto disabled = TargetNo(1);
  disabled->state = EndpointState::kDisabled;
  AddWork(1, 10, 3);
  AddWork(2, 20, 1);
  Load({disabled, TargetNo(2)});
  const Turn turn = Run();
  EXPECT_THAT(DeliveriesOf(turn.requests), ElementsAre(20));
  EXPECT_THAT(DeliveriesOf(turn.releases), ElementsAre(10, 11, 12));
  EXPECT_EQ(turn.releases[2].token, 1012);
}

TEST_F(DispatcherTest, ADeletedEndpointsLeasesAreGivenBack) {
  auto deleted = TargetNo(1);
  deleted->state = EndpointState::kDeleted;
  AddWork(1, 10, 1);
  Load({deleted});
  const Turn turn = Run();
  EXPECT_THAT(turn.requests, IsEmpty());
  EXPECT_THAT(DeliveriesOf(turn.releases), ElementsAre(10));
}

TEST_F(DispatcherTest, AnEndpointThatTheRecorderDisabledStartsNothingMore) {
  auto target = TargetNo(1);
  target->max_in_flight = 1;
  AddWork(1, 10, 3);
  Load({target});
  AnswerAll(Run().requests, 500);
  Run();
  dispatcher_->AddRecorded({1, {{EndpointNo(1), 1, DisabledReason::kConsecutiveFailures}}, {}});
  Pass(absl::Seconds(3));
  const Turn turn = Run();
  EXPECT_THAT(turn.requests, IsEmpty());
  EXPECT_THAT(DeliveriesOf(turn.releases), ElementsAre(11, 12));
}

TEST_F(DispatcherTest, AnEnabledEndpointGoesOnWithTheCounterThatWasRead) {
  auto target = TargetNo(1);
  target->disable_threshold = 10;
  target->state = EndpointState::kDisabled;
  target->consecutive_failures = 10;
  AddWork(1, 10, 8);
  Load({target});
  Run();
  auto enabled = TargetNo(1);
  enabled->disable_threshold = 10;
  AddWork(1, 20, 8);
  Load({enabled});
  // Half of the ten that are left again.
  EXPECT_THAT(Run().requests, SizeIs(5));
}

TEST_F(DispatcherTest, AChangedUrlServesPendingDeliveriesToo) {
  auto target = TargetNo(1);
  target->max_in_flight = 1;
  AddWork(1, 10, 2);
  Load({target});
  const Turn first = Run();
  EXPECT_EQ(first.requests[0].url.text(), "https://example.com/1");
  auto moved = std::make_shared<Target>(*TargetNo(2));
  moved->id = EndpointNo(1);
  Load({moved});
  AnswerAll(first.requests, 200);
  const Turn second = Run();
  ASSERT_THAT(second.requests, SizeIs(1));
  EXPECT_EQ(second.requests[0].url.text(), "https://example.com/2");
}

TEST_F(DispatcherTest, TheRequestIsSignedWithItsOwnTime) {
  AddWork(1, 10, 1);
  Load({TargetNo(1)});
  const Turn turn = Run();
  ASSERT_THAT(turn.requests, SizeIs(1));
  EXPECT_EQ(HeaderOf(turn.requests[0], "webhook-timestamp"), "1772980200");
  EXPECT_EQ(HeaderOf(turn.requests[0], "webhook-signature"),
            signing::SignV1(SecretOf('a'), EventNo(10).ToText(), 1772980200, "{\"n\":10}"));
  AnswerAll(turn.requests, 500);
  dispatcher_->AddRecorded({1, {}, {}});
  Pass(absl::Seconds(30));
  AddWork(1, 11, 1);
  const Turn later = Run();
  ASSERT_THAT(later.requests, SizeIs(1));
  EXPECT_EQ(HeaderOf(later.requests[0], "webhook-timestamp"), "1772980230");
  EXPECT_EQ(HeaderOf(later.requests[0], "webhook-signature"),
            signing::SignV1(SecretOf('a'), EventNo(11).ToText(), 1772980230, "{\"n\":11}"));
}

// Signatures by the secrets of these letters, in order.
std::string SignaturesBy(const std::string& letters, int delivery, absl::Time time) {
  std::string all;
  for (char letter : letters) {
    absl::StrAppend(
        &all, all.empty() ? "" : " ",
        signing::SignV1(SecretOf(letter), EventNo(delivery).ToText(), absl::ToUnixSeconds(time),
                        absl::StrCat("{\"n\":", delivery, "}")));
  }
  return all;
}

TEST_F(DispatcherTest, ExpiredSecretsDropOutOfTheSignature) {
  auto target = TargetNo(1);
  const absl::Time expires = database_now_ + absl::Seconds(10);
  target->secrets = {{signing::SigningKey(SecretOf('c')), absl::InfiniteFuture()},
                     {signing::SigningKey(SecretOf('b')), expires},
                     {signing::SigningKey(SecretOf('a')), database_now_ + absl::Seconds(5)}};
  AddWork(1, 10, 1);
  Load({target});
  const auto signature_of = [this](int delivery) {
    const Turn turn = Run();
    EXPECT_THAT(DeliveriesOf(turn.requests), ElementsAre(delivery));
    return turn.requests.empty() ? "" : HeaderOf(turn.requests[0], "webhook-signature");
  };
  EXPECT_EQ(signature_of(10), SignaturesBy("cba", 10, database_now_));
  Pass(absl::Seconds(5) - absl::Nanoseconds(1));
  AddWork(1, 11, 1);
  EXPECT_EQ(signature_of(11), SignaturesBy("cba", 11, database_now_));
  Pass(absl::Nanoseconds(1));
  AddWork(1, 12, 1);
  EXPECT_EQ(signature_of(12), SignaturesBy("cb", 12, database_now_));
  Pass(absl::Seconds(5));
  AddWork(1, 13, 1);
  EXPECT_EQ(signature_of(13), SignaturesBy("c", 13, database_now_));
}

TEST_F(DispatcherTest, AtMostTheThreeNewestSecretsSign) {
  auto target = TargetNo(1);
  target->secrets.clear();
  for (char letter : std::string("edcba")) {
    target->secrets.push_back({signing::SigningKey(SecretOf(letter)), absl::InfiniteFuture()});
  }
  AddWork(1, 10, 1);
  Load({target});
  const Turn turn = Run();
  ASSERT_THAT(turn.requests, SizeIs(1));
  EXPECT_EQ(HeaderOf(turn.requests[0], "webhook-signature"),
            SignaturesBy("edc", 10, database_now_));
}

TEST_F(DispatcherTest, ARotatedSecretSignsFromTheNextAttemptOn) {
  AddWork(1, 10, 1);
  Load({TargetNo(1)});
  Run();
  auto rotated = TargetNo(1);
  rotated->secrets = {{signing::SigningKey(SecretOf('z')), absl::InfiniteFuture()}};
  Load({rotated});
  AddWork(1, 11, 1);
  const Turn turn = Run();
  ASSERT_THAT(turn.requests, SizeIs(1));
  EXPECT_EQ(HeaderOf(turn.requests[0], "webhook-signature"), SignaturesBy("z", 11, database_now_));
}

TEST_F(DispatcherTest, WithoutAValidSecretNothingIsSent) {
  auto target = TargetNo(1);
  target->secrets[0].expire_time = database_now_;
  AddWork(1, 10, 1);
  Load({target});
  const Turn turn = Run();
  EXPECT_THAT(turn.requests, IsEmpty());
  EXPECT_THAT(DeliveriesOf(turn.releases), ElementsAre(10));
  EXPECT_EQ(dispatcher_->in_flight(), 0);
}

TEST_F(DispatcherTest, ABlockedUrlYieldsABlockedAttempt) {
  auto target = TargetNo(1);
  target->url = {};
  target->url_error = "names a private address";
  AddWork(1, 10, 1);
  Load({target});
  const Turn turn = Run();
  EXPECT_THAT(turn.requests, IsEmpty());
  EXPECT_THAT(turn.releases, IsEmpty());
  ASSERT_THAT(turn.finished, SizeIs(1));
  const OutcomeRecord& record = turn.finished[0].record;
  EXPECT_EQ(record.attempt.outcome, AttemptOutcome::kBlocked);
  EXPECT_EQ(record.attempt.error, "names a private address");
  EXPECT_EQ(record.attempt.number, 1);
  EXPECT_EQ(record.attempt.send_count, 0);
  EXPECT_EQ(record.attempt.http_status, 0);
  EXPECT_EQ(record.lease_token, 1010);
  EXPECT_EQ(record.state, DeliveryState::kPending);
  EXPECT_TRUE(record.uses_retry);
  EXPECT_EQ(record.next_attempt_time, database_now_ + absl::Seconds(30));
  EXPECT_EQ(dispatcher_->in_flight(), 0);
  EXPECT_EQ(dispatcher_->unrecorded(), 1);
}

TEST_F(DispatcherTest, ABlockedEndpointIsPacedLikeOthers) {
  auto target = TargetNo(1);
  target->url = {};
  target->max_in_flight = 1;
  AddWork(1, 10, 3);
  Load({target});
  EXPECT_THAT(Run().finished, SizeIs(1));
  EXPECT_THAT(Run().finished, IsEmpty());
  Pass(absl::Milliseconds(100));
  EXPECT_THAT(Run().finished, SizeIs(1));
}

}  // namespace
}  // namespace postrider::dispatch

#include "server/dispatch/target.h"

#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/security/endpoint_seal.h"
#include "server/signing/secret.h"
#include "tests/dispatch/dispatcher_test_base.h"

namespace postrider::dispatch {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

security::KeyRing RingOf(char digit) {
  return security::KeyRing::Create(security::MasterKey::Parse(std::string(64, digit)).value(), {})
      .value();
}

SealedBytes Stored(const security::SealedSecret& sealed) {
  return {sealed.key_id, sealed.nonce, sealed.bytes};
}

class TargetTest : public ::testing::Test {
 protected:
  TargetTest() {
    stored_.endpoint.id = EndpointNo(1);
    stored_.endpoint.tenant = {"org", "env"};
    stored_.endpoint.config.url = "https://example.com/hook";
    AddSecret(1, 'a', std::nullopt);
  }
  void AddSecret(int32_t version, char fill, std::optional<absl::Time> expire_time) {
    AddSecretText(version, signing::FormatHmacSecret(std::string(32, fill)), expire_time);
  }
  void AddSecretText(int32_t version, const std::string& text,
                     std::optional<absl::Time> expire_time) {
    const std::string id = stored_.endpoint.id.ToText();
    EndpointSecret secret;
    secret.version = version;
    secret.sealed = Stored(ring_
                               .Seal(text, security::AssociatedData(security::SecretContext(
                                               stored_.endpoint.tenant, id, version)))
                               .value());
    secret.expire_time = expire_time;
    stored_.secrets.push_back(secret);
  }
  absl::StatusOr<std::shared_ptr<const Target>> Make() {
    return MakeTarget(stored_, ring_, policy_, defaults_);
  }

  security::KeyRing ring_ = RingOf('1');
  http::DestinationPolicy policy_;
  DeliveryDefaults defaults_;
  EndpointForDispatch stored_;
};

TEST_F(TargetTest, WhatAnEndpointLeavesOpenIsTheServersDefault) {
  const auto target = *Make();
  EXPECT_EQ(target->failure.retry.delays, policy::DefaultSchedule());
  EXPECT_FALSE(target->failure.retry.retries_disabled);
  EXPECT_TRUE(target->failure.disable_on_gone);
  EXPECT_EQ(target->disable_threshold, 50);
  EXPECT_EQ(target->max_in_flight, 32);
  EXPECT_EQ(target->rate_per_second, 0);
  EXPECT_EQ(target->timeout, absl::Seconds(15));
  EXPECT_EQ(target->connect_timeout, absl::Seconds(5));
}

TEST_F(TargetTest, WhatAnEndpointSetsHolds) {
  EndpointConfig& config = stored_.endpoint.config;
  config.retry_schedule = {absl::Seconds(5)};
  config.retries_disabled = true;
  config.disable_threshold = 0;
  config.max_in_flight = 7;
  config.rate_limit_per_second = 2.5;
  config.timeout = absl::Seconds(4);
  stored_.endpoint.state = EndpointState::kDisabled;
  stored_.endpoint.revision = 12;
  stored_.endpoint.consecutive_failures = 9;
  const auto target = *Make();
  EXPECT_THAT(target->failure.retry.delays, ElementsAre(absl::Seconds(5)));
  EXPECT_TRUE(target->failure.retry.retries_disabled);
  EXPECT_EQ(target->disable_threshold, 0);
  EXPECT_EQ(target->max_in_flight, 7);
  EXPECT_EQ(target->rate_per_second, 2.5);
  EXPECT_EQ(target->timeout, absl::Seconds(4));
  EXPECT_EQ(target->connect_timeout, absl::Seconds(4));
  EXPECT_EQ(target->state, EndpointState::kDisabled);
  EXPECT_EQ(target->revision, 12);
  EXPECT_EQ(target->consecutive_failures, 9);
}

TEST_F(TargetTest, ATimeoutIsNeverLongerThanTheServers) {
  stored_.endpoint.config.timeout = absl::Seconds(60);
  EXPECT_EQ((*Make())->timeout, absl::Seconds(15));
}

TEST_F(TargetTest, SecretsAreOpenedNewestFirstWithTheirEnds) {
  const absl::Time expires = absl::FromUnixSeconds(1772980000);
  stored_.secrets.clear();
  AddSecret(2, 'b', std::nullopt);
  AddSecret(1, 'a', expires);
  const auto target = *Make();
  ASSERT_THAT(target->secrets, SizeIs(2));
  EXPECT_EQ(std::get<signing::HmacSecret>(target->secrets[0].key).bytes(), std::string(32, 'b'));
  EXPECT_EQ(target->secrets[0].expire_time, absl::InfiniteFuture());
  EXPECT_EQ(std::get<signing::HmacSecret>(target->secrets[1].key).bytes(), std::string(32, 'a'));
  EXPECT_EQ(target->secrets[1].expire_time, expires);
}

TEST_F(TargetTest, SecretsOfBothSchemesAreOpened) {
  const auto key = signing::Ed25519PrivateKey::Generate();
  AddSecretText(2, key.ToText(), std::nullopt);
  const auto target = *Make();
  ASSERT_THAT(target->secrets, SizeIs(2));
  EXPECT_TRUE(std::holds_alternative<signing::HmacSecret>(target->secrets[0].key));
  EXPECT_EQ(std::get<signing::Ed25519PrivateKey>(target->secrets[1].key).ToText(), key.ToText());
}

TEST_F(TargetTest, HeadersAreOpened) {
  stored_.endpoint.config.headers = Stored(
      ring_
          .Seal(security::PackHeaders({{"authorization", "Bearer x: y"}, {"x-team", "mail"}}),
                security::AssociatedData(security::HeadersContext(stored_.endpoint.tenant,
                                                                  stored_.endpoint.id.ToText())))
          .value());
  EXPECT_THAT((*Make())->headers,
              ElementsAre(Pair("authorization", "Bearer x: y"), Pair("x-team", "mail")));
}

TEST_F(TargetTest, WithoutSecretsNothingIsSentAndWhatIsInFlightKeepsItsSchedule) {
  stored_.endpoint.config.retry_schedule = {absl::Seconds(5)};
  const auto target = TargetWithoutSecrets(stored_.endpoint, DeliveryDefaults{});
  EXPECT_EQ(target->max_in_flight, 0);
  EXPECT_THAT(target->secrets, IsEmpty());
  EXPECT_THAT(target->failure.retry.delays, ElementsAre(absl::Seconds(5)));
  EXPECT_TRUE(target->failure.disable_on_gone);
  EXPECT_EQ(target->disable_threshold, 50);
}

TEST_F(TargetTest, AnotherMasterKeyOpensNothing) {
  ring_ = RingOf('2');
  EXPECT_EQ(Make().status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(TargetTest, ASecretOfAnotherEndpointDoesNotOpen) {
  stored_.endpoint.id = EndpointNo(2);
  EXPECT_EQ(Make().status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(TargetTest, ASecretOfAnotherVersionDoesNotOpen) {
  stored_.secrets[0].version = 2;
  EXPECT_EQ(Make().status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(TargetTest, AUrlThatIsNotAllowedAnyMoreIsEmptyWithItsReason) {
  stored_.endpoint.config.url = "http://example.com/hook";
  const auto target = *Make();
  EXPECT_TRUE(target->url.empty());
  EXPECT_NE(target->url_error, "");
  policy_ = http::DestinationPolicy({}, /*allow_http=*/true);
  EXPECT_EQ((*Make())->url.text(), "http://example.com/hook");
}

}  // namespace
}  // namespace postrider::dispatch

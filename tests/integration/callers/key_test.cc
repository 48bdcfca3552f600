// ApiKeyService: what keys are made, shown, used and revoked as.

#include <gmock/gmock.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "postrider/v1/publisher_service.grpc.pb.h"
#include "tests/support/credentials.h"
#include "tests/support/engine_test.h"
#include "tests/support/expect.h"
#include "tests/support/wait.h"

namespace postrider::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

using Created = Reply<v1::CreateApiKeyResponse>;

Created Create(Api& api, absl::string_view maker, const v1::CreateApiKeyRequest& request) {
  return CallAs<v1::CreateApiKeyRequest, v1::CreateApiKeyResponse>(
      api, maker, "postrider.v1.ApiKeyService/CreateApiKey", request);
}

Created Create(Api& api, absl::string_view maker, const v1::ApiKey& key,
               const std::string& request_id = "") {
  v1::CreateApiKeyRequest request;
  *request.mutable_api_key() = key;
  request.set_request_id(request_id);
  return Create(api, maker, request);
}

std::vector<v1::ApiKey> List(Api& api, absl::string_view key, const std::string& org = "") {
  v1::ListApiKeysRequest request;
  request.set_org_id(org);
  const auto reply = CallAs<v1::ListApiKeysRequest, v1::ListApiKeysResponse>(
      api, key, "postrider.v1.ApiKeyService/ListApiKeys", request);
  EXPECT_TRUE(reply.ok()) << ToText(reply.status);
  return {reply->api_keys().begin(), reply->api_keys().end()};
}

bool IsRefused(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::UNAUTHENTICATED;
}

class KeyTest : public OwnServersTest {
 protected:
  void SetUp() override {
    server_ = StartServer();
    ASSERT_NE(server_, nullptr);
  }
  Api& api() { return server_->api(); }
  ServerProcess* server_ = nullptr;
};

TEST_F(KeyTest, TheKeyIsShownOnceAndItsSecretIsNowhereElse) {
  v1::ApiKey wanted = KeyFor({v1::SCOPE_READ, v1::SCOPE_PUBLISH, v1::SCOPE_READ}, "org_a", "env_1");
  wanted.set_description("for the shop");
  wanted.set_id("key_01JQ8X5K2M3N4P5R6S7T8V9WXY");
  *wanted.mutable_expire_time() = ToProto(absl::Now() + absl::Hours(1));
  const Created made = Create(api(), "", wanted, "request-1");
  ASSERT_TRUE(made.ok()) << ToText(made.status);
  const v1::ApiKey& key = made->api_key();
  EXPECT_EQ(made->key().substr(0, 31), absl::StrCat("prk_", key.id().substr(4), "_"));
  EXPECT_NE(key.id(), wanted.id()) << "an output-only field is ignored";
  EXPECT_EQ(key.description(), "for the shop");
  EXPECT_THAT(std::vector<int>(key.scopes().begin(), key.scopes().end()),
              UnorderedElementsAre(v1::SCOPE_READ, v1::SCOPE_PUBLISH));
  EXPECT_EQ(key.org_id(), "org_a");
  EXPECT_EQ(key.env_id(), "env_1");
  EXPECT_TRUE(key.has_create_time());
  EXPECT_TRUE(key.has_expire_time());
  EXPECT_FALSE(key.has_last_use_time());
  EXPECT_TRUE(TryKey(api(), made->key()).ok());

  const std::string secret = made->key().substr(31);
  ASSERT_THAT(secret, SizeIs(64));
  for (const v1::ApiKey& listed : List(api(), "")) {
    EXPECT_THAT(listed.DebugString(), Not(HasSubstr(secret)));
  }
  EXPECT_THAT(server_->Log(), Not(HasSubstr(secret)));
  // Its SHA-256 alone is stored, and for the repetition of the call the key under the master key.
  const std::string rows = database().Dump();
  EXPECT_THAT(rows, HasSubstr("for the shop"));
  EXPECT_THAT(rows, Not(HasSubstr(secret)));
  std::string text_in_hex;
  for (const char c : made->key()) absl::StrAppend(&text_in_hex, absl::Hex(c, absl::kZeroPad2));
  EXPECT_THAT(rows, Not(HasSubstr(text_in_hex)));
}

TEST_F(KeyTest, ARepeatedRequestGivesTheSameKey) {
  const v1::ApiKey wanted = KeyFor({v1::SCOPE_READ});
  const Created first = Create(api(), "", wanted, "request-1");
  const Created again = Create(api(), "", wanted, "request-1");
  ASSERT_TRUE(first.ok() && again.ok()) << ToText(again.status);
  EXPECT_EQ(again->key(), first->key());
  EXPECT_EQ(again->api_key().id(), first->api_key().id());
  EXPECT_THAT(List(api(), ""), SizeIs(1));
  EXPECT_TRUE(TryKey(api(), again->key()).ok());
  EXPECT_REFUSED(Create(api(), "", KeyFor({v1::SCOPE_ADMIN}), "request-1").status,
                 grpc::StatusCode::ALREADY_EXISTS);
  // Another caller's ids are its own.
  const std::string admin = MakeKey(api(), "", KeyFor({v1::SCOPE_ADMIN})).text;
  const Created other = Create(api(), admin, wanted, "request-1");
  ASSERT_TRUE(other.ok()) << ToText(other.status);
  EXPECT_NE(other->key(), first->key());
  // A revoked key is not given out again: its answer is gone, and the id is free for another one.
  ASSERT_TRUE(RevokeKey(api(), "", first->api_key().id()).ok());
  EXPECT_NE(Create(api(), "", wanted, "request-1")->key(), first->key());
  EXPECT_TRUE(IsRefused(TryKey(api(), first->key())));
}

TEST_F(KeyTest, WhatIsWrongWithAKeyIsNamed) {
  EXPECT_BAD_FIELDS(Create(api(), "", v1::CreateApiKeyRequest()).status, "api_key");
  v1::ApiKey bad = KeyFor({v1::SCOPE_UNSPECIFIED}, "", "env_1");
  bad.set_description(std::string(1025, 'x'));
  bad.set_certificate_san("two words");
  *bad.mutable_expire_time() = ToProto(absl::Now() - absl::Seconds(5));
  EXPECT_BAD_FIELDS(Create(api(), "", bad, std::string(129, 'x')).status, "api_key.scopes[0]",
                    "api_key.env_id", "api_key.description", "api_key.certificate_san",
                    "api_key.expire_time", "request_id");
  EXPECT_BAD_FIELDS(Create(api(), "", v1::ApiKey()).status, "api_key.scopes");
}

TEST_F(KeyTest, AKeyGivesAwayNoMoreThanItHas) {
  const std::string org_admin = MakeKey(api(), "", KeyFor({v1::SCOPE_ADMIN}, "org_a")).text;
  const std::string env_admin =
      MakeKey(api(), "", KeyFor({v1::SCOPE_ADMIN}, "org_a", "env_1")).text;
  const Created inside = Create(api(), env_admin, KeyFor({v1::SCOPE_PUBLISH}));
  ASSERT_TRUE(inside.ok()) << ToText(inside.status);
  EXPECT_EQ(inside->api_key().org_id(), "org_a");
  EXPECT_EQ(inside->api_key().env_id(), "env_1");
  EXPECT_EQ(Create(api(), org_admin, KeyFor({v1::SCOPE_ADMIN}))->api_key().org_id(), "org_a");
  for (const v1::ApiKey& more :
       {KeyFor({v1::SCOPE_READ}, "org_b"), KeyFor({v1::SCOPE_READ}, "org_a", "env_2")}) {
    EXPECT_REFUSED(Create(api(), env_admin, more).status, grpc::StatusCode::PERMISSION_DENIED);
  }
  // Nor the name of a certificate, which may be another org's.
  v1::ApiKey named = KeyFor({v1::SCOPE_READ}, "org_a");
  named.set_certificate_san("billing.org-b.example");
  EXPECT_REFUSED(Create(api(), org_admin, named).status, grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_TRUE(Create(api(), "", named).ok());
  // It sees and revokes its own alone: not even the org's wider keys.
  const std::vector<v1::ApiKey> of_env = List(api(), env_admin);
  EXPECT_THAT(of_env, SizeIs(2));
  const NewKey root = MakeKey(api(), "", KeyFor({v1::SCOPE_ADMIN}));
  EXPECT_REFUSED(RevokeKey(api(), env_admin, root.id), grpc::StatusCode::NOT_FOUND);
  EXPECT_REFUSED(RevokeKey(api(), env_admin, "key_" + org_admin.substr(4, 26)),
                 grpc::StatusCode::NOT_FOUND);
  EXPECT_TRUE(RevokeKey(api(), org_admin, inside->api_key().id()).ok());
  EXPECT_REFUSED(RevokeKey(api(), org_admin, inside->api_key().id()), grpc::StatusCode::NOT_FOUND);
}

TEST_F(KeyTest, ANewKeyAndARevokedOneAreKnownOnEveryServerInTime) {
  ServerProcess* second = StartServer({"--require-auth"});
  ASSERT_NE(second, nullptr);
  const NewKey key = MakeKey(api(), "", KeyFor({v1::SCOPE_READ}));
  EXPECT_TRUE(TryKey(api(), key.text).ok()) << "at once where it was made";
  EXPECT_TRUE(WaitUntil([&] { return TryKey(second->api(), key.text).ok(); }, absl::Seconds(5)));
  const absl::Time revoking = absl::Now();
  ASSERT_TRUE(RevokeKey(api(), "", key.id).ok());
  EXPECT_TRUE(IsRefused(TryKey(api(), key.text))) << "at once where it was revoked";
  EXPECT_TRUE(
      WaitUntil([&] { return IsRefused(TryKey(second->api(), key.text)); }, absl::Seconds(5)));
  RecordProperty("revoked_after_ms",
                 static_cast<int>(absl::ToInt64Milliseconds(absl::Now() - revoking)));
}

// A StreamPublish with a key.
class OpenStream {
 public:
  OpenStream(const std::string& address, const NewKey& key)
      : stub_(v1::PublisherService::NewStub(
            grpc::CreateChannel(address, grpc::InsecureChannelCredentials()))) {
    context_.AddMetadata("authorization", "Bearer " + key.text);
    context_.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
    stream_ = stub_->StreamPublish(&context_);
  }
  // Whether one more event was accepted; false when the stream is over.
  bool Publish() {
    v1::StreamPublishRequest item;
    item.mutable_request()->set_type("a.b");
    item.mutable_request()->set_data_json("{}");
    v1::StreamPublishResponse answer;
    return stream_->Write(item) && stream_->Read(&answer) && answer.has_response();
  }
  // Waits for the end.
  grpc::Status End() {
    v1::StreamPublishResponse answer;
    while (stream_->Read(&answer)) {
    }
    return stream_->Finish();
  }

 private:
  const std::unique_ptr<v1::PublisherService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::StreamPublishRequest, v1::StreamPublishResponse>>
      stream_;
};

TEST_F(KeyTest, ARevokedKeyEndsTheStreamThatItOpenedAtOnceWhereItIsRevoked) {
  const NewKey key = MakeKey(api(), "", KeyFor({v1::SCOPE_PUBLISH}, "org_a", "env_1"));
  OpenStream stream(server_->grpc_address(), key);
  ASSERT_TRUE(stream.Publish());
  ASSERT_TRUE(RevokeKey(api(), "", key.id).ok());
  EXPECT_FALSE(stream.Publish());
  EXPECT_REFUSED(stream.End(), grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(KeyTest, ARevocationElsewhereEndsOpenStreamsInTimeWhetherTheyPublishOrNot) {
  ServerProcess* second = StartServer({"--require-auth"});
  ASSERT_NE(second, nullptr);
  const NewKey key = MakeKey(api(), "", KeyFor({v1::SCOPE_PUBLISH}, "org_a", "env_1"));
  const NewKey other = MakeKey(api(), "", KeyFor({v1::SCOPE_PUBLISH}, "org_b", "env_1"));
  ASSERT_TRUE(
      WaitUntil([&] { return !IsRefused(TryKey(second->api(), other.text)); }, absl::Seconds(5)));
  OpenStream busy(second->grpc_address(), key);
  OpenStream idle(second->grpc_address(), key);
  OpenStream of_other(second->grpc_address(), other);
  ASSERT_TRUE(busy.Publish() && idle.Publish() && of_other.Publish());
  const absl::Time revoking = absl::Now();
  ASSERT_TRUE(RevokeKey(api(), "", key.id).ok());
  while (busy.Publish()) ASSERT_LT(absl::Now() - revoking, absl::Seconds(5));
  EXPECT_REFUSED(busy.End(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_REFUSED(idle.End(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_LT(absl::Now() - revoking, absl::Seconds(5));
  EXPECT_TRUE(of_other.Publish()) << "nobody else's stream ends";
}

TEST_F(KeyTest, TheLastUseIsNotedWhenTheServerStopsAtTheLatest) {
  const NewKey used = MakeKey(api(), "", KeyFor({v1::SCOPE_READ}));
  const NewKey unused = MakeKey(api(), "", KeyFor({v1::SCOPE_READ}));
  const absl::Time before = absl::Now() - absl::Seconds(1);
  ASSERT_TRUE(TryKey(api(), used.text).ok());
  ASSERT_EQ(server_->Terminate(), 0);
  ServerProcess* next = StartServer();
  ASSERT_NE(next, nullptr);
  for (const v1::ApiKey& key : List(next->api(), "")) {
    EXPECT_EQ(key.has_last_use_time(), key.id() == used.id);
    if (key.id() == used.id) {
      EXPECT_GT(ToTime(key.last_use_time()), before);
    }
  }
}

TEST_F(KeyTest, ExpiryAndRevocationEndAKeyThatWasGood) {
  v1::ApiKey wanted = KeyFor({v1::SCOPE_READ});
  *wanted.mutable_expire_time() = ToProto(absl::Now() + absl::Seconds(2));
  const NewKey key = MakeKey(api(), "", wanted);
  EXPECT_TRUE(TryKey(api(), key.text).ok());
  EXPECT_TRUE(WaitUntil([&] { return IsRefused(TryKey(api(), key.text)); }, absl::Seconds(5)));
  EXPECT_THAT(List(api(), ""), SizeIs(1)) << "an expired key is listed until it is revoked";
}

}  // namespace
}  // namespace postrider::testing

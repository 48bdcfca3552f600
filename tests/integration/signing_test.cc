// SEMANTICS, "Signing": Standard Webhooks with HMAC-SHA256.

#include <set>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "tests/support/engine_test.h"
#include "tests/support/expect.h"

namespace postrider::testing {
namespace {

using ::grpc::StatusCode;

// `whsec_` and base64 of so many bytes.
std::string SecretOf(size_t bytes, char fill) {
  return absl::StrCat("whsec_", absl::Base64Escape(std::string(bytes, fill)));
}

class SigningTest : public EngineTest {
 protected:
  // The request for a new event, the `count`th in all.
  ReceivedRequest Next(size_t count) {
    PublishEvent();
    const std::vector<ReceivedRequest> requests = receiver_.WaitForRequests(count);
    EXPECT_EQ(requests.size(), count);
    return requests.empty() ? ReceivedRequest() : requests.back();
  }

  static std::vector<std::string> Signatures(const ReceivedRequest& request) {
    return absl::StrSplit(request.Header("webhook-signature"), ' ');
  }

  Reply<v1::CreateEndpointResponse> CreateWithSecret(const std::string& secret) {
    v1::CreateEndpointRequest request;
    *request.mutable_endpoint() = EndpointAt(receiver_.Url());
    request.set_secret(secret);
    return api().CreateEndpoint(request);
  }
};

TEST_F(SigningTest, TheRequestVerifiesWithTheSecretAndWithNoOther) {
  const CreatedEndpoint endpoint = CreateAt(receiver_.Url());
  const ReceivedRequest request = Next(1);
  EXPECT_TRUE(VerifySignature(request, {endpoint.secret}).ok())
      << VerifySignature(request, {endpoint.secret});
  EXPECT_FALSE(VerifySignature(request, {SecretOf(32, 'x')}).ok());
  ReceivedRequest changed = request;
  changed.body[changed.body.size() / 2] ^= 1;
  EXPECT_FALSE(VerifySignature(changed, {endpoint.secret}).ok());
  EXPECT_TRUE(absl::StartsWith(request.Header("webhook-signature"), "v1,"));
  EXPECT_EQ(Signatures(request).size(), 1u);
}

TEST_F(SigningTest, WebhookIdIsTheEventAndTheTimestampIsThatOfTheAttemptInSeconds) {
  const CreatedEndpoint endpoint = CreateAt(receiver_.Url());
  receiver_.AnswerInTurn({Answer{.status = 500}, Answer{.status = 500}, Answer{}});
  const std::string event = PublishEvent();
  const std::vector<ReceivedRequest> requests = receiver_.WaitForRequests(3);
  ASSERT_EQ(requests.size(), 3u);
  std::set<int64_t> seconds;
  for (const ReceivedRequest& request : requests) {
    EXPECT_EQ(request.Header("webhook-id"), event);
    int64_t timestamp = 0;
    ASSERT_TRUE(absl::SimpleAtoi(request.Header("webhook-timestamp"), &timestamp));
    EXPECT_NEAR(static_cast<double>(timestamp),
                absl::ToDoubleSeconds(request.time - absl::UnixEpoch()), 1.5);
    seconds.insert(timestamp);
    EXPECT_TRUE(VerifySignature(request, {endpoint.secret}).ok());
  }
  EXPECT_EQ(seconds.size(), 3u);  // Each attempt has its own time, and its own signature.
  EXPECT_NE(requests[0].Header("webhook-signature"), requests[1].Header("webhook-signature"));
}

TEST_F(SigningTest, SecretsAreWhsecAndBase64Of32RandomBytes) {
  std::set<std::string> secrets;
  for (int i = 0; i < 5; ++i) {
    const std::string secret = CreateAt(receiver_.Url()).secret;
    ASSERT_TRUE(absl::StartsWith(secret, "whsec_")) << secret;
    std::string bytes;
    ASSERT_TRUE(absl::Base64Unescape(secret.substr(6), &bytes)) << secret;
    EXPECT_EQ(bytes.size(), 32u);
    secrets.insert(secret);
  }
  EXPECT_EQ(secrets.size(), 5u);
}

TEST_F(SigningTest, ACallerMayBringASecretOf24To64Bytes) {
  for (const size_t bytes : {24, 37, 64}) {
    const std::string secret = SecretOf(bytes, 'k');
    const Reply<v1::CreateEndpointResponse> created = CreateWithSecret(secret);
    ASSERT_TRUE(created.ok()) << ToText(created.status);
    EXPECT_EQ(created->secret(), secret);
    const size_t before = receiver_.Requests().size();
    EXPECT_TRUE(VerifySignature(Next(before + 1), {secret}).ok()) << bytes;
    Delete(created->endpoint().id());
  }
}

TEST_F(SigningTest, OtherSecretsAreRefusedAndNotRepeated) {
  for (const std::string& secret :
       {SecretOf(23, 'k'), SecretOf(65, 'k'), std::string("whsec_"), std::string("whsec_!!!!"),
        absl::Base64Escape(std::string(32, 'k')), SecretOf(32, 'k') + "\n",
        std::string("whsk_") + absl::Base64Escape(std::string(32, 'k'))}) {
    const grpc::Status status = CreateWithSecret(secret).status;
    EXPECT_BAD_FIELDS(status, "secret") << secret;
    if (secret.size() > 12) {
      EXPECT_FALSE(absl::StrContains(status.error_details(), secret.substr(8, 10)));
    }
  }
}

TEST_F(SigningTest, TheSecretIsInTheAnswerToCreateAndRotateAndNowhereElse) {
  const CreatedEndpoint created = CreateAt(receiver_.Url());
  const std::string rotated = Rotate(created.id());
  Next(1);
  ASSERT_TRUE(WaitUntilIdle(created.id()));
  v1::ListEndpointsRequest list;
  list.set_org_id(org());
  const std::string answers =
      absl::StrCat(created.endpoint.DebugString(), GetEndpoint(created.id()).DebugString(),
                   api().ListEndpoints(list)->DebugString(), Disable(created.id()).DebugString(),
                   Enable(created.id()).DebugString(), AttemptsTo(created.id())[0].DebugString());
  for (const std::string& secret : {created.secret, rotated}) {
    const std::string text = secret.substr(6, 30);  // Even without its ends.
    EXPECT_FALSE(absl::StrContains(answers, text));
    EXPECT_FALSE(absl::StrContains(server().Log(), text));
    EXPECT_FALSE(absl::StrContains(HttpGet(server().http_address(), "/metrics"), text));
    // At rest it is sealed: neither its text nor its bytes are in any row.
    std::string bytes;
    ASSERT_TRUE(absl::Base64Unescape(secret.substr(6), &bytes));
    const std::string dump = database().Dump();
    EXPECT_FALSE(absl::StrContains(dump, text));
    EXPECT_FALSE(absl::StrContains(dump, absl::BytesToHexString(bytes)));
    EXPECT_TRUE(absl::StrContains(dump, org()));  // The dump is not empty.
  }
}

TEST_F(SigningTest, SecretHintIsTheLast4CharactersOfTheNewestSecret) {
  const CreatedEndpoint created = CreateAt(receiver_.Url());
  EXPECT_EQ(created.endpoint.secret_hint(), created.secret.substr(created.secret.size() - 4));
  const std::string rotated = Rotate(created.id());
  EXPECT_NE(rotated, created.secret);
  EXPECT_EQ(GetEndpoint(created.id()).secret_hint(), rotated.substr(rotated.size() - 4));
}

TEST_F(SigningTest, DuringTheOverlapEveryUnexpiredSecretSigns) {
  const CreatedEndpoint created = CreateAt(receiver_.Url());
  const std::string second = Rotate(created.id());  // 24 h by default.
  LetChangeHold();
  const ReceivedRequest request = Next(1);
  const std::string header = request.Header("webhook-signature");
  const std::vector<std::string> signatures = Signatures(request);
  ASSERT_EQ(signatures.size(), 2u) << header;
  EXPECT_EQ(header, absl::StrCat(signatures[0], " ", signatures[1]));  // A single space.
  for (const std::string& signature : signatures) {
    EXPECT_TRUE(absl::StartsWith(signature, "v1,"));
  }
  EXPECT_EQ(request.CountHeaders("webhook-signature"), 1u);
  EXPECT_TRUE(VerifySignature(request, {created.secret}).ok());
  EXPECT_TRUE(VerifySignature(request, {second}).ok());
  EXPECT_EQ(database().Value(absl::StrCat(
                "SELECT round(extract(epoch FROM expire_time - now()) / 3600) FROM "
                "endpoint_secrets s JOIN endpoints e USING (endpoint_id) JOIN environments USING "
                "(env_no) WHERE version = 1 AND org_id = '",
                org(), "'")),
            "24");
}

TEST_F(SigningTest, WithoutOverlapTheOldSecretEndsAtOnce) {
  const CreatedEndpoint created = CreateAt(receiver_.Url());
  const std::string second = Rotate(created.id(), absl::ZeroDuration());
  LetChangeHold();
  const ReceivedRequest request = Next(1);
  EXPECT_EQ(Signatures(request).size(), 1u);
  EXPECT_TRUE(VerifySignature(request, {second}).ok());
  EXPECT_FALSE(VerifySignature(request, {created.secret}).ok());
}

TEST_F(SigningTest, AfterTheOverlapTheOldSecretNoLongerSigns) {
  const CreatedEndpoint created = CreateAt(receiver_.Url());
  const absl::Time rotated = absl::Now();
  const std::string second = Rotate(created.id(), absl::Seconds(3));
  LetChangeHold();
  EXPECT_EQ(Signatures(Next(1)).size(), 2u);
  WaitUntil([&] { return absl::Now() > rotated + absl::Milliseconds(3300); });
  const ReceivedRequest request = Next(2);
  EXPECT_EQ(Signatures(request).size(), 1u);
  EXPECT_TRUE(VerifySignature(request, {second}).ok());
}

TEST_F(SigningTest, AtMostThreeSecretsSignAndTheOldestEndsFirst) {
  const CreatedEndpoint created = CreateAt(receiver_.Url());
  std::vector<std::string> secrets = {created.secret};
  for (int i = 0; i < 3; ++i) secrets.push_back(Rotate(created.id(), absl::Hours(7 * 24)));
  LetChangeHold();
  const ReceivedRequest request = Next(1);
  EXPECT_EQ(Signatures(request).size(), 3u);
  EXPECT_FALSE(VerifySignature(request, {secrets[0]}).ok());
  for (int i = 1; i <= 3; ++i) EXPECT_TRUE(VerifySignature(request, {secrets[i]}).ok()) << i;
}

TEST_F(SigningTest, ARotationHoldsForAttemptsThatStartMoreThanASecondLaterRetriesIncluded) {
  receiver_.AnswerInTurn({Answer{.status = 500}, Answer{}});
  v1::Endpoint endpoint = EndpointAt(receiver_.Url());
  *endpoint.add_retry_schedule() = ToProto(absl::Milliseconds(1500));
  const CreatedEndpoint created = Create(endpoint);
  PublishEvent();
  ASSERT_EQ(receiver_.WaitForRequests(1).size(), 1u);
  const std::string second = Rotate(created.id(), absl::ZeroDuration());
  const std::vector<ReceivedRequest> requests = receiver_.WaitForRequests(2);
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_TRUE(VerifySignature(requests[0], {created.secret}).ok());
  EXPECT_TRUE(VerifySignature(requests[1], {second}).ok());
}

TEST_F(SigningTest, ACallerMayBringTheNewSecretOfARotation) {
  const CreatedEndpoint created = CreateAt(receiver_.Url());
  v1::RotateEndpointSecretRequest request;
  request.set_endpoint_id(created.id());
  request.set_secret(SecretOf(40, 'n'));
  const Reply<v1::RotateEndpointSecretResponse> reply = api().RotateEndpointSecret(request);
  ASSERT_TRUE(reply.ok()) << ToText(reply.status);
  EXPECT_EQ(reply->secret(), SecretOf(40, 'n'));
  EXPECT_NE(reply->endpoint().etag(), created.endpoint.etag());
  LetChangeHold();
  EXPECT_TRUE(VerifySignature(Next(1), {SecretOf(40, 'n')}).ok());
}

TEST_F(SigningTest, ARequestIdMakesARetryOfARotationSafe) {
  const CreatedEndpoint created = CreateAt(receiver_.Url());
  v1::RotateEndpointSecretRequest request;
  request.set_endpoint_id(created.id());
  request.set_request_id("rotate once");
  const Reply<v1::RotateEndpointSecretResponse> first = api().RotateEndpointSecret(request);
  const Reply<v1::RotateEndpointSecretResponse> second = api().RotateEndpointSecret(request);
  ASSERT_TRUE(first.ok()) << ToText(first.status);
  ASSERT_TRUE(second.ok()) << ToText(second.status);
  EXPECT_EQ(first->secret(), second->secret());
  LetChangeHold();
  EXPECT_EQ(Signatures(Next(1)).size(), 2u);
  *request.mutable_overlap() = ToProto(absl::Seconds(5));
  EXPECT_REFUSED(api().RotateEndpointSecret(request).status, StatusCode::ALREADY_EXISTS);
}

TEST_F(SigningTest, TheSchemeChangesOnlyThroughRotation) {
  v1::Endpoint endpoint = CreateAt(receiver_.Url()).endpoint;
  EXPECT_EQ(endpoint.signature_scheme(), v1::SIGNATURE_SCHEME_HMAC_SHA256);
  v1::UpdateEndpointRequest request;
  request.mutable_endpoint()->set_id(endpoint.id());
  request.mutable_endpoint()->set_signature_scheme(v1::SIGNATURE_SCHEME_ED25519);
  EXPECT_BAD_FIELDS(api().UpdateEndpoint(request).status, "endpoint.signature_scheme");
  request.mutable_endpoint()->set_signature_scheme(v1::SIGNATURE_SCHEME_HMAC_SHA256);
  request.mutable_update_mask()->add_paths("signature_scheme");
  EXPECT_BAD_FIELDS(api().UpdateEndpoint(request).status, "update_mask");
  EXPECT_EQ(GetEndpoint(endpoint.id()).signature_scheme(), v1::SIGNATURE_SCHEME_HMAC_SHA256);
}

}  // namespace
}  // namespace postrider::testing

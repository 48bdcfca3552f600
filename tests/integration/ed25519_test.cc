// SEMANTICS, "Signing": Ed25519 as the asymmetric choice, and the way from one scheme to the other.

#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/support/engine_test.h"
#include "tests/support/expect.h"
#include "tests/support/program.h"
#include "tests/support/scratch_folder.h"

namespace postrider::testing {
namespace {

std::string BytesOf(const std::string& key) {
  std::string bytes;
  EXPECT_TRUE(absl::Base64Unescape(key.substr(5), &bytes)) << key;
  return bytes;
}

std::string WriteFile(absl::string_view name, const std::string& content) {
  const std::string path = ScratchFolder::NewFile(name);
  std::ofstream(path, std::ios::binary) << content;
  return path;
}

// What OpenSSL's command line says of the request's signature: "v1a," and base64 of it.
bool OpenSslVerifies(const ReceivedRequest& request, const std::string& signature,
                     const std::string& public_key) {
  std::string bytes;
  EXPECT_TRUE(absl::Base64Unescape(signature.substr(4), &bytes)) << signature;
  // An Ed25519 key in DER is this head and the key (RFC 8410, section 4).
  const std::string der =
      absl::StrCat(absl::HexStringToBytes("302a300506032b6570032100"), BytesOf(public_key));
  const std::string message = absl::StrCat(request.Header("webhook-id"), ".",
                                           request.Header("webhook-timestamp"), ".", request.body);
  Program::Options options;
  options.arguments = {"/usr/bin/openssl",
                       "pkeyutl",
                       "-verify",
                       "-pubin",
                       "-keyform",
                       "DER",
                       "-inkey",
                       WriteFile("public-key", der),
                       "-rawin",
                       "-in",
                       WriteFile("message", message),
                       "-sigfile",
                       WriteFile("signature", bytes)};
  options.read_output = false;
  absl::StatusOr<std::unique_ptr<Program>> openssl = Program::Start(options);
  EXPECT_TRUE(openssl.ok()) << openssl.status();
  return openssl.ok() && (*openssl)->WaitForExit(kPatience) == 0;
}

class Ed25519Test : public EngineTest {
 protected:
  CreatedEndpoint CreateEd25519(const std::string& secret = "") {
    v1::CreateEndpointRequest request;
    *request.mutable_endpoint() = EndpointAt(receiver_.Url());
    request.mutable_endpoint()->set_signature_scheme(v1::SIGNATURE_SCHEME_ED25519);
    if (!secret.empty()) request.set_secret(secret);
    const Reply<v1::CreateEndpointResponse> created = api().CreateEndpoint(request);
    EXPECT_TRUE(created.ok()) << ToText(created.status);
    created_ids_.push_back(created->endpoint().id());
    return {created->endpoint(), created->secret()};
  }

  v1::RotateEndpointSecretResponse RotateTo(const std::string& id, v1::SignatureScheme scheme) {
    v1::RotateEndpointSecretRequest request;
    request.set_endpoint_id(id);
    request.set_signature_scheme(scheme);
    const Reply<v1::RotateEndpointSecretResponse> reply = api().RotateEndpointSecret(request);
    EXPECT_TRUE(reply.ok()) << ToText(reply.status);
    return reply.value;
  }

  ReceivedRequest Next(size_t count) {
    PublishEvent();
    const std::vector<ReceivedRequest> requests = receiver_.WaitForRequests(count);
    EXPECT_EQ(requests.size(), count);
    return requests.empty() ? ReceivedRequest() : requests.back();
  }

  static std::vector<std::string> Signatures(const ReceivedRequest& request) {
    return absl::StrSplit(request.Header("webhook-signature"), ' ');
  }

  void TearDown() override {
    for (const std::string& id : created_ids_) Delete(id);
    EngineTest::TearDown();
  }

  std::vector<std::string> created_ids_;
};

TEST_F(Ed25519Test, OpenSslsCommandLineVerifiesWhatArrivesAndNothingElse) {
  const CreatedEndpoint endpoint = CreateEd25519();
  const ReceivedRequest request = Next(1);
  const std::vector<std::string> signatures = Signatures(request);
  ASSERT_EQ(signatures.size(), 1u);
  ASSERT_TRUE(absl::StartsWith(signatures[0], "v1a,"));
  EXPECT_TRUE(OpenSslVerifies(request, signatures[0], endpoint.endpoint.public_key()));
  ReceivedRequest changed = request;
  changed.body[changed.body.size() / 2] ^= 1;
  EXPECT_FALSE(OpenSslVerifies(changed, signatures[0], endpoint.endpoint.public_key()));
  EXPECT_FALSE(OpenSslVerifies(request, signatures[0], CreateEd25519().endpoint.public_key()));
  // And so do our own tools, with the public key and with the secret.
  EXPECT_TRUE(VerifySignature(request, {endpoint.endpoint.public_key()}).ok());
  EXPECT_TRUE(VerifySignature(request, {endpoint.secret}).ok());
}

TEST_F(Ed25519Test, TheSecretIsShownOnceAndThePublicKeyAlways) {
  const CreatedEndpoint created = CreateEd25519();
  EXPECT_EQ(created.endpoint.signature_scheme(), v1::SIGNATURE_SCHEME_ED25519);
  ASSERT_TRUE(absl::StartsWith(created.secret, "whsk_")) << created.secret;
  ASSERT_TRUE(absl::StartsWith(created.endpoint.public_key(), "whpk_"));
  const std::string bytes = BytesOf(created.secret);
  EXPECT_EQ(bytes.size(), 64u);
  EXPECT_EQ(bytes.substr(32), BytesOf(created.endpoint.public_key()));
  EXPECT_EQ(GetEndpoint(created.id()).public_key(), created.endpoint.public_key());
  v1::ListEndpointsRequest list;
  list.set_org_id(org());
  const Reply<v1::ListEndpointsResponse> listed = api().ListEndpoints(list);
  ASSERT_EQ(listed->endpoints_size(), 1);
  EXPECT_EQ(listed->endpoints(0).public_key(), created.endpoint.public_key());
  EXPECT_EQ(listed->endpoints(0).secret_hint(), created.secret.substr(created.secret.size() - 4));
  const std::string seed = created.secret.substr(5, 40);
  EXPECT_FALSE(absl::StrContains(listed->DebugString(), seed));
  const std::string dump = database().Dump();
  EXPECT_FALSE(absl::StrContains(dump, seed));
  EXPECT_FALSE(absl::StrContains(dump, absl::BytesToHexString(bytes.substr(0, 32))));
}

TEST_F(Ed25519Test, ACallerMayBringThePrivateKeyWholeOrAsItsSeed) {
  const std::string own = CreateEd25519().secret;
  const CreatedEndpoint whole = CreateEd25519(own);
  EXPECT_EQ(whole.secret, own);
  const CreatedEndpoint seed =
      CreateEd25519(absl::StrCat("whsk_", absl::Base64Escape(BytesOf(own).substr(0, 32))));
  EXPECT_EQ(seed.secret, own);
  EXPECT_EQ(seed.endpoint.public_key(), whole.endpoint.public_key());
}

TEST_F(Ed25519Test, SecretsOfTheOtherSchemeAndBrokenOnesAreRefusedAndNotRepeated) {
  const std::string own = CreateEd25519().secret;
  std::string mismatched = BytesOf(own);
  mismatched[40] ^= 1;
  for (const std::string& secret :
       {absl::StrCat("whsec_", absl::Base64Escape(std::string(32, 'k'))),
        absl::StrCat("whpk_", absl::Base64Escape(std::string(32, 'k'))),
        absl::StrCat("whsk_", absl::Base64Escape(std::string(33, 'k'))),
        absl::StrCat("whsk_", absl::Base64Escape(mismatched)), std::string("whsk_")}) {
    v1::CreateEndpointRequest request;
    *request.mutable_endpoint() = EndpointAt(receiver_.Url());
    request.mutable_endpoint()->set_signature_scheme(v1::SIGNATURE_SCHEME_ED25519);
    request.set_secret(secret);
    const grpc::Status status = api().CreateEndpoint(request).status;
    EXPECT_BAD_FIELDS(status, "secret") << secret;
    if (secret.size() > 20) {
      EXPECT_FALSE(absl::StrContains(status.error_details(), secret.substr(10, 10)));
    }
  }
}

TEST_F(Ed25519Test, RotationBetweenSchemesKeepsBothSigningDuringTheOverlap) {
  const CreatedEndpoint created = CreateAt(receiver_.Url());
  const v1::RotateEndpointSecretResponse first =
      RotateTo(created.id(), v1::SIGNATURE_SCHEME_ED25519);
  EXPECT_EQ(first.endpoint().signature_scheme(), v1::SIGNATURE_SCHEME_ED25519);
  LetChangeHold();
  ReceivedRequest request = Next(1);
  std::vector<std::string> signatures = Signatures(request);
  ASSERT_EQ(signatures.size(), 2u) << request.Header("webhook-signature");
  EXPECT_EQ(request.CountHeaders("webhook-signature"), 1u);
  EXPECT_TRUE(OpenSslVerifies(request, signatures[0], first.endpoint().public_key()));
  EXPECT_TRUE(absl::StartsWith(signatures[1], "v1,"));
  EXPECT_TRUE(VerifySignature(request, {created.secret}).ok());

  const v1::RotateEndpointSecretResponse back =
      RotateTo(created.id(), v1::SIGNATURE_SCHEME_HMAC_SHA256);
  EXPECT_EQ(back.endpoint().public_key(), "");
  LetChangeHold();
  request = Next(2);
  signatures = Signatures(request);
  ASSERT_EQ(signatures.size(), 3u) << request.Header("webhook-signature");
  EXPECT_TRUE(absl::StartsWith(signatures[0], "v1,"));
  EXPECT_TRUE(absl::StartsWith(signatures[1], "v1a,"));
  EXPECT_TRUE(absl::StartsWith(signatures[2], "v1,"));
  for (const std::string& secret :
       {created.secret, first.secret(), first.endpoint().public_key(), back.secret()}) {
    EXPECT_TRUE(VerifySignature(request, {secret}).ok());
  }
}

TEST_F(Ed25519Test, ARotationThatNamesNoSchemeKeepsIt) {
  const CreatedEndpoint created = CreateEd25519();
  const v1::RotateEndpointSecretResponse rotated =
      RotateTo(created.id(), v1::SIGNATURE_SCHEME_UNSPECIFIED);
  EXPECT_EQ(rotated.endpoint().signature_scheme(), v1::SIGNATURE_SCHEME_ED25519);
  EXPECT_TRUE(absl::StartsWith(rotated.secret(), "whsk_"));
  EXPECT_NE(rotated.endpoint().public_key(), created.endpoint.public_key());
  v1::RotateEndpointSecretRequest request;
  request.set_endpoint_id(created.id());
  request.set_secret(absl::StrCat("whsec_", absl::Base64Escape(std::string(32, 'k'))));
  EXPECT_BAD_FIELDS(api().RotateEndpointSecret(request).status, "secret");
  request.set_signature_scheme(v1::SIGNATURE_SCHEME_HMAC_SHA256);
  EXPECT_TRUE(api().RotateEndpointSecret(request).ok());
}

TEST_F(Ed25519Test, AnUpdateMayNameTheSchemeItHasAndNoOther) {
  const CreatedEndpoint created = CreateEd25519();
  v1::UpdateEndpointRequest request;
  request.mutable_endpoint()->set_id(created.id());
  request.mutable_endpoint()->set_description("with its scheme");
  request.mutable_endpoint()->set_signature_scheme(v1::SIGNATURE_SCHEME_ED25519);
  const Reply<v1::UpdateEndpointResponse> updated = api().UpdateEndpoint(request);
  EXPECT_TRUE(updated.ok()) << ToText(updated.status);
  EXPECT_EQ(updated->endpoint().public_key(), created.endpoint.public_key());
  request.mutable_endpoint()->set_signature_scheme(v1::SIGNATURE_SCHEME_HMAC_SHA256);
  EXPECT_BAD_FIELDS(api().UpdateEndpoint(request).status, "endpoint.signature_scheme");
}

}  // namespace
}  // namespace postrider::testing

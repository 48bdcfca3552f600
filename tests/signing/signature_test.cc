#include "server/signing/signature.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace postrider::signing {
namespace {

using testing::HasSubstr;
using testing::Not;

// Published by the Standard Webhooks project.
constexpr std::string_view kSecret1 = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
constexpr std::string_view kId1 = "msg_p5jXN8AQM9LWM0D4loKWxJek";
constexpr int64_t kTime1 = 1614265330;
constexpr std::string_view kBody1 = R"({"test": 2432232314})";
constexpr std::string_view kSignature1 = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

constexpr std::string_view kSecret2 = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
constexpr std::string_view kId2 = "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk";
constexpr int64_t kTime2 = 1649367553;
constexpr std::string_view kBody2 = R"({"email":"test@example.com","username":"test_user"})";
constexpr std::string_view kSignature2 = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";

HmacSecret Secret(std::string_view text) { return ParseHmacSecret(text).value(); }
HmacSecret SecretOf(char fill, size_t size) {
  return Secret(FormatHmacSecret(std::string(size, fill)));
}

TEST(SignatureTest, AgreesWithTheVectorsOfStandardWebhooks) {
  EXPECT_EQ(SignV1(Secret(kSecret1), kId1, kTime1, kBody1), kSignature1);
  EXPECT_EQ(SignV1(Secret(kSecret2), kId2, kTime2, kBody2), kSignature2);
}

TEST(SignerTest, SignsManyAttemptsWithOneKey) {
  auto signer = Signer::Create({SigningKey(Secret(kSecret1))});
  ASSERT_TRUE(signer.ok()) << signer.status();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(signer->Header(kId1, kTime1, kBody1), kSignature1);
    EXPECT_EQ(signer->Header(kId2, kTime2, kBody2), SignV1(Secret(kSecret1), kId2, kTime2, kBody2));
  }
}

TEST(SignerTest, SeparatesSignaturesBySingleSpacesInTheOrderOfTheKeys) {
  const HmacSecret third = SecretOf('x', 64);
  auto signer = Signer::Create(
      {SigningKey(Secret(kSecret1)), SigningKey(Secret(kSecret2)), SigningKey(third)});
  ASSERT_TRUE(signer.ok()) << signer.status();
  EXPECT_EQ(
      signer->Header(kId1, kTime1, kBody1),
      absl::StrCat(std::string(kSignature1), " ", SignV1(Secret(kSecret2), kId1, kTime1, kBody1),
                   " ", SignV1(third, kId1, kTime1, kBody1)));
}

TEST(SignerTest, KeysOfEverySizeSign) {
  for (size_t size = kMinHmacSecretBytes; size <= kMaxHmacSecretBytes; ++size) {
    const std::string signature = SignV1(SecretOf('k', size), "evt_1", 1, "{}");
    EXPECT_EQ(signature.size(), 47u);
    EXPECT_NE(signature, SignV1(SecretOf('l', size), "evt_1", 1, "{}"));
  }
}

TEST(SignerTest, EveryPartIsSigned) {
  const HmacSecret secret = Secret(kSecret1);
  const std::string signature = SignV1(secret, "evt_1", 10, "{}");
  EXPECT_NE(signature, SignV1(secret, "evt_2", 10, "{}"));
  EXPECT_NE(signature, SignV1(secret, "evt_1", 11, "{}"));
  EXPECT_NE(signature, SignV1(secret, "evt_1", 10, "{ }"));
  EXPECT_NE(signature, SignV1(secret, "evt_1", 1, "0.{}"));
}

TEST(SignerTest, StaysUsableAfterAMove) {
  Signer signer = Signer::Create({SigningKey(Secret(kSecret1))}).value();
  Signer moved = std::move(signer);
  EXPECT_EQ(moved.Header(kId1, kTime1, kBody1), kSignature1);
}

TEST(SignerTest, RefusesNoKeyFourKeysAndKeysOfBadSize) {
  EXPECT_EQ(Signer::Create({}).status().code(), absl::StatusCode::kInvalidArgument);
  const std::vector<SigningKey> four(4, SigningKey(Secret(kSecret1)));
  EXPECT_EQ(Signer::Create(four).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(SignerTest, Ed25519AgreesWithTheVectorOfStandardWebhooks) {
  // Of the reference library for Go, whose secrets are seeds.
  const auto key = ParseSigningKey("whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk=");
  ASSERT_TRUE(key.ok()) << key.status();
  auto signer = Signer::Create({*key});
  ASSERT_TRUE(signer.ok()) << signer.status();
  EXPECT_EQ(
      signer->Header(kId1, kTime1, kBody1),
      "v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5WqyeFiL"
      "8Ag==");
}

TEST(SignerTest, KeysOfBothSchemesSignSideBySide) {
  const Ed25519PrivateKey asymmetric = Ed25519PrivateKey::Generate();
  auto signer = Signer::Create({asymmetric, SigningKey(Secret(kSecret1))});
  ASSERT_TRUE(signer.ok()) << signer.status();
  auto alone = Signer::Create({asymmetric});
  ASSERT_TRUE(alone.ok()) << alone.status();
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(signer->Header(kId1, kTime1, kBody1),
              absl::StrCat(alone->Header(kId1, kTime1, kBody1), " ", std::string(kSignature1)));
  }
}

TEST(ParseSigningKeyTest, RefusesWhatSignsNothingWithoutRepeatingIt) {
  const std::string public_key = Ed25519PrivateKey::Generate().public_key().ToText();
  for (const std::string& text :
       {public_key, std::string("whsec_dG9vLXNob3J0"), std::string("whsk_dG9vLXNob3J0"),
        std::string("in plain words")}) {
    const absl::Status status = ParseSigningKey(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr(text.substr(6, 8))));
  }
}

TEST(SchemeVersionTest, IsWhatStandsBeforeTheComma) {
  EXPECT_EQ(SchemeVersion(SignatureScheme::kHmacSha256), "v1");
  EXPECT_EQ(SchemeVersion(SignatureScheme::kEd25519), "v1a");
}

}  // namespace
}  // namespace postrider::signing

#include "server/signing/secret_text.h"

#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "server/signing/ed25519_key.h"

namespace postrider::signing {
namespace {

std::string TextOf(size_t size) {
  return absl::StrCat("whsec_", absl::Base64Escape(std::string(size, 'k')));
}

TEST(GenerateSecretTest, GivesEachSchemeItsForm) {
  const SecretText hmac = GenerateSecret(SignatureScheme::kHmacSha256);
  EXPECT_TRUE(ReadSecret(SignatureScheme::kHmacSha256, hmac.text).ok());
  EXPECT_EQ(hmac.public_key, "");
  const SecretText ed25519 = GenerateSecret(SignatureScheme::kEd25519);
  EXPECT_TRUE(absl::StartsWith(ed25519.text, "whsk_"));
  EXPECT_TRUE(absl::StartsWith(ed25519.public_key, "whpk_"));
  EXPECT_NE(ed25519.text, GenerateSecret(SignatureScheme::kEd25519).text);
}

TEST(ReadSecretTest, KeepsWhatIsInItsOneFormAndDerivesThePublicKey) {
  EXPECT_EQ(ReadSecret(SignatureScheme::kHmacSha256, TextOf(40))->text, TextOf(40));
  const SecretText made = GenerateSecret(SignatureScheme::kEd25519);
  const auto read = ReadSecret(SignatureScheme::kEd25519, made.text);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->text, made.text);
  EXPECT_EQ(read->public_key, made.public_key);
}

TEST(ReadSecretTest, ASeedAloneBecomesTheLongForm) {
  const SecretText made = GenerateSecret(SignatureScheme::kEd25519);
  std::string bytes;
  ASSERT_TRUE(absl::Base64Unescape(made.text.substr(5), &bytes));
  const auto read = ReadSecret(SignatureScheme::kEd25519,
                               absl::StrCat("whsk_", absl::Base64Escape(bytes.substr(0, 32))));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->text, made.text);
  EXPECT_EQ(read->public_key, made.public_key);
}

TEST(ReadSecretTest, RefusesTheOtherSchemesSecret) {
  const SecretText ed25519 = GenerateSecret(SignatureScheme::kEd25519);
  EXPECT_FALSE(ReadSecret(SignatureScheme::kHmacSha256, ed25519.text).ok());
  EXPECT_FALSE(ReadSecret(SignatureScheme::kEd25519, TextOf(32)).ok());
  EXPECT_FALSE(ReadSecret(SignatureScheme::kEd25519, ed25519.public_key).ok());
}

TEST(SecretHintTest, IsTheLastFourCharacters) {
  EXPECT_EQ(SecretHint("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), "LaSw");
  EXPECT_EQ(SecretHint(TextOf(32)), TextOf(32).substr(46));
}

TEST(SecretHintTest, GivesNothingOfATextThatIsTooShortForASecret) {
  EXPECT_EQ(SecretHint(""), "");
  EXPECT_EQ(SecretHint("abcd"), "");
  EXPECT_EQ(SecretHint("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS"), "");
}

}  // namespace
}  // namespace postrider::signing

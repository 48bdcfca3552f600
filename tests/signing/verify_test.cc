#include "server/signing/verify.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "server/signing/signature.h"

namespace postrider::signing {
namespace {

constexpr std::string_view kId = "evt_01JNV5Z7Q8W9E0R1T2Y3U4I5O6";
constexpr std::string_view kBody = R"({"id":"evt_01JNV5Z7Q8W9E0R1T2Y3U4I5O6"})";
constexpr int64_t kTime = 1772980200;
const absl::Time kNow = absl::FromUnixSeconds(kTime);

HmacSecret SecretOf(char fill) {
  return ParseHmacSecret(FormatHmacSecret(std::string(32, fill))).value();
}

TEST(VerifySignaturesTest, AcceptsAnySignatureOfAnySecret) {
  const HmacSecret a = SecretOf('a');
  const HmacSecret b = SecretOf('b');
  const std::string by_a = SignV1(a, kId, kTime, kBody);
  const std::string by_b = SignV1(b, kId, kTime, kBody);
  EXPECT_TRUE(VerifySignatures(by_a, {a}, kId, kTime, kBody));
  EXPECT_TRUE(VerifySignatures(by_b, {a, b}, kId, kTime, kBody));
  EXPECT_TRUE(VerifySignatures(absl::StrCat(by_a, " ", by_b), {b}, kId, kTime, kBody));
  EXPECT_TRUE(VerifySignatures(absl::StrCat("v1a,AAAA v2,x  ", by_a), {a}, kId, kTime, kBody));
}

TEST(VerifySignaturesTest, RefusesEverythingElse) {
  const HmacSecret a = SecretOf('a');
  const std::string good = SignV1(a, kId, kTime, kBody);
  EXPECT_FALSE(VerifySignatures(good, {}, kId, kTime, kBody));
  EXPECT_FALSE(VerifySignatures(good, {SecretOf('b')}, kId, kTime, kBody));
  EXPECT_FALSE(VerifySignatures(good, {a}, "evt_other", kTime, kBody));
  EXPECT_FALSE(VerifySignatures(good, {a}, kId, kTime + 1, kBody));
  EXPECT_FALSE(VerifySignatures(good, {a}, kId, kTime, std::string(kBody) + " "));
  const std::string headers[] = {
      "",
      " ",
      "v1,",
      good.substr(3),
      absl::StrCat("v1a,", good.substr(3)),
      absl::StrCat("V1,", good.substr(3)),
      good.substr(0, good.size() - 1),
      absl::StrCat(good, "="),
      absl::StrCat(good, ","),
      absl::StrCat(good, good),
      absl::StrCat(good, std::string(kMaxSignatureHeaderBytes, ' ')),
  };
  for (const std::string& header : headers) {
    EXPECT_FALSE(VerifySignatures(header, {a}, kId, kTime, kBody)) << header;
  }
  for (size_t i = 3; i < good.size(); ++i) {
    std::string changed = good;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(VerifySignatures(changed, {a}, kId, kTime, kBody)) << i;
  }
}

TEST(VerifySignaturesTest, ChecksEachSchemeWithItsKey) {
  const Ed25519PrivateKey private_key = Ed25519PrivateKey::Generate();
  const Ed25519PublicKey public_key = private_key.public_key();
  const std::string both = Signer::Create({private_key, SecretOf('a')})->Header(kId, kTime, kBody);
  const std::string v1a = both.substr(0, both.find(' '));
  EXPECT_TRUE(VerifySignatures(both, {public_key}, kId, kTime, kBody));
  EXPECT_TRUE(VerifySignatures(both, {SecretOf('a')}, kId, kTime, kBody));
  EXPECT_TRUE(VerifySignatures(v1a, {SecretOf('b'), public_key}, kId, kTime, kBody));
  EXPECT_FALSE(VerifySignatures(v1a, {SecretOf('a')}, kId, kTime, kBody));
  EXPECT_FALSE(
      VerifySignatures(v1a, {Ed25519PrivateKey::Generate().public_key()}, kId, kTime, kBody));
  EXPECT_FALSE(VerifySignatures(v1a, {public_key}, "evt_other", kTime, kBody));
  EXPECT_FALSE(VerifySignatures(v1a, {public_key}, kId, kTime + 1, kBody));
  EXPECT_FALSE(VerifySignatures(v1a, {public_key}, kId, kTime, std::string(kBody) + " "));
  for (const std::string& header :
       {absl::StrCat("v1,", v1a.substr(4)), v1a.substr(4), v1a.substr(0, v1a.size() - 1),
        absl::StrCat(v1a, "="), std::string("v1a,"), std::string("v1a")}) {
    EXPECT_FALSE(VerifySignatures(header, {public_key}, kId, kTime, kBody)) << header;
  }
}

TEST(VerifyingKeyTest, ReadsSecretsAndPublicKeys) {
  const Ed25519PrivateKey key = Ed25519PrivateKey::Generate();
  const std::string header = Signer::Create({key})->Header(kId, kTime, kBody);
  for (const std::string& text : {key.ToText(), key.public_key().ToText()}) {
    const auto read = VerifyingKey::Parse(text);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->scheme(), SignatureScheme::kEd25519);
    EXPECT_TRUE(read->VerifiesAny(header, kId, kTime, kBody));
  }
  EXPECT_EQ(VerifyingKey::Parse(FormatHmacSecret(std::string(32, 'a')))->scheme(),
            SignatureScheme::kHmacSha256);
  for (const char* text : {"", "whsec_x", "whpk_x", "whsk_x", "plain"}) {
    EXPECT_EQ(VerifyingKey::Parse(text).status().code(), absl::StatusCode::kInvalidArgument)
        << text;
  }
}

TEST(CheckTimestampTest, AcceptsFiveMinutesEitherWay) {
  for (int64_t offset : {-300, -299, 0, 299, 300}) {
    EXPECT_TRUE(CheckTimestamp(kTime + offset, kNow).ok()) << offset;
  }
  EXPECT_EQ(CheckTimestamp(kTime - 301, kNow),
            absl::OutOfRangeError("webhook-timestamp is 5m1s old, more than the 5m allowed"));
  EXPECT_EQ(
      CheckTimestamp(kTime + 301, kNow),
      absl::OutOfRangeError("webhook-timestamp is 5m1s in the future, more than the 5m allowed"));
}

TEST(CheckTimestampTest, FollowsTheToleranceGiven) {
  EXPECT_TRUE(CheckTimestamp(kTime - 3600, kNow, absl::Hours(1)).ok());
  EXPECT_FALSE(CheckTimestamp(kTime - 1, kNow, absl::ZeroDuration()).ok());
  EXPECT_TRUE(CheckTimestamp(0, kNow, absl::InfiniteDuration()).ok());
  EXPECT_FALSE(CheckTimestamp(INT64_MAX, kNow).ok());
  EXPECT_FALSE(CheckTimestamp(INT64_MIN, kNow).ok());
}

class VerifyRequestTest : public testing::Test {
 protected:
  absl::Status Verify() const {
    return VerifyRequest({id_, timestamp_, signature_}, body_, secrets_, kNow);
  }

  std::vector<VerifyingKey> secrets_ = {SecretOf('a'), SecretOf('b')};
  std::string id_{kId};
  std::string timestamp_ = absl::StrCat(kTime);
  std::string body_{kBody};
  std::string signature_ = SignV1(SecretOf('b'), kId, kTime, kBody);
};

TEST_F(VerifyRequestTest, AcceptsWhatASignerMade) { EXPECT_TRUE(Verify().ok()) << Verify(); }

TEST_F(VerifyRequestTest, NamesTheMissingHeader) {
  id_.clear();
  EXPECT_EQ(Verify(), absl::InvalidArgumentError("the header webhook-id is missing"));
  id_ = kId;
  timestamp_.clear();
  EXPECT_EQ(Verify(), absl::InvalidArgumentError("the header webhook-timestamp is missing"));
  timestamp_ = absl::StrCat(kTime);
  signature_.clear();
  EXPECT_EQ(Verify(), absl::InvalidArgumentError("the header webhook-signature is missing"));
}

TEST_F(VerifyRequestTest, RefusesATimestampThatIsNoPlainNumber) {
  for (const char* text : {"x", "-1", "+1772980200", " 1772980200", "1772980200 ", "01772980200",
                           "1772980200.0", "1.7e9", "0", "99999999999999999999"}) {
    timestamp_ = text;
    EXPECT_EQ(Verify(),
              absl::InvalidArgumentError("webhook-timestamp is not a number of seconds since 1970"))
        << text;
  }
}

TEST_F(VerifyRequestTest, SaysThatTheTimestampIsOutsideTheTolerance) {
  timestamp_ = absl::StrCat(kTime - 301);
  signature_ = SignV1(SecretOf('a'), kId, kTime - 301, kBody);
  EXPECT_EQ(Verify().code(), absl::StatusCode::kOutOfRange);
}

TEST_F(VerifyRequestTest, SaysThatNoSignatureIsOfASchemeThatAKeyChecks) {
  signature_ = "v1a,AAAA v2,BBBB";
  EXPECT_EQ(Verify(), absl::InvalidArgumentError("webhook-signature holds no v1 signature"));
  secrets_ = {Ed25519PrivateKey::Generate().public_key()};
  signature_ = "v1,AAAA";
  EXPECT_EQ(Verify(), absl::InvalidArgumentError("webhook-signature holds no v1a signature"));
  secrets_.push_back(SecretOf('a'));
  signature_ = "v2,AAAA v1 v1a";
  EXPECT_EQ(Verify(), absl::InvalidArgumentError("webhook-signature holds no v1 or v1a signature"));
  signature_ = std::string(kMaxSignatureHeaderBytes + 1, 'v');
  EXPECT_EQ(Verify().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(VerifyRequestTest, SaysThatNoSignatureMatches) {
  body_.push_back(' ');
  EXPECT_EQ(Verify().code(), absl::StatusCode::kUnauthenticated);
  body_.pop_back();
  secrets_.pop_back();
  EXPECT_EQ(Verify().code(), absl::StatusCode::kUnauthenticated);
}

}  // namespace
}  // namespace postrider::signing

#include "server/signing/ed25519_key.h"

#include <string>
#include <type_traits>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace postrider::signing {
namespace {

template <typename T, typename = void>
struct IsPrintable : std::false_type {};
template <typename T>
struct IsPrintable<T, std::void_t<decltype(std::declval<std::ostream&>() << std::declval<T>())>>
    : std::true_type {};
static_assert(!IsPrintable<Ed25519PrivateKey>::value);

std::string Base64(std::string_view bytes) {
  return absl::Base64Escape(absl::string_view(bytes.data(), bytes.size()));
}
std::string FromHex(const char* hex) { return absl::HexStringToBytes(hex); }

std::string BytesOf(const std::string& text) {
  std::string bytes;
  EXPECT_TRUE(absl::Base64Unescape(text.substr(5), &bytes)) << text;
  return bytes;
}

// RFC 8032, section 7.1, tests 1 to 3.
struct Vector {
  const char* seed;
  const char* public_key;
  const char* message;
  const char* signature;
};
constexpr Vector kVectors[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b"
     "4"
     "6bd25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11"
     "d"
     "8c387b2eaeb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc"
     "6"
     "594a7c15e9716ed28dc027beceea1ec40a"},
};

TEST(Ed25519KeyTest, AgreesWithRfc8032) {
  for (const Vector& vector : kVectors) {
    const auto key = Ed25519PrivateKey::Parse(
        absl::StrCat("whsk_", Base64(FromHex(vector.seed) + FromHex(vector.public_key))));
    ASSERT_TRUE(key.ok()) << key.status();
    const std::string message = FromHex(vector.message);
    EXPECT_EQ(key->Sign(message), FromHex(vector.signature));
    EXPECT_EQ(BytesOf(key->public_key().ToText()), FromHex(vector.public_key));
    EXPECT_TRUE(key->public_key().Verifies(FromHex(vector.signature), message));
  }
}

TEST(Ed25519KeyTest, TheTextIsSeedAndPublicKeyAndReadsBack) {
  const Ed25519PrivateKey made =
      Ed25519PrivateKey::Generate([](size_t size) { return std::string(size, 's'); });
  const std::string bytes = BytesOf(made.ToText());
  ASSERT_EQ(bytes.size(), 64u);
  EXPECT_EQ(bytes.substr(0, 32), std::string(32, 's'));
  EXPECT_EQ(bytes.substr(32), BytesOf(made.public_key().ToText()));
  const auto read = Ed25519PrivateKey::Parse(made.ToText());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->ToText(), made.ToText());
  EXPECT_EQ(read->Sign("m"), made.Sign("m"));
}

TEST(Ed25519KeyTest, RefusesASeedWithTheWrongPublicKey) {
  // Signing with such a pair can give the seed away.
  std::string bytes = BytesOf(Ed25519PrivateKey::Generate().ToText());
  for (size_t i = 32; i < 64; ++i) {
    std::string changed = bytes;
    changed[i] ^= 1;
    EXPECT_EQ(Ed25519PrivateKey::Parse(absl::StrCat("whsk_", Base64(changed))).status().code(),
              absl::StatusCode::kInvalidArgument)
        << i;
  }
}

TEST(Ed25519KeyTest, RefusesEveryOtherForm) {
  const std::string good = Ed25519PrivateKey::Generate().ToText();
  for (const std::string& text :
       {std::string(), std::string("whsk_"), good.substr(5), "whsec_" + good.substr(5),
        "whpk_" + good.substr(5), good + "\n", " " + good, good.substr(0, good.size() - 1),
        absl::StrCat("whsk_", Base64(std::string(31, 'k'))),
        absl::StrCat("whsk_", Base64(std::string(33, 'k'))),
        absl::StrCat("whsk_", Base64(std::string(63, 'k'))),
        absl::StrCat("whsk_", Base64(std::string(65, 'k')))}) {
    const absl::Status status = Ed25519PrivateKey::Parse(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    if (text.size() > 20) {
      EXPECT_EQ(status.message().find(text.substr(10, 10)), absl::string_view::npos);
    }
  }
  const std::string public_text = Ed25519PrivateKey::Generate().public_key().ToText();
  EXPECT_TRUE(Ed25519PublicKey::Parse(public_text).ok());
  for (const std::string& text : {std::string(), public_text.substr(5), public_text + " ", good,
                                  absl::StrCat("whpk_", Base64(std::string(31, 'k'))),
                                  absl::StrCat("whpk_", Base64(std::string(33, 'k')))}) {
    EXPECT_EQ(Ed25519PublicKey::Parse(text).status().code(), absl::StatusCode::kInvalidArgument)
        << text;
  }
}

TEST(Ed25519KeyTest, VerifiesNothingElse) {
  const Ed25519PrivateKey key = Ed25519PrivateKey::Generate();
  const std::string signature = key.Sign("message");
  EXPECT_TRUE(key.public_key().Verifies(signature, "message"));
  EXPECT_FALSE(key.public_key().Verifies(signature, "message "));
  EXPECT_FALSE(Ed25519PrivateKey::Generate().public_key().Verifies(signature, "message"));
  EXPECT_FALSE(key.public_key().Verifies("", "message"));
  EXPECT_FALSE(key.public_key().Verifies(signature + signature, "message"));
  for (size_t i = 0; i < signature.size(); ++i) {
    std::string changed = signature;
    changed[i] ^= 1;
    EXPECT_FALSE(key.public_key().Verifies(changed, "message")) << i;
  }
}

}  // namespace
}  // namespace postrider::signing

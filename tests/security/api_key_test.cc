#include "server/security/api_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "server/security/digest.h"

namespace postrider::security {
namespace {

constexpr char kIdText[] = "01JQ8X5K2M3N4P5R6S7T8V9WXY";

std::string Text(const std::string& secret_hex) {
  return std::string("prk_") + kIdText + "_" + secret_hex;
}

TEST(ApiKeyTest, ANewKeyIsReadBack) {
  const ApiKeyId id{*Ulid::Parse(kIdText)};
  const std::string text = NewApiKey(id, [](size_t size) { return std::string(size, '\xa5'); });
  std::string hex;
  for (int i = 0; i < 32; ++i) hex += "a5";
  EXPECT_EQ(text, Text(hex));
  const std::optional<ApiKeyText> key = ParseApiKey(text);
  ASSERT_TRUE(key.has_value());
  EXPECT_EQ(key->id, id);
  EXPECT_EQ(key->secret.view(), std::string(32, '\xa5'));
}

TEST(ApiKeyTest, AKeyHoldsTwoHundredAndFiftySixRandomBits) {
  const ApiKeyId id{*Ulid::Parse(kIdText)};
  size_t asked = 0;
  NewApiKey(id, [&asked](size_t size) {
    asked += size;
    return std::string(size, 'x');
  });
  EXPECT_EQ(asked * 8, 256u);
  EXPECT_NE(NewApiKey(id, RandomBytes), NewApiKey(id, RandomBytes));
}

TEST(ApiKeyTest, NothingElseIsAKey) {
  const std::string good = Text(std::string(64, '0'));
  ASSERT_TRUE(ParseApiKey(good).has_value());
  std::string lower_id = good, cut = good, other_separator = good;
  lower_id[10] = 'k';
  cut.pop_back();
  other_separator[30] = '-';
  for (const std::string& text :
       {std::string(), std::string("prk_"), cut, good + "0", " " + good, good + "\n", lower_id,
        other_separator, "prx" + good.substr(3), "PRK" + good.substr(3),
        Text(std::string(63, '0') + "g"), Text(std::string(63, '0') + "A"),
        Text(std::string(63, '0') + '\0'), Text(std::string(62, '0') + "\xc3\xa9"),
        std::string("prk_81JQ8X5K2M3N4P5R6S7T8V9WXY_") + std::string(64, '0'),
        std::string("prk_0IJQ8X5K2M3N4P5R6S7T8V9WXY_") + std::string(64, '0')}) {
    EXPECT_FALSE(ParseApiKey(text).has_value()) << text;
  }
}

TEST(ApiKeyTest, OnlyTheDigestOfTheSecretIsCompared) {
  const SecretBytes secret(std::string(32, 's'));
  const std::string digest = ApiKeyDigest(secret);
  EXPECT_EQ(digest, Sha256({std::string(32, 's')}));
  EXPECT_TRUE(MatchesDigest(secret, digest));
  EXPECT_FALSE(MatchesDigest(SecretBytes(std::string(31, 's') + "t"), digest));
  EXPECT_FALSE(MatchesDigest(secret, digest.substr(1)));
  EXPECT_FALSE(MatchesDigest(secret, ""));
}

}  // namespace
}  // namespace postrider::security

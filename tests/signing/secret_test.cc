#include "server/signing/secret.h"

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

static_assert(!IsPrintable<HmacSecret>::value);
static_assert(!IsPrintable<security::SecretBytes>::value);

std::string TextOf(size_t size) {
  return absl::StrCat("whsec_", absl::Base64Escape(std::string(size, 'k')));
}

TEST(HmacSecretTest, ReadsEverySizeFrom24To64Bytes) {
  for (size_t size = 24; size <= 64; ++size) {
    const auto secret = ParseHmacSecret(TextOf(size));
    ASSERT_TRUE(secret.ok()) << size << ": " << secret.status();
    EXPECT_EQ(secret->bytes(), std::string(size, 'k'));
    EXPECT_EQ(FormatHmacSecret(secret->bytes()), TextOf(size));
  }
}

TEST(HmacSecretTest, RefusesBadSecretsWithoutRepeatingThem) {
  const std::string good = TextOf(32);
  const std::string tail = good.substr(6);
  const std::string refused[] = {
      "",
      "whsec_",
      "whsec",
      tail,
      absl::StrCat("WHSEC_", tail),
      absl::StrCat("whsk_", tail),
      absl::StrCat(" ", good),
      absl::StrCat(good, " "),
      absl::StrCat(good, "\n"),
      absl::StrCat("whsec_ ", tail),
      good.substr(0, good.size() - 1),  // padding missing
      absl::StrCat(good, "="),          // padding too long
      absl::StrCat("whsec_", tail.substr(0, 20), "\n", tail.substr(20)),
      absl::StrCat("whsec_", tail.substr(0, 42), "t="),  // unused bits set
      absl::StrCat("whsec_", std::string(31, 'A'), "-"),
      absl::StrCat("whsec_", std::string(31, 'A'), "_"),
      absl::StrCat("whsec_", std::string(31, 'A'), "\xc3\xa9"),
      TextOf(0),
      TextOf(1),
      TextOf(23),
      TextOf(65),
      TextOf(66),
      TextOf(67),
      TextOf(4096),
      std::string("whsec_\0AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 38),
  };
  for (const std::string& text : refused) {
    SCOPED_TRACE(text.substr(0, 100));
    const auto secret = ParseHmacSecret(text);
    ASSERT_EQ(secret.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_LT(secret.status().message().size(), 100u);
    if (text.size() > 12) {
      EXPECT_EQ(secret.status().message().find(text.substr(6, 6)), std::string_view::npos);
    }
  }
}

TEST(HmacSecretTest, TheReasonIsSaid) {
  EXPECT_EQ(ParseHmacSecret("x").status().message(), "a signing secret begins with whsec_");
  EXPECT_EQ(ParseHmacSecret("whsec_%").status().message(),
            "a signing secret is whsec_ and canonical base64 of 24 to 64 bytes");
  EXPECT_EQ(ParseHmacSecret(TextOf(23)).status().message(),
            "a signing secret holds 24 to 64 bytes");
  EXPECT_EQ(ParseHmacSecret(TextOf(100)).status().message(),
            "a signing secret holds 24 to 64 bytes");
}

TEST(HmacSecretTest, GeneratesSecretsOf32Bytes) {
  const std::string fixed = GenerateHmacSecret([](size_t size) { return std::string(size, 'k'); });
  EXPECT_EQ(fixed, TextOf(32));
  const std::string first = GenerateHmacSecret();
  ASSERT_TRUE(ParseHmacSecret(first).ok());
  EXPECT_EQ(ParseHmacSecret(first)->bytes().size(), 32u);
  EXPECT_NE(first, GenerateHmacSecret());
}

}  // namespace
}  // namespace postrider::signing

#include "server/security/master_key.h"

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace postrider::security {
namespace {

// 32 bytes 00 01 02 … 1f in both forms, and the start of their SHA-256.
const std::string kBase64 = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const std::string kHex = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
constexpr absl::string_view kId = "630dcd2966c43366";

TEST(MasterKeyTest, ReadsBase64AndHexAlike) {
  const std::string texts[] = {
      kBase64,
      kHex,
      absl::StrCat(kBase64, "\n"),
      absl::StrCat("\r\n \t", kHex, "\r\n"),
      absl::AsciiStrToUpper(kHex),
  };
  for (const std::string& text : texts) {
    SCOPED_TRACE(text);
    const auto key = MasterKey::Parse(text);
    ASSERT_TRUE(key.ok()) << key.status();
    EXPECT_EQ(key->bytes(), absl::HexStringToBytes(kHex));
    EXPECT_EQ(key->id(), kId);
  }
}

TEST(MasterKeyTest, RefusesOtherTextsWithoutRepeatingThem) {
  const std::string refused[] = {
      "",
      " \n",
      "canary",
      kBase64.substr(0, 43),
      absl::StrCat(kBase64, "=="),
      kHex.substr(0, 63),
      absl::StrCat(kHex, "0"),
      absl::StrCat("0x", kHex.substr(2)),
      absl::StrCat(kHex.substr(0, 32), "\n", kHex.substr(32)),
      absl::StrCat(kHex.substr(0, 63), "g"),
      absl::Base64Escape(std::string(31, 'a')),
      absl::Base64Escape(std::string(33, 'a')),
      std::string(1 << 20, 'a'),
  };
  for (const std::string& text : refused) {
    const auto key = MasterKey::Parse(text);
    ASSERT_EQ(key.status().code(), absl::StatusCode::kInvalidArgument) << text.substr(0, 80);
    EXPECT_EQ(key.status().message().find("canary"), std::string_view::npos);
    EXPECT_LT(key.status().message().size(), 100u);
  }
}

TEST(MasterKeyTest, GeneratesATextThatItReads) {
  const std::string text = GenerateMasterKeyText([](size_t size) {
    std::string bytes;
    for (size_t i = 0; i < size; ++i) bytes.push_back(static_cast<char>(i));
    return bytes;
  });
  EXPECT_EQ(text, absl::StrCat(kBase64, "\n"));
  const auto key = MasterKey::Parse(GenerateMasterKeyText(RandomBytes));
  ASSERT_TRUE(key.ok()) << key.status();
  EXPECT_NE(key->id(), kId);
}

}  // namespace
}  // namespace postrider::security

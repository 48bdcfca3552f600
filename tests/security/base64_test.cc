#include "server/security/base64.h"

#include <string>

#include "gtest/gtest.h"

namespace postrider::security {
namespace {

// RFC 4648, section 10, and both marks of the standard alphabet.
struct Vector {
  std::string_view bytes;
  std::string_view text;
};
constexpr Vector kVectors[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
    {"\xfb\xff", "+/8="},
};

TEST(Base64Test, EncodesAndDecodesTheStandardsVectors) {
  for (const Vector& vector : kVectors) {
    SCOPED_TRACE(vector.text);
    EXPECT_EQ(EncodeBase64(vector.bytes), vector.text);
    const auto decoded = DecodeBase64(vector.text);
    ASSERT_TRUE(decoded.has_value());
    EXPECT_EQ(decoded->view(), vector.bytes);
  }
}

TEST(Base64Test, RefusesWhatIsNotCanonical) {
  const std::string_view refused[] = {
      "Zg",     "Zg=",   "Zg===", "Zm8",  "Zm9vYg",   "Zh==",     "Zm9=",
      "=",      "==",    "====",  "Z===", "Zm=v",     " Zm9v",    "Zm9v ",
      "Zm9v\n", "Zm 9v", "Zm9-",  "Zm9_", "Zg==Zg==", "Zm9vZg=a", "Zm9\xc3\xa9",
  };
  for (std::string_view text : refused) {
    EXPECT_FALSE(DecodeBase64(text).has_value()) << text;
  }
  EXPECT_FALSE(DecodeBase64(std::string_view("Zm\0v", 4)).has_value());
}

TEST(Base64Test, EveryFinalSextetHasOneSpelling) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  int one_byte = 0;
  int two_bytes = 0;
  for (char c : kAlphabet) {
    one_byte += DecodeBase64(std::string("A") + c + "==").has_value();
    two_bytes += DecodeBase64(std::string("AA") + c + "=").has_value();
  }
  EXPECT_EQ(one_byte, 4);
  EXPECT_EQ(two_bytes, 16);
}

TEST(Base64Test, StopsAtTheSizeOfAKey) {
  EXPECT_TRUE(DecodeBase64(EncodeBase64(std::string(64, 'k'))).has_value());
  EXPECT_FALSE(DecodeBase64(EncodeBase64(std::string(65, 'k'))).has_value());
  EXPECT_FALSE(DecodeBase64(std::string(1 << 20, 'A')).has_value());
}

}  // namespace
}  // namespace postrider::security

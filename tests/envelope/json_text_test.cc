#include "server/envelope/json_text.h"

#include <cstdint>
#include <string>

#include "gtest/gtest.h"

namespace postrider::envelope {
namespace {

// The encoding of a code point by the formula, surrogates and all.
std::string Encode(uint32_t c) {
  const auto byte = [](uint32_t value) { return static_cast<char>(value); };
  if (c < 0x80) return {byte(c)};
  if (c < 0x800) return {byte(0xc0 | c >> 6), byte(0x80 | (c & 63))};
  if (c < 0x10000) return {byte(0xe0 | c >> 12), byte(0x80 | (c >> 6 & 63)), byte(0x80 | (c & 63))};
  return {byte(0xf0 | c >> 18), byte(0x80 | (c >> 12 & 63)), byte(0x80 | (c >> 6 & 63)),
          byte(0x80 | (c & 63))};
}

TEST(Utf8Test, AcceptsEveryScalarValueAndNoSurrogate) {
  for (uint32_t c = 0; c <= 0x13ffff; ++c) {
    const std::string text = Encode(c);
    const bool scalar = c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
    ASSERT_EQ(IsValidUtf8(text), scalar) << std::hex << c;
    if (scalar) {
      ASSERT_EQ(Utf8SequenceSize(text.data(), text.data() + text.size()), text.size());
    }
  }
}

TEST(Utf8Test, RefusesOverlongCutAndStrayBytes) {
  for (std::string_view text : {"\x80",
                                "\xbf",
                                "\xc0\x80",
                                "\xc1\xbf",
                                "\xc2",
                                "\xc2\x41",
                                "\xe0\x80\x80",
                                "\xe0\x9f\xbf",
                                "\xe1\x80",
                                "\xe1\x80\x41",
                                "\xf0\x80\x80\x80",
                                "\xf0\x8f\xbf\xbf",
                                "\xf1\x80\x80",
                                "\xf1\x80\x80\x41",
                                "\xf4\x90\x80\x80",
                                "\xf5\x80\x80\x80",
                                "\xf8\x88\x80\x80\x80",
                                "\xfe",
                                "\xff",
                                "abc\xc3"}) {
    EXPECT_FALSE(IsValidUtf8(text));
  }
  EXPECT_TRUE(IsValidUtf8(""));
}

TEST(JsonStringTest, EscapesOnlyWhatMustBe) {
  std::string out = "x";
  AppendJsonString("", &out);
  EXPECT_EQ(out, "x\"\"");
  struct Case {
    std::string_view text;
    std::string_view json;
  };
  const Case cases[] = {
      {"plain", R"("plain")"},
      {"\"\\/", R"("\"\\/")"},
      {"\b\f\n\r\t", R"("\b\f\n\r\t")"},
      {std::string_view("a\0b", 3), R"("a\u0000b")"},
      {"\x01\x1f\x0b", R"("\u0001\u001f\u000b")"},
      {"\x7f", "\"\x7f\""},
      {"<\xe2\x80\xa8\xf0\x9f\x93\xa8>", "\"<\xe2\x80\xa8\xf0\x9f\x93\xa8>\""},
  };
  for (const Case& c : cases) {
    out.clear();
    AppendJsonString(c.text, &out);
    EXPECT_EQ(out, c.json);
  }
}

}  // namespace
}  // namespace postrider::envelope

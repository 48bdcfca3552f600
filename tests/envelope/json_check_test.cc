#include "server/envelope/json_check.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace postrider::envelope {
namespace {

// `levels` objects and arrays inside each other, by turns, the outermost an object.
std::string Nested(int levels) {
  std::string open;
  std::string close;
  for (int i = 0; i < levels; ++i) {
    if (i % 2 == 0) {
      open += i + 1 == levels ? "{" : "{\"a\":";
      close.push_back('}');
    } else {
      open += "[";
      close.push_back(']');
    }
  }
  std::reverse(close.begin(), close.end());
  return open + close;
}

TEST(JsonCheckTest, AcceptsObjects) {
  const std::string_view texts[] = {
      "{}",
      "{ }",
      "{\"\":\"\"}",
      R"({"a":1,"b":[],"c":{},"d":null,"e":true,"f":false,"g":"x"})",
      "{ \"a\" :\t1 ,\n\"b\"\r: [ 1 , 2 ] }",
      R"({"n":[0,-0,1,-1,10,0.5,-0.0,1e5,1E5,1e+5,1e-5,1.5e05,12345678901234567890,1e400,1e-400]})",
      R"({"s":["\"","\\","\/","\b\f\n\r\t","\u0000","\u00e9","\uD83D\uDCE8","\ud83d\udce8"]})",
      R"({"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]})",
      R"({"a":1,"A":2,"a ":3,"aa":4})",
      R"({"\u0061":1,"b":2})",
      R"({"\u0000":1,"":2})",
      R"({"12345678":1,"12345679":2,"1234":3,"1235":4,"1234567":5})",
      "{\"\xc3\xa9\":\"\xe2\x82\xac \xf0\x9f\x93\xa8 \x7f \xef\xbb\xbf\"}",
  };
  for (std::string_view text : texts) {
    const auto checked = CheckJsonObject(text);
    ASSERT_TRUE(checked.ok()) << text << ": " << checked.status();
    EXPECT_EQ(*checked, text);
    EXPECT_EQ(checked->data(), text.data());
  }
}

TEST(JsonCheckTest, CutsOuterWhitespaceOnly) {
  const std::string_view text = " \t\r\n{ \"a\" : 1 }\n\n ";
  const auto checked = CheckJsonObject(text);
  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_EQ(*checked, "{ \"a\" : 1 }");
  EXPECT_EQ(checked->data(), text.data() + 4);
}

struct Refusal {
  std::string_view text;
  int offset;
  absl::string_view reason;
};

TEST(JsonCheckTest, SaysWhatIsWrongAndWhere) {
  const Refusal refusals[] = {
      // Not an object, or not one.
      {"[]", 0, "expected an object, which begins with '{'"},
      {"null", 0, "expected an object, which begins with '{'"},
      {"1", 0, "expected an object, which begins with '{'"},
      {"\"{}\"", 0, "expected an object, which begins with '{'"},
      {"  x", 2, "expected an object, which begins with '{'"},
      {"\v{}", 0, "expected an object, which begins with '{'"},
      {"\xc2\xa0{}", 0, "expected an object, which begins with '{'"},
      {"\xfe\xff{}", 0, "expected an object, which begins with '{'"},
      {"//x\n{}", 0, "expected an object, which begins with '{'"},
      {"\xef\xbb\xbf{}", 0, "a byte order mark"},
      {" \xef\xbb\xbf{}", 1, "a byte order mark"},
      {"{}{}", 2, "text after the object"},
      {"{} x", 3, "text after the object"},
      {"{}}", 2, "text after the object"},
      {"{},", 2, "text after the object"},
      // Cut off.
      {"{", 1, "expected a key in quotation marks"},
      {"{\"a", 3, "the text ends inside a string"},
      {"{\"a\\", 4, "the text ends inside a string"},
      {"{\"a\"", 4, "expected ':' after a key"},
      {"{\"a\":", 5, "the text ends where a value is expected"},
      {"{\"a\":1", 6, "the text ends inside an object or array"},
      {"{\"a\":1,", 7, "expected a key in quotation marks"},
      {"{\"a\":[", 6, "the text ends where a value is expected"},
      {"{\"a\":[1", 7, "the text ends inside an object or array"},
      {"{\"a\":[1]", 8, "the text ends inside an object or array"},
      {"{\"a\":tru", 5, "expected a value"},
      // Structure.
      {"{,}", 1, "expected a key in quotation marks"},
      {"{a:1}", 1, "expected a key in quotation marks"},
      {"{'a':1}", 1, "expected a key in quotation marks"},
      {"{1:1}", 1, "expected a key in quotation marks"},
      {"{\"a\" 1}", 5, "expected ':' after a key"},
      {"{\"a\"::1}", 5, "expected a value"},
      {"{\"a\":1,}", 7, "expected a key in quotation marks"},
      {"{\"a\":1 \"b\":2}", 7, "expected ',' or '}' after a member"},
      {"{\"a\":1]", 6, "expected ',' or '}' after a member"},
      {"{\"a\":[1}", 7, "expected ',' or ']' after an element"},
      {"{\"a\":[1,]}", 8, "expected a value"},
      {"{\"a\":[,1]}", 6, "expected a value"},
      {"{\"a\":[1 2]}", 8, "expected ',' or ']' after an element"},
      {"{\"a\":1/**/}", 6, "expected ',' or '}' after a member"},
      {"{\"a\":1\f}", 6, "expected ',' or '}' after a member"},
      {"{\"a\":}", 5, "expected a value"},
      // Words and numbers.
      {"{\"a\":True}", 5, "expected a value"},
      {"{\"a\":nul}", 5, "expected a value"},
      {"{\"a\":nulll}", 9, "expected ',' or '}' after a member"},
      {"{\"a\":NaN}", 5, "expected a value"},
      {"{\"a\":Infinity}", 5, "expected a value"},
      {"{\"a\":undefined}", 5, "expected a value"},
      {"{\"a\":+1}", 5, "expected a value"},
      {"{\"a\":.5}", 5, "expected a value"},
      {"{\"a\":-}", 5, "a number without digits"},
      {"{\"a\":-x}", 5, "a number without digits"},
      {"{\"a\":-Infinity}", 5, "a number without digits"},
      {"{\"a\":01}", 5, "a number with a leading zero"},
      {"{\"a\":-00}", 5, "a number with a leading zero"},
      {"{\"a\":0x1}", 6, "expected ',' or '}' after a member"},
      {"{\"a\":1.}", 5, "a number without digits after its point"},
      {"{\"a\":1.e5}", 5, "a number without digits after its point"},
      {"{\"a\":1e}", 5, "a number without digits in its exponent"},
      {"{\"a\":1e+}", 5, "a number without digits in its exponent"},
      {"{\"a\":1e5.5}", 8, "expected ',' or '}' after a member"},
      {"{\"a\":1_000}", 6, "expected ',' or '}' after a member"},
      // Strings.
      {"{\"a\":\"\n\"}", 6, "a control character in a string, which must be escaped"},
      {"{\"a\":\"12345678\t\"}", 14, "a control character in a string, which must be escaped"},
      {"{\"a\x1f\":1}", 3, "a control character in a string, which must be escaped"},
      {R"({"a":"\x41"})", 6, "an unknown escape in a string"},
      {R"({"a":"\U0041"})", 6, "an unknown escape in a string"},
      {R"({"a":"\'"})", 6, "an unknown escape in a string"},
      {R"({"a":"\u12"})", 6, "\\u without four hex digits"},
      {R"({"a":"\u12g4"})", 6, "\\u without four hex digits"},
      {R"({"a":"\u+123"})", 6, "\\u without four hex digits"},
      {R"({"a":"\ud83d"})", 6, "an escape of half a surrogate pair"},
      {R"({"a":"\ud83dx"})", 6, "an escape of half a surrogate pair"},
      {R"({"a":"\ud83d\n00000"})", 6, "an escape of half a surrogate pair"},
      {R"({"a":"\ud83d\ud83d"})", 6, "an escape of half a surrogate pair"},
      {R"({"a":"\udce8"})", 6, "an escape of half a surrogate pair"},
      {R"({"a":"xx\udce8\ud83d"})", 8, "an escape of half a surrogate pair"},
      {R"({"\ud800":1})", 2, "an escape of half a surrogate pair"},
      {"{\"a\":\"\xff\"}", 6, "not UTF-8"},
      {"{\"a\":\"\xc0\x80\"}", 6, "not UTF-8"},
      {"{\"a\":\"\xed\xa0\xbd\xed\xb3\xa8\"}", 6, "not UTF-8"},
      {"{\"a\":\"\xc3\xa9\xc3\"}", 8, "not UTF-8"},
      {"{\"\xf4\x90\x80\x80\":1}", 2, "not UTF-8"},
      // Keys given twice.
      {R"({"a":1,"a":1})", 7, "a key that this object already has"},
      {R"({"a":1,"b":2,"\u0061":3})", 13, "a key that this object already has"},
      {R"({"\n":1,"\u000a":2})", 8, "a key that this object already has"},
      {R"({"\/":1,"/":2})", 8, "a key that this object already has"},
      {"{\"\\ud83d\\udce8\":1,\"\xf0\x9f\x93\xa8\":2}", 18, "a key that this object already has"},
      {"{\"\\u00e9\":1,\"\xc3\xa9\":2}", 12, "a key that this object already has"},
      {"{\"\\u20ac\":1,\"\xe2\x82\xac\":2}", 12, "a key that this object already has"},
      {R"({"":1,"":2})", 6, "a key that this object already has"},
      {R"({"a":{"x":1,"x":2}})", 12, "a key that this object already has"},
      {R"({"a":{"b":{"c":1}},"a":2})", 19, "a key that this object already has"},
      {R"({"l":[{"a":1},{"b":1,"b":1}]})", 21, "a key that this object already has"},
  };
  for (const Refusal& refusal : refusals) {
    const auto checked = CheckJsonObject(refusal.text);
    EXPECT_EQ(checked.status(),
              absl::InvalidArgumentError(absl::StrCat("is not a valid JSON object: byte ",
                                                      refusal.offset, ": ", refusal.reason)))
        << refusal.text;
  }
}

TEST(JsonCheckTest, RefusesNulBytesEverywhere) {
  const std::string good = R"({ "a" : [ 1 , "xy" , true ] })";
  for (size_t i = 0; i <= good.size(); ++i) {
    std::string text = good;
    text.insert(i, 1, '\0');
    EXPECT_FALSE(CheckJsonObject(text).ok()) << i;
  }
}

TEST(JsonCheckTest, RefusesEveryCutOfAText) {
  const std::string good = R"({"a":[1.5e3,"x\u00e9\ud83d\udce8",true],"b":{"c":null}})";
  ASSERT_TRUE(CheckJsonObject(good).ok());
  for (size_t size = 0; size < good.size(); ++size) {
    // A copy of exactly this size lets the address sanitizer see a read past the end.
    const std::string cut = good.substr(0, size);
    EXPECT_FALSE(CheckJsonObject(cut).ok()) << cut;
  }
}

TEST(JsonCheckTest, RefusesNothing) {
  for (std::string_view text : {"", " ", "\r\n\t "}) {
    EXPECT_EQ(CheckJsonObject(text).status(),
              absl::InvalidArgumentError("is empty, not a JSON object"));
  }
}

TEST(JsonCheckTest, Takes64LevelsAndNotMore) {
  EXPECT_TRUE(CheckJsonObject(Nested(64)).ok());
  EXPECT_EQ(CheckJsonObject(Nested(65)).status(),
            absl::InvalidArgumentError("is nested deeper than the limit of 64 levels: byte 192"));
  EXPECT_TRUE(CheckJsonObject(Nested(3), {.max_depth = 3}).ok());
  EXPECT_FALSE(CheckJsonObject(Nested(3), {.max_depth = 2}).ok());
  // Closed levels do not count.
  std::string wide = "{\"a\":[";
  for (int i = 0; i < 200; ++i) wide += "[],{},";
  EXPECT_TRUE(CheckJsonObject(wide + "1]}").ok());
}

TEST(JsonCheckTest, StandsAnyDepthWithinTheSizeLimit) {
  const std::string deep = absl::StrCat("{\"a\":", std::string(262000, '['));
  EXPECT_TRUE(absl::StrContains(CheckJsonObject(deep).status().message(), "64 levels"));
  EXPECT_TRUE(absl::StrContains(CheckJsonObject(deep, {.max_depth = 1 << 20}).status().message(),
                                "the text ends"));
}

TEST(JsonCheckTest, Takes256KiBWithoutOuterWhitespaceAndNotMore) {
  const std::string exact = absl::StrCat("{\"a\":\"", std::string(262144 - 8, 'x'), "\"}");
  ASSERT_EQ(exact.size(), 262144u);
  EXPECT_TRUE(CheckJsonObject(exact).ok());
  EXPECT_TRUE(CheckJsonObject(absl::StrCat("   ", exact, "   ")).ok());
  const std::string over = absl::StrCat("{\"a\":\"", std::string(262144 - 7, 'x'), "\"}");
  EXPECT_EQ(CheckJsonObject(over).status(),
            absl::InvalidArgumentError("is 262145 bytes long, over the limit of 262144 bytes"));
  EXPECT_FALSE(CheckJsonObject("{\"a\":1}", {.max_bytes = 6}).ok());
}

// With any number of keys, before and after the change from comparing to hashing.
TEST(JsonCheckTest, FindsARepeatedKeyAmongAnyNumber) {
  for (int count : {1, 2, 23, 24, 25, 26, 100, 10000}) {
    for (int repeated : {0, count / 2, count - 1}) {
      std::string text = "{";
      for (int i = 0; i < count; ++i) absl::StrAppend(&text, "\"key", i, "\":{\"key0\":1},");
      const size_t offset = text.size();
      EXPECT_TRUE(CheckJsonObject(absl::StrCat(text, "\"x\":0}")).ok()) << count;
      const auto checked = CheckJsonObject(absl::StrCat(text, "\"k\\u0065y", repeated, "\":0}"));
      EXPECT_EQ(checked.status().message(),
                absl::StrCat("is not a valid JSON object: byte ", offset,
                             ": a key that this object already has"));
    }
  }
}

TEST(JsonCheckTest, NeverQuotesThePayload) {
  for (std::string_view text : {"canary", "{\"canary\":1,\"canary\":2}", "{\"canary\":canary}",
                                "{\"canary\\q\":1}", "{} canary"}) {
    const auto checked = CheckJsonObject(text);
    ASSERT_FALSE(checked.ok());
    EXPECT_EQ(checked.status().message().find("canary"), std::string_view::npos);
  }
}

}  // namespace
}  // namespace postrider::envelope

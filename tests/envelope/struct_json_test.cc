#include "server/envelope/struct_json.h"

#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "server/envelope/json_check.h"

namespace postrider::envelope {
namespace {

using google::protobuf::ListValue;
using google::protobuf::NULL_VALUE;
using google::protobuf::Struct;
using google::protobuf::Value;

std::string Number(double number) {
  std::string out;
  AppendJsonNumber(number, &out);
  return out;
}

Value& At(Struct& object, const std::string& key) { return (*object.mutable_fields())[key]; }

TEST(JsonNumberTest, FollowsEcmaScript) {
  struct Case {
    double number;
    std::string_view text;
  };
  const Case cases[] = {
      {0, "0"},
      {-0.0, "-0"},
      {1, "1"},
      {-1, "-1"},
      {10, "10"},
      {100, "100"},
      {1234567890, "1234567890"},
      {0.1, "0.1"},
      {-0.5, "-0.5"},
      {1.5, "1.5"},
      {123.456, "123.456"},
      {0.1 + 0.2, "0.30000000000000004"},
      {1.0 / 3, "0.3333333333333333"},
      {1772980200.123, "1772980200.123"},
      {9007199254740991, "9007199254740991"},
      {9007199254740993.0, "9007199254740992"},
      {1e15, "1000000000000000"},
      {1e20, "100000000000000000000"},
      {123456789012345680000.0, "123456789012345680000"},
      {1e21, "1e+21"},
      {-1e21, "-1e+21"},
      {1.5e21, "1.5e+21"},
      {1e22, "1e+22"},
      {1e23, "1e+23"},
      {1e100, "1e+100"},
      {0.001, "0.001"},
      {0.000001, "0.000001"},
      {0.0000015, "0.0000015"},
      {1e-7, "1e-7"},
      {1.5e-7, "1.5e-7"},
      {-1e-7, "-1e-7"},
      {std::numeric_limits<double>::max(), "1.7976931348623157e+308"},
      {std::numeric_limits<double>::min(), "2.2250738585072014e-308"},
      {std::numeric_limits<double>::denorm_min(), "5e-324"},
      // RFC 8785, appendix B.
      {333333333.33333329, "333333333.3333333"},
      {9.999999999999997e22, "9.999999999999997e+22"},
      {1.0000000000000001e23, "1.0000000000000001e+23"},
      {999999999999999700000.0, "999999999999999700000"},
      {999999999999999900000.0, "999999999999999900000"},
      {0.000001, "0.000001"},
      {9.999999999999997e-7, "9.999999999999997e-7"},
      {295147905179352830000.0, "295147905179352830000"},
  };
  for (const Case& c : cases) EXPECT_EQ(Number(c.number), c.text);
}

TEST(PrintStructTest, PrintsEveryKindOfValue) {
  Struct data;
  EXPECT_EQ(PrintStruct(data).value(), "{}");
  At(data, "null").set_null_value(NULL_VALUE);
  At(data, "number").set_number_value(1.5);
  At(data, "string").set_string_value("a\"\n\x01 \xc3\xa9");
  At(data, "yes").set_bool_value(true);
  At(data, "no").set_bool_value(false);
  At(data, "list").mutable_list_value()->add_values()->set_number_value(1);
  At(data, "list").mutable_list_value()->add_values()->set_string_value("x");
  At(data, "empty_list").mutable_list_value();
  At(*At(data, "object").mutable_struct_value(), "a").set_number_value(2);
  At(data, "empty_object").mutable_struct_value();
  EXPECT_EQ(PrintStruct(data).value(),
            "{\"empty_list\":[],\"empty_object\":{},\"list\":[1,\"x\"],\"no\":false,\"null\":null,"
            "\"number\":1.5,\"object\":{\"a\":2},\"string\":\"a\\\"\\n\\u0001 \xc3\xa9\","
            "\"yes\":true}");
}

TEST(PrintStructTest, SortsKeysByTheirBytes) {
  Struct data;
  for (const char* key : {"b", "a", "B", "ab", "", "\xf0\x9f\x93\xa8", "\xef\xbf\xbd", "\xc3\xa9",
                          "a\"", "_", "10", "9", "a\x01"}) {
    At(data, key).set_number_value(0);
  }
  EXPECT_EQ(PrintStruct(data).value(),
            "{\"\":0,\"10\":0,\"9\":0,\"B\":0,\"_\":0,\"a\":0,\"a\\u0001\":0,\"a\\\"\":0,\"ab\":0,"
            "\"b\":0,\"\xc3\xa9\":0,\"\xef\xbf\xbd\":0,\"\xf0\x9f\x93\xa8\":0}");
}

// A value at data.a.b[2].
Value* Place(Struct* data) {
  ListValue* list = At(*At(*data, "a").mutable_struct_value(), "b").mutable_list_value();
  list->add_values()->set_number_value(1);
  list->add_values()->set_number_value(2);
  return list->add_values();
}

std::string ErrorOf(const Struct& data, const JsonLimits& limits = {}) {
  const auto printed = PrintStruct(data, limits);
  EXPECT_EQ(printed.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(printed.status().message());
}

TEST(PrintStructTest, NamesThePathOfWhatJsonCannotSay) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (double number : {std::numeric_limits<double>::quiet_NaN(), kInfinity, -kInfinity}) {
    Struct data;
    Place(&data)->set_number_value(number);
    EXPECT_EQ(ErrorOf(data), "data.a.b[2] is not a finite number");
  }
  Struct unset;
  Place(&unset);
  EXPECT_EQ(ErrorOf(unset), "data.a.b[2] is a value of which no kind is set");
  EXPECT_EQ(PrintStruct(unset, {}, "requests[3].data").status().message(),
            "requests[3].data.a.b[2] is a value of which no kind is set");
}

TEST(PrintStructTest, RefusesTextThatIsNotUtf8) {
  Struct bad_string;
  Place(&bad_string)->set_string_value("\xff");
  EXPECT_EQ(ErrorOf(bad_string), "data.a.b[2] is not UTF-8");
  Struct bad_key;
  At(*Place(&bad_key)->mutable_struct_value(), "\xc3(").set_number_value(1);
  EXPECT_EQ(ErrorOf(bad_key), "data.a.b[2].? has a key that is not UTF-8");
}

TEST(PrintStructTest, ShowsOnlyPlainKeysInAPath) {
  for (const std::string& key : {std::string(), std::string("a b"), std::string("a.b"),
                                 std::string("\xc3\xa9"), std::string(41, 'k')}) {
    Struct data;
    At(data, key);
    EXPECT_EQ(ErrorOf(data), "data.? is a value of which no kind is set");
  }
  Struct data;
  At(data, std::string(40, 'k'));
  EXPECT_EQ(ErrorOf(data),
            absl::StrCat("data.", std::string(40, 'k'), " is a value of which no kind is set"));
}

Struct Nested(int levels) {
  Struct data;
  Struct* object = &data;
  for (int i = 1; i < levels; ++i)
    object = At(*object, "key_of_some_length").mutable_struct_value();
  return data;
}

TEST(PrintStructTest, Takes64LevelsAndNotMore) {
  const auto deepest = PrintStruct(Nested(64));
  ASSERT_TRUE(deepest.ok()) << deepest.status();
  EXPECT_TRUE(CheckJsonObject(*deepest).ok());
  const std::string error = ErrorOf(Nested(65));
  EXPECT_TRUE(error.ends_with("is nested deeper than the limit of 64 levels")) << error;
  EXPECT_TRUE(error.starts_with("data.key_of_some_length.")) << error;
  EXPECT_LT(error.size(), 300u);
  EXPECT_EQ(ErrorOf(Nested(3), {.max_depth = 1}),
            "data.key_of_some_length is nested deeper than the limit of 1 levels");
}

TEST(PrintStructTest, ListsCountAsLevels) {
  Struct data;
  Value* value = &At(data, "a");
  for (int i = 0; i < 63; ++i) value = value->mutable_list_value()->add_values();
  value->set_bool_value(true);
  EXPECT_TRUE(PrintStruct(data).ok());
  value->mutable_list_value();
  EXPECT_FALSE(PrintStruct(data).ok());
}

TEST(PrintStructTest, Takes256KiBAndNotMore) {
  Struct data;
  At(data, "a").set_string_value(std::string(262144 - 8, 'x'));
  const auto printed = PrintStruct(data);
  ASSERT_TRUE(printed.ok()) << printed.status();
  EXPECT_EQ(printed->size(), 262144u);
  At(data, "a").set_string_value(std::string(262144 - 7, 'x'));
  EXPECT_EQ(ErrorOf(data), "data is longer than the limit of 262144 bytes as JSON");
}

TEST(PrintStructTest, StopsSoonAfterTheLimit) {
  Struct data;
  ListValue* list = At(data, "a").mutable_list_value();
  for (int i = 0; i < 1000; ++i) list->add_values()->set_string_value(std::string(1000, 'x'));
  list->add_values();  // never reached: the size is what is reported
  EXPECT_EQ(ErrorOf(data), "data is longer than the limit of 262144 bytes as JSON");
}

}  // namespace
}  // namespace postrider::envelope

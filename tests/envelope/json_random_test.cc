// Random values and random damage. Every failure prints the seed; POSTRIDER_TEST_SEED repeats it.

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"
#include "server/envelope/envelope.h"
#include "server/envelope/json_check.h"
#include "server/envelope/struct_json.h"

namespace postrider::envelope {
namespace {

using google::protobuf::Struct;
using google::protobuf::Value;

class JsonRandomTest : public testing::Test {
 protected:
  JsonRandomTest() {
    uint64_t seed = (uint64_t{std::random_device()()} << 32) | std::random_device()();
    if (const char* given = std::getenv("POSTRIDER_TEST_SEED"); given != nullptr) {
      if (!absl::SimpleAtoi(given, &seed)) seed = 0;
    }
    random_.seed(seed);
    trace_ = absl::StrCat("POSTRIDER_TEST_SEED=", seed);
    std::cout << trace_ << "\n";
  }

  uint64_t Below(uint64_t bound) { return random_() % bound; }

  double RandomNumber() {
    switch (Below(4)) {
      case 0:
        return static_cast<double>(Below(1000)) - 500;
      case 1:
        return static_cast<double>(Below(1000000)) / 100;
      case 2:
        return static_cast<double>(random_() >> Below(64));
      default: {
        const double number = std::bit_cast<double>(random_());
        return std::isfinite(number) ? number : 0.25;
      }
    }
  }

  std::string RandomText() {
    static constexpr std::string_view kParts[] = {
        "a",
        "Key",
        "_",
        " ",
        "\"",
        "\\",
        "/",
        "\n",
        "\x01",
        "\x7f",
        "\xc3\xa9",
        "\xe2\x82\xac",
        "\xf0\x9f\x93\xa8",
        "plain text of some length",
        "{",
        "}",
        "u0041",
    };
    std::string text;
    for (uint64_t i = Below(6); i > 0; --i) text += kParts[Below(std::size(kParts))];
    return text;
  }

  void FillValue(int depth, Value* value) {
    switch (Below(depth > 0 ? 6 : 4)) {
      case 0:
        value->set_null_value(google::protobuf::NULL_VALUE);
        return;
      case 1:
        value->set_bool_value(Below(2) == 0);
        return;
      case 2:
        value->set_number_value(RandomNumber());
        return;
      case 3:
        value->set_string_value(RandomText());
        return;
      case 4:
        value->mutable_list_value();
        for (uint64_t i = Below(5); i > 0; --i) {
          FillValue(depth - 1, value->mutable_list_value()->add_values());
        }
        return;
      default:
        FillStruct(depth - 1, value->mutable_struct_value());
        return;
    }
  }

  void FillStruct(int depth, Struct* object) {
    for (uint64_t i = Below(8); i > 0; --i) {
      FillValue(depth, &(*object->mutable_fields())[RandomText()]);
    }
  }

  std::mt19937_64 random_;
  std::string trace_;
};

// Protobuf's own reader stands in for an independent receiver.
TEST_F(JsonRandomTest, WhatIsPrintedIsValidAndReadsBackTheSame) {
  SCOPED_TRACE(trace_);
  for (int round = 0; round < 2000; ++round) {
    Struct data;
    FillStruct(5, &data);
    const auto printed = PrintStruct(data);
    ASSERT_TRUE(printed.ok()) << printed.status();
    const auto checked = CheckJsonObject(*printed);
    ASSERT_TRUE(checked.ok()) << checked.status() << "\n" << *printed;

    Struct read;
    ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(*printed, &read).ok()) << *printed;
    ASSERT_TRUE(google::protobuf::util::MessageDifferencer::Equals(data, read)) << *printed;
    ASSERT_EQ(PrintStruct(read).value(), *printed);

    const std::string body =
        MakeEnvelope({"evt_1", "a.b", absl::UnixEpoch(), "org", "env"}, *printed);
    ASSERT_EQ(EnvelopeData(body), *printed);
    ASSERT_TRUE(CheckJsonObject(body).ok());
  }
}

TEST_F(JsonRandomTest, NumbersReadBackAsTheSameDouble) {
  SCOPED_TRACE(trace_);
  for (int round = 0; round < 100000; ++round) {
    const double number = RandomNumber();
    std::string text;
    AppendJsonNumber(number, &text);
    double read = 0;
    ASSERT_TRUE(absl::SimpleAtod(text, &read)) << text;
    ASSERT_EQ(std::bit_cast<uint64_t>(read), std::bit_cast<uint64_t>(number)) << text;
  }
}

// Whatever damage the check lets pass must be harmless: an independent reader takes it as well.
TEST_F(JsonRandomTest, WhatPassesAfterDamageIsStillJson) {
  SCOPED_TRACE(trace_);
  static constexpr std::string_view kBytes("{}[]:,\"\\ \n\t0129.-+eEutfnd\x00\x1f\x80\xc3\xff", 31);
  int passed = 0;
  for (int round = 0; round < 20000; ++round) {
    Struct data;
    FillStruct(3, &data);
    std::string text = PrintStruct(data).value();
    for (uint64_t i = 1 + Below(2); i > 0; --i) {
      const size_t position = Below(text.size());
      const char byte = kBytes[Below(kBytes.size())];
      switch (Below(3)) {
        case 0:
          text[position] = byte;
          break;
        case 1:
          text.insert(position, 1, byte);
          break;
        default:
          text.erase(position, 1);
          break;
      }
      if (text.empty()) text = "{";
    }
    const auto checked = CheckJsonObject(text);
    if (!checked.ok()) continue;
    ++passed;
    Struct read;
    // Damage can make a number too large for a double, which is valid JSON all the same.
    const auto status = google::protobuf::util::JsonStringToMessage(std::string(*checked), &read);
    ASSERT_TRUE(status.ok() || text.find_first_of("eE") != std::string::npos)
        << status.ToString() << "\n"
        << text;
  }
  EXPECT_GT(passed, 100);
}

}  // namespace
}  // namespace postrider::envelope

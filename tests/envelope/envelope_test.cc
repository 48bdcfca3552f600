#include "server/envelope/envelope.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "gtest/gtest.h"

namespace postrider::envelope {
namespace {

absl::Time Utc(absl::CivilSecond second) { return absl::FromCivil(second, absl::UTCTimeZone()); }

const EnvelopeFields kFields = {
    .id = "evt_01JNV5Z7Q8W9E0R1T2Y3V4A5B6",
    .type = "message.received",
    .timestamp = Utc(absl::CivilSecond(2026, 3, 8, 14, 30, 0)),
    .org_id = "org_456",
    .env_id = "env-production_1",
};

TEST(EnvelopeTest, HasTheMembersInOrderAndNoWhitespace) {
  EXPECT_EQ(MakeEnvelope(kFields, R"({"from":"+1415"})"),
            R"({"id":"evt_01JNV5Z7Q8W9E0R1T2Y3V4A5B6","type":"message.received",)"
            R"("timestamp":"2026-03-08T14:30:00.000Z","org_id":"org_456",)"
            R"("env_id":"env-production_1","data":{"from":"+1415"}})");
}

TEST(EnvelopeTest, KeepsDataByteForByte) {
  const std::string_view texts[] = {
      "{}",
      "{ }",
      "{\n  \"b\" : 1.50,\t\"a\": 12345678901234567890.123 }",
      R"({"data":{"data":{}},"id":"x"})",
      R"({"quote\"":"\\\"}}"})",
      "{\"\xc3\xa9\":\"\xf0\x9f\x93\xa8\"}",
  };
  for (std::string_view data : texts) {
    SCOPED_TRACE(data);
    const std::string body = MakeEnvelope(kFields, data);
    EXPECT_EQ(EnvelopeData(body), data);
    EXPECT_EQ(EnvelopePrefixLength(body), body.size() - data.size() - 1);
    EXPECT_EQ(EnvelopeData(body).data(), body.data() + EnvelopePrefixLength(body));
  }
}

TEST(EnvelopeTest, EscapesWhatWouldBreakTheBody) {
  EnvelopeFields fields = kFields;
  fields.org_id = "a\"b\\c\n";
  const std::string body = MakeEnvelope(fields, "{\"x\":1}");
  EXPECT_NE(body.find(R"("org_id":"a\"b\\c\n","env_id")"), std::string::npos);
  EXPECT_EQ(EnvelopeData(body), "{\"x\":1}");
}

TEST(EnvelopeTest, FindsNoDataInOtherTexts) {
  const std::string good = MakeEnvelope(kFields, "{\"x\":1}");
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_EQ(EnvelopeData(std::string_view(good).substr(0, size)), "") << size;
    EXPECT_EQ(EnvelopePrefixLength(std::string_view(good).substr(0, size)), 0u) << size;
  }
  EXPECT_EQ(EnvelopeData(absl::StrCat(" ", good)), "");
  EXPECT_EQ(EnvelopeData(absl::StrCat(good, "\n")), "");
  EXPECT_EQ(EnvelopeData("{}"), "");
  EXPECT_EQ(EnvelopeData(MakeEnvelope(kFields, "[1]")), "");
  EXPECT_EQ(EnvelopeData("{\"id\":\"\\"), "");
}

struct TimestampCase {
  absl::Time time;
  std::string_view text;
};

TEST(FormatTimestampTest, HasExactlyThreeDecimalsCutTowardThePast) {
  const absl::Time second = Utc(absl::CivilSecond(2026, 3, 8, 14, 30, 5));
  const TimestampCase cases[] = {
      {second, "2026-03-08T14:30:05.000Z"},
      {second + absl::Milliseconds(7), "2026-03-08T14:30:05.007Z"},
      {second + absl::Nanoseconds(999999999), "2026-03-08T14:30:05.999Z"},
      {second + absl::Nanoseconds(1), "2026-03-08T14:30:05.000Z"},
      {second - absl::Nanoseconds(1), "2026-03-08T14:30:04.999Z"},
      {absl::UnixEpoch(), "1970-01-01T00:00:00.000Z"},
      {absl::UnixEpoch() - absl::Nanoseconds(1), "1969-12-31T23:59:59.999Z"},
      {absl::UnixEpoch() - absl::Milliseconds(1500), "1969-12-31T23:59:58.500Z"},
      {Utc(absl::CivilSecond(2024, 2, 29, 23, 59, 59)), "2024-02-29T23:59:59.000Z"},
      {Utc(absl::CivilSecond(800, 1, 2, 3, 4, 5)), "0800-01-02T03:04:05.000Z"},
      {Utc(absl::CivilSecond(1, 1, 1, 0, 0, 0)), "0001-01-01T00:00:00.000Z"},
      {Utc(absl::CivilSecond(9999, 12, 31, 23, 59, 59)) + absl::Milliseconds(999),
       "9999-12-31T23:59:59.999Z"},
  };
  for (const TimestampCase& c : cases) EXPECT_EQ(FormatTimestamp(c.time), c.text);
}

TEST(FormatTimestampTest, StopsAtTheYears1And9999) {
  for (absl::Time time : {Utc(absl::CivilSecond(0, 12, 31, 23, 59, 59)), absl::InfinitePast(),
                          Utc(absl::CivilSecond(-5000, 1, 1, 0, 0, 0))}) {
    EXPECT_EQ(FormatTimestamp(time), "0001-01-01T00:00:00.000Z");
  }
  for (absl::Time time : {Utc(absl::CivilSecond(10000, 1, 1, 0, 0, 0)), absl::InfiniteFuture()}) {
    EXPECT_EQ(FormatTimestamp(time), "9999-12-31T23:59:59.999Z");
  }
}

}  // namespace
}  // namespace postrider::envelope

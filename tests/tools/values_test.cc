#include "tools/postrider/values.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace postrider::cli {
namespace {

TEST(ParseSpanTest, ReadsUnitsAndDays) {
  for (const auto& [text, expected] :
       {std::pair{"30s", absl::Seconds(30)}, std::pair{"2m", absl::Minutes(2)},
        std::pair{"1h30m", absl::Minutes(90)}, std::pair{"500ms", absl::Milliseconds(500)},
        std::pair{"0s", absl::ZeroDuration()}, std::pair{"7d", absl::Hours(168)}}) {
    EXPECT_EQ(ParseSpan(text).value_or(absl::InfiniteDuration()), expected) << text;
  }
}

TEST(ParseSpanTest, RefusesEverythingElse) {
  for (const char* text :
       {"", "30", "s", "-30s", "inf", "-inf", "1w", "d", "1.5d", "-1d", "999999999d", "30s,2m"}) {
    EXPECT_EQ(ParseSpan(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(ParseTimestampTest, ReadsRfc3339InAnyZone) {
  EXPECT_EQ(ParseTimestamp("2023-11-14T22:13:20Z")->seconds(), 1700000000);
  EXPECT_EQ(ParseTimestamp("2023-11-14T23:13:20.250+01:00")->seconds(), 1700000000);
  EXPECT_EQ(ParseTimestamp("2023-11-14T23:13:20.250+01:00")->nanos(), 250'000'000);
}

TEST(ParseTimestampTest, RefusesEverythingElse) {
  for (const char* text : {"", "now", "2023-11-14", "2023-11-14 22:13:20Z", "2023-11-14T22:13:20",
                           "2023-13-14T22:13:20Z", "infinite-future"}) {
    EXPECT_FALSE(ParseTimestamp(text).ok()) << text;
  }
}

TEST(FormatTest, ShowsTimesInUtcWithMilliseconds) {
  google::protobuf::Timestamp time;
  time.set_seconds(1700000000);
  time.set_nanos(7'900'000);
  EXPECT_EQ(FormatTimestamp(time), "2023-11-14T22:13:20.007Z");
}

TEST(FormatTest, ShowsSpansToATenthOfAMillisecond) {
  EXPECT_EQ(FormatSpan(ToProto(absl::Nanoseconds(12'345'678))), "12.3ms");
  EXPECT_EQ(FormatSpan(ToProto(absl::Seconds(90))), "1m30s");
}

}  // namespace
}  // namespace postrider::cli

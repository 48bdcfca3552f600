#include "server/policy/retry_after.h"

#include <optional>
#include <string>

#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace postrider::policy {
namespace {

// 10 s before the date of the examples of RFC 9110, section 5.6.7.
const absl::Time kNow =
    absl::FromCivil(absl::CivilSecond(1994, 11, 6, 8, 49, 27), absl::UTCTimeZone());

std::optional<absl::Duration> Parse(std::string_view value) { return ParseRetryAfter(value, kNow); }

TEST(RetryAfterTest, SecondsAreWholeNumbers) {
  EXPECT_EQ(Parse("0"), absl::ZeroDuration());
  EXPECT_EQ(Parse("1"), absl::Seconds(1));
  EXPECT_EQ(Parse("120"), absl::Minutes(2));
  EXPECT_EQ(Parse("0007"), absl::Seconds(7));
  EXPECT_EQ(Parse("86401"), absl::Seconds(86401));
  EXPECT_EQ(Parse(" 120"), absl::Seconds(120));
  EXPECT_EQ(Parse("\t120 \t"), absl::Seconds(120));
}

TEST(RetryAfterTest, AbsurdSecondsAreMoreThanADay) {
  for (const char* value : {"9223372036854775807", "9223372036854775808", "99999999999999999999",
                            "999999999999999999999999999999999999"}) {
    const auto wait = Parse(value);
    ASSERT_TRUE(wait) << value;
    EXPECT_GT(*wait, absl::Hours(24)) << value;
    EXPECT_LT(*wait, absl::InfiniteDuration()) << value;
  }
}

TEST(RetryAfterTest, ADateCountsFromTheEndOfTheAttempt) {
  EXPECT_EQ(Parse("Sun, 06 Nov 1994 08:49:37 GMT"), absl::Seconds(10));   // IMF-fixdate
  EXPECT_EQ(Parse("Sunday, 06-Nov-94 08:49:37 GMT"), absl::Seconds(10));  // RFC 850
  EXPECT_EQ(Parse("Sun Nov  6 08:49:37 1994"), absl::Seconds(10));        // asctime
  EXPECT_EQ(Parse("Wed Nov 16 08:49:27 1994"), absl::Hours(240));
  EXPECT_EQ(Parse("Mon, 07 Nov 1994 08:49:27 GMT"), absl::Hours(24));
  EXPECT_EQ(Parse("Tue, 06 Nov 2294 08:49:27 GMT"),
            absl::FromCivil(absl::CivilSecond(2294, 11, 6, 8, 49, 27), absl::UTCTimeZone()) - kNow);
}

TEST(RetryAfterTest, ADateFinerThanASecondAwayIsExact) {
  EXPECT_EQ(ParseRetryAfter("Sun, 06 Nov 1994 08:49:37 GMT", kNow + absl::Milliseconds(250)),
            absl::Milliseconds(9750));
}

TEST(RetryAfterTest, ADateInThePastIsNoWait) {
  EXPECT_EQ(Parse("Sun, 06 Nov 1994 08:49:27 GMT"), absl::ZeroDuration());
  EXPECT_EQ(Parse("Sun, 06 Nov 1994 08:49:26 GMT"), absl::ZeroDuration());
  EXPECT_EQ(Parse("Sunday, 06-Nov-94 08:00:00 GMT"), absl::ZeroDuration());
  EXPECT_EQ(Parse("Thu Jan  1 00:00:00 1970"), absl::ZeroDuration());
}

TEST(RetryAfterTest, NegativeSecondsAreNonsense) {
  EXPECT_EQ(Parse("-1"), std::nullopt);
  EXPECT_EQ(Parse("-120"), std::nullopt);
  EXPECT_EQ(Parse("-0"), std::nullopt);
}

TEST(RetryAfterTest, NonsenseIsIgnored) {
  for (const std::string& value : {std::string(),
                                   std::string(" "),
                                   std::string("soon"),
                                   std::string("1.5"),
                                   std::string("1e3"),
                                   std::string("+5"),
                                   std::string("0x10"),
                                   std::string("5s"),
                                   std::string("5 6"),
                                   std::string("5,6"),
                                   std::string("1 0"),
                                   std::string("\xd9\xa1"),
                                   std::string("5\0", 2),
                                   std::string(65, '9'),
                                   std::string("NaN"),
                                   std::string("inf"),
                                   std::string("Sun, 06 Nov 1994 08:49:37"),
                                   std::string("Sun, 06 Nov 1994 08:49:37 CET"),
                                   std::string("Sun, 06 Nov 1994 08:49:37 +0100"),
                                   std::string("Sun, 31 Feb 1994 08:49:37 GMT"),
                                   std::string("Sun, 06 Nov 1994 25:49:37 GMT"),
                                   std::string("1994-11-06T08:49:37Z"),
                                   std::string("06 Nov 1994 08:49:37 GMT"),
                                   std::string("Sun, 06 Foo 1994 08:49:37 GMT"),
                                   std::string("Sun, 06 Nov 1994 08:49:37 GMT, 5")}) {
    EXPECT_EQ(Parse(value), std::nullopt) << "'" << value << "'";
  }
}

TEST(RetryAfterTest, WordsForInfinityAreNonsense) {
  EXPECT_EQ(Parse("infinite-future"), std::nullopt);
  EXPECT_EQ(Parse("infinite-past"), std::nullopt);
}

}  // namespace
}  // namespace postrider::policy

#include "client/backoff.h"

#include <gtest/gtest.h>

#include <optional>

namespace postrider::client {
namespace {

constexpr RetryOptions kOptions = {.first_wait = absl::Milliseconds(100),
                                   .max_wait = absl::Seconds(5)};

struct Wait {
  int failures;
  double random;
  absl::Duration expected;
};

TEST(RetryWaitTest, DoublesUpToTheCapAndTakesARandomHalfOff) {
  for (const Wait& wait : {
           Wait{1, 0.0, absl::Milliseconds(50)},
           Wait{1, 0.5, absl::Milliseconds(75)},
           Wait{2, 0.0, absl::Milliseconds(100)},
           Wait{3, 0.0, absl::Milliseconds(200)},
           Wait{6, 0.0, absl::Milliseconds(1600)},
           Wait{7, 0.0, absl::Milliseconds(2500)},
           Wait{1'000'000'000, 0.0, absl::Milliseconds(2500)},
       }) {
    EXPECT_EQ(RetryWait(kOptions, wait.failures, std::nullopt, wait.random), wait.expected)
        << wait.failures << " failures, random " << wait.random;
  }
}

TEST(RetryWaitTest, NeverEndsBeforeTheDelayThatTheServerNamed) {
  EXPECT_EQ(RetryWait(kOptions, 1, absl::Seconds(30), 0.0), absl::Seconds(30));
  EXPECT_EQ(RetryWait(kOptions, 1, absl::Seconds(30), 0.5), absl::Milliseconds(31500));
}

TEST(RetryWaitTest, KeepsItsOwnWaitWhereTheNamedOneIsShorter) {
  EXPECT_EQ(RetryWait(kOptions, 3, absl::Milliseconds(1), 0.0), absl::Milliseconds(200));
  EXPECT_EQ(RetryWait(kOptions, 3, absl::ZeroDuration(), 0.0), absl::Milliseconds(200));
}

TEST(IsWorthRetryingTest, HoldsForTheThreeCodesThatPassAgain) {
  for (int code = 0; code <= 16; ++code) {
    const auto status_code = static_cast<absl::StatusCode>(code);
    const bool expected = status_code == absl::StatusCode::kUnavailable ||
                          status_code == absl::StatusCode::kDeadlineExceeded ||
                          status_code == absl::StatusCode::kResourceExhausted;
    EXPECT_EQ(IsWorthRetrying(status_code), expected) << code;
  }
}

}  // namespace
}  // namespace postrider::client

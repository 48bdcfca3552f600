#ifndef POSTRIDER_TESTS_CHAOS_RUN_SETTINGS_H_
#define POSTRIDER_TESTS_CHAOS_RUN_SETTINGS_H_

#include <string>
#include <vector>

#include "absl/time/time.h"

namespace postrider::testing {

// What every node of a run is started with: retries and leases that end while one waits.
inline const std::vector<absl::Duration> kSchedule = {absl::Seconds(1), absl::Seconds(2),
                                                      absl::Seconds(4), absl::Seconds(8)};
inline constexpr absl::Duration kAttemptTimeout = absl::Seconds(5);
inline const std::vector<std::string> kServerFlags = {
    "--retry-schedule",  "1s,2s,4s,8s", "--attempt-timeout", "5s",
    "--connect-timeout", "2s",          "--lease-duration",  "15s"};

// What is published.
inline const std::vector<std::string> kTypes = {"chaos.one", "chaos.two", "chaos.three"};

}  // namespace postrider::testing

#endif  // POSTRIDER_TESTS_CHAOS_RUN_SETTINGS_H_

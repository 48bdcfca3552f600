// The table of hostile receivers against a whole server: what the log says of each, how often they
// got their request, what they cost the server in memory, and a healthy endpoint in time.
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/runtime/clock.h"
#include "tests/http/hostile_receivers.h"
#include "tests/support/engine_test.h"
#include "tests/support/sanitized.h"

namespace postrider::testing {
namespace {

// Hostile endpoints that are attacked at once.
constexpr size_t kGroup = 16;
// What a busy machine does to a single measurement, whoever runs on it.
constexpr absl::Duration kResolution = absl::Milliseconds(25);

v1::AttemptOutcome OutcomeOf(const http::Ending& ending) {
  switch (ending.error) {
    case http::TransferError::kNone:
      return ending.status / 100 == 2 ? v1::ATTEMPT_OUTCOME_SUCCEEDED
                                      : v1::ATTEMPT_OUTCOME_HTTP_STATUS;
    case http::TransferError::kTimeout:
      return v1::ATTEMPT_OUTCOME_TIMEOUT;
    case http::TransferError::kConnection:
      return v1::ATTEMPT_OUTCOME_CONNECTION;
    case http::TransferError::kDns:
      return v1::ATTEMPT_OUTCOME_DNS;
    case http::TransferError::kTls:
      return v1::ATTEMPT_OUTCOME_TLS;
    case http::TransferError::kBlocked:
      return v1::ATTEMPT_OUTCOME_BLOCKED;
    case http::TransferError::kNotStarted:
      break;
  }
  return v1::ATTEMPT_OUTCOME_UNSPECIFIED;
}

// Of a process, in KiB.
int64_t ResidentMemory(pid_t pid) {
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  for (std::string word; status >> word;) {
    int64_t kilobytes;
    if (word == "VmRSS:" && status >> kilobytes) return kilobytes;
  }
  return 0;
}

absl::Duration Percentile99(std::vector<absl::Duration> all) {
  std::sort(all.begin(), all.end());
  return all.empty() ? absl::ZeroDuration() : all[(all.size() - 1) * 99 / 100];
}

class HostileEndpointsTest : public OwnServersTest {
 protected:
  // Publishes one event for the healthy endpoint; the time until it has it.
  absl::Duration Ping(Caller& caller) {
    const Instant begun = MonotonicNow();
    caller.PublishEvent("ping");
    ++pings_;
    EXPECT_EQ(receiver_.WaitForRequests(pings_).size(), pings_);
    return MonotonicNow() - begun;
  }

  const http::TestAuthority authority_;
  size_t pings_ = 0;
};

TEST_F(HostileEndpointsTest, CostNothingButTheirOwnAttempts) {
  ServerProcess* const server = StartServer({"--egress-ca-file", authority_.certificate_file()});
  ASSERT_NE(server, nullptr);
  Caller caller(server->api());
  v1::Endpoint healthy = caller.EndpointAt(receiver_.Url());
  healthy.add_events("ping");
  caller.Create(healthy);

  std::vector<http::RunningReceiver> all = http::StartHostileReceivers(authority_);
  ASSERT_GE(all.size(), 45u);
  std::vector<std::string> endpoints;
  for (size_t i = 0; i < all.size(); ++i) {
    v1::Endpoint endpoint = caller.EndpointAt(all[i].url);
    endpoint.add_events(absl::StrCat("attack.", i / kGroup));
    endpoint.set_retries_disabled(true);
    endpoint.set_disable_threshold(0);
    *endpoint.mutable_timeout() = ToProto(absl::Seconds(2));
    endpoints.push_back(caller.Create(endpoint).id());
  }

  for (int i = 0; i < 100; ++i) Ping(caller);
  std::vector<absl::Duration> own;
  for (int i = 0; i < 100; ++i) own.push_back(Ping(caller));
  const int64_t memory = ResidentMemory(server->program().pid());

  std::vector<absl::Duration> attacked;
  std::map<std::string, v1::Attempt> attempts;
  int64_t most_memory = memory;
  for (size_t first = 0; first < all.size(); first += kGroup) {
    const size_t end = std::min(first + kGroup, all.size());
    // Measured in between, so that both see what else the machine does.
    for (int i = 0; i < 100; ++i) own.push_back(Ping(caller));
    const Instant begun = MonotonicNow();
    const std::string event = caller.PublishEvent(absl::StrCat("attack.", first / kGroup));
    bool open = true;
    while (open && MonotonicNow() - begun < kPatience) {
      for (int i = 0; i < 20; ++i) attacked.push_back(Ping(caller));
      open = false;
      for (const v1::Delivery& delivery : caller.DeliveriesOf(event)) {
        open |= !delivery.has_complete_time();
      }
      most_memory = std::max(most_memory, ResidentMemory(server->program().pid()));
    }
    EXPECT_FALSE(open);
    EXPECT_LT(MonotonicNow() - begun, absl::Seconds(6 * kSlowness));
    for (size_t i = first; i < end; ++i) {
      SCOPED_TRACE(all[i].name);
      const std::vector<v1::Attempt> log = caller.AttemptsTo(endpoints[i]);
      ASSERT_EQ(log.size(), 1u);
      EXPECT_EQ(v1::AttemptOutcome_Name(log[0].outcome()),
                v1::AttemptOutcome_Name(OutcomeOf(all[i].ending)))
          << log[0].error();
      EXPECT_EQ(log[0].http_status(), all[i].ending.status);
      EXPECT_LE(log[0].response_body().size(), 4096u);
      if (all[i].reads) {
        EXPECT_EQ(log[0].send_count(), all[i].requests());
      }
    }
  }

  const absl::Duration own_p99 = Percentile99(own);
  const absl::Duration attacked_p99 = Percentile99(attacked);
  std::printf(
      "p99 of a healthy endpoint: %s by itself, %s beside %zu hostile ones (%zu events); "
      "%lld KiB more memory\n",
      absl::FormatDuration(own_p99).c_str(), absl::FormatDuration(attacked_p99).c_str(), all.size(),
      attacked.size(), static_cast<long long>(most_memory - memory));
  if (kSanitized) return;
  EXPECT_LT(attacked_p99, std::max(2 * own_p99, kResolution));
  EXPECT_LT(most_memory - memory, 10 << 10);
}

}  // namespace
}  // namespace postrider::testing

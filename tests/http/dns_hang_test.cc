// Name servers that say nothing.
#include <dirent.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/runtime/clock.h"
#include "tests/http/dns_test_base.h"
#include "tests/support/sanitized.h"

namespace postrider::http {
namespace {

constexpr int kHanging = 500;

// Requests to this many names whose server hangs.
std::vector<Request> ToHangingNames(int port, int count, absl::Duration connect_timeout) {
  std::vector<Request> requests;
  for (int i = 0; i < count; ++i) {
    requests.push_back(LocalRequest(absl::StrCat("http://n", i, ".hang.test:", port, "/")));
    requests.back().connect_timeout = connect_timeout;
    requests.back().id = 1000 + i;
  }
  return requests;
}

int CountThreads() {
  int count = 0;
  DIR* const tasks = opendir("/proc/self/task");
  while (const dirent* entry = readdir(tasks)) count += entry->d_name[0] != '.';
  closedir(tasks);
  return count;
}

// Of this process, in KiB.
int64_t ResidentMemory() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    int64_t kilobytes;
    if (word == "VmRSS:" && status >> kilobytes) return kilobytes;
  }
  return 0;
}

class DnsHangTest : public DnsTest {
 protected:
  void SetUp() override {
    DnsTest::SetUp();
    if (names_ == nullptr) return;
    names_->SetSuffix(".hang.test", {.silent = true});
    names_->Set("good.test", {.answers = {{kPublic}}});
    names_->Set("other.test", {.answers = {{kPublic}}});
  }
};

TEST_F(DnsHangTest, ALookupThatHangsEndsAtTheConnectTimeout) {
  LoopHarness harness(PublicOptions());
  Request request = RequestTo("n1.hang.test");
  request.connect_timeout = absl::Milliseconds(300);
  const Result result = harness.Post(request);
  EXPECT_EQ(result.error, TransferError::kTimeout);
  EXPECT_EQ(result.error_text, "the name lookup took too long");
  EXPECT_EQ(result.send_count, 0);
  EXPECT_GE(result.duration, absl::Milliseconds(299));  // The library counts in milliseconds.
  EXPECT_LT(result.duration, absl::Seconds(1));
}

// The product of all that the loop does about hanging names: while 500 of them hang, time out and
// wait for their turn, requests to others go through as if nothing was.
TEST_F(DnsHangTest, FiveHundredHangingNamesDoNotStallTheLoop) {
  LoopHarness harness(PublicOptions());
  // So that the transfers are there, which a loop keeps.
  std::vector<Request> warm(kHanging, RequestTo("good.test"));
  harness.loop().Send(std::move(warm));
  ASSERT_EQ(harness.Await(kHanging).size(), static_cast<size_t>(kHanging));
  const int64_t memory = ResidentMemory();
  const int threads = CountThreads();
  harness.loop().Send(ToHangingNames(port(), kHanging, absl::Seconds(1)));

  int most_threads = 0;
  absl::Duration longest;
  size_t healthy = kHanging;
  size_t hung = 0;
  std::vector<Result> all;
  while (hung < kHanging) {
    const Instant sent = MonotonicNow();
    Request request = RequestTo("good.test");
    request.id = 1;
    harness.loop().Send({request});
    ++healthy;
    for (;;) {
      all = harness.Await(healthy + hung);
      const size_t good = std::count_if(all.begin(), all.end(),
                                        [](const Result& result) { return result.id < 1000; });
      hung = all.size() - good;
      if (good == healthy) break;
    }
    longest = std::max(longest, MonotonicNow() - sent);
    most_threads = std::max(most_threads, CountThreads());
  }
  const int64_t growth = ResidentMemory() - memory;
  for (const Result& result : all) {
    if (result.id < 1000) {
      EXPECT_EQ(result.status, 200) << result.error_text;
    } else {
      EXPECT_EQ(result.error, TransferError::kTimeout) << result.error_text;
    }
  }
  std::printf("longest wait of %zu healthy requests %s, %d more threads, %lld KiB more memory\n",
              healthy, absl::FormatDuration(longest).c_str(), most_threads - threads,
              static_cast<long long>(growth));
  if (!testing::kSanitized) EXPECT_LT(longest, absl::Milliseconds(100));
}

TEST_F(DnsHangTest, ANewNameIsLookedUpWhileHundredsThatWereSlowWait) {
  LoopHarness harness(PublicOptions());
  harness.loop().Send(ToHangingNames(port(), kHanging, absl::Milliseconds(600)));
  ASSERT_EQ(harness.Await(kHanging).size(), static_cast<size_t>(kHanging));
  // All of them again; they are known to be slow now.
  harness.loop().Send(ToHangingNames(port(), kHanging, absl::Seconds(2)));
  const Instant sent = MonotonicNow();
  Request request = RequestTo("good.test");
  request.id = 1;
  harness.loop().Send({request});
  const std::vector<Result> results = harness.Await(kHanging + 1);
  EXPECT_LT(MonotonicNow() - sent, absl::Seconds(1));
  ASSERT_EQ(results.size(), kHanging + 1u);
  EXPECT_EQ(results.back().id, 1u);
  EXPECT_EQ(results.back().status, 200) << results.back().error_text;
}

TEST_F(DnsHangTest, ANameThatWasQuickIsLookedUpWhileHundredsOfNewOnesHang) {
  names_->Set("moved.test", {.answers = {{kPublic}}});
  LoopHarness harness(PublicOptions());
  ASSERT_EQ(harness.Post(RequestTo("moved.test")).status, 200);
  harness.loop().Send(ToHangingNames(port(), kHanging, absl::Seconds(2)));
  // Another port is another lookup.
  ScriptedReceiver other(
      [](ScriptedReceiver::Connection& c) {
        while (c.ReadRequest() && c.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) {
        }
      },
      kPublic);
  const Instant sent = MonotonicNow();
  Request request = LocalRequest(absl::StrCat("http://moved.test:", other.port(), "/"));
  request.id = 1;
  harness.loop().Send({request});
  const std::vector<Result> results = harness.Await(2);
  EXPECT_LT(MonotonicNow() - sent, absl::Seconds(1));
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results[1].status, 200) << results[1].error_text;
  EXPECT_EQ(names_->lookups("moved.test"), 2);
}

TEST_F(DnsHangTest, WhatWaitsForALookupTooLongIsNotStarted) {
  LoopOptions options = PublicOptions();
  options.max_lookups = 4;
  LoopHarness harness(options);
  const Instant sent = MonotonicNow();
  std::vector<Request> requests = ToHangingNames(port(), 40, absl::Seconds(2));
  requests.push_back(requests[0]);  // Waits for the lookup of another request.
  for (Request& request : requests) request.start_by = sent + absl::Milliseconds(500);
  harness.loop().Send(std::move(requests));
  const std::vector<Result> early = harness.Await(38);
  const absl::Duration waited = MonotonicNow() - sent;
  ASSERT_EQ(early.size(), 38u);
  for (const Result& result : early) {
    EXPECT_EQ(result.error, TransferError::kNotStarted) << result.error_text;
  }
  EXPECT_GE(waited, absl::Milliseconds(500));
  EXPECT_LT(waited, absl::Milliseconds(1500));
  const std::vector<Result> all = harness.Await(41);
  ASSERT_EQ(all.size(), 41u);
  for (size_t i = 38; i < all.size(); ++i) EXPECT_EQ(all[i].error, TransferError::kTimeout);
  EXPECT_EQ(harness.loop().in_flight(), 0);
}

TEST_F(DnsHangTest, StopDoesNotWaitForLookups) {
  LoopHarness harness(PublicOptions());
  std::vector<Request> requests = ToHangingNames(port(), 90, absl::Seconds(5));
  requests.push_back(RequestTo("good.test"));
  harness.loop().Send(std::move(requests));
  // Its lookup was the last to begin.
  EXPECT_EQ(harness.Await(1)[0].status, 200);
  const Instant begun = MonotonicNow();
  harness.loop().Stop();
  EXPECT_LT(MonotonicNow() - begun, absl::Seconds(1));
  EXPECT_EQ(harness.loop().in_flight(), 0);
}

}  // namespace
}  // namespace postrider::http

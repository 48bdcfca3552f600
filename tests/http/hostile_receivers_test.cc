// Receivers that do not behave: what becomes of the attempt, in what time, how often they really
// got the request, and what they cost the server and the others.
#include "tests/http/hostile_receivers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/http/loop_harness.h"

namespace postrider::http {
namespace {

// A few megabytes over TLS must fit in.
constexpr absl::Duration kTimeout = absl::Seconds(POSTRIDER_HOSTILE_TIMEOUT_SECONDS);
// Attempts at once: a machine that is busy with handshakes would make others time out.
constexpr size_t kAtOnce = 16;

class HostileReceiversTest : public testing::Test {
 protected:
  LoopOptions Options() const {
    LoopOptions options = LocalOptions();
    options.ca_file = authority_.certificate_file();
    return options;
  }

  static Request RequestTo(const RunningReceiver& running) {
    Request request = LocalRequest(running.url);
    request.timeout = request.connect_timeout = kTimeout;
    return request;
  }

  // One attempt at each; the results by their place in `all`.
  static std::vector<Result> PostToAll(LoopHarness& harness,
                                       const std::vector<RunningReceiver>& all, size_t before = 0) {
    std::vector<Result> results;
    for (size_t first = 0; first < all.size(); first += kAtOnce) {
      std::vector<Request> requests;
      const size_t end = std::min(first + kAtOnce, all.size());
      for (size_t i = first; i < end; ++i) {
        requests.push_back(RequestTo(all[i]));
        requests.back().id = i;
      }
      harness.loop().Send(std::move(requests));
      results = harness.Await(before + end);
    }
    results.erase(results.begin(), results.begin() + static_cast<std::ptrdiff_t>(before));
    return results;
  }

  const TestAuthority authority_;
};

TEST_F(HostileReceiversTest, EveryAttemptEndsAsItMustInTimeAndIsSentOnce) {
  std::vector<RunningReceiver> all = StartHostileReceivers(authority_);
  ASSERT_GE(all.size(), 150u);
  LoopHarness harness(Options());
  const std::vector<Result> results = PostToAll(harness, all);
  ASSERT_EQ(results.size(), all.size());
  for (const Result& result : results) {
    RunningReceiver& running = all[result.id];
    SCOPED_TRACE(running.name);
    EXPECT_EQ(TransferErrorName(result.error), TransferErrorName(running.ending.error))
        << result.error_text;
    EXPECT_EQ(result.status, running.ending.status);
    EXPECT_LT(result.duration, kTimeout + absl::Seconds(1));
    EXPECT_LE(result.body.size(), kMaxKeptBodyBytes);
    EXPECT_LE(result.headers.size(), kMaxKeptHeaders);
    EXPECT_EQ(result.error == TransferError::kNone, result.error_text.empty());
    if (running.reads) {
      EXPECT_EQ(result.send_count, 1);
      EXPECT_EQ(running.requests(), 1);
    }
  }
}

// Over pooled connections too, where they are left open.
TEST_F(HostileReceiversTest, WhatReceiversCountIsWhatResultsSay) {
  constexpr size_t kRounds = 3;
  std::vector<RunningReceiver> all = StartHostileReceivers(authority_);
  LoopHarness harness(Options());
  for (size_t round = 0; round < kRounds; ++round) {
    const std::vector<Result> results = PostToAll(harness, all, round * all.size());
    ASSERT_EQ(results.size(), all.size());
    for (const Result& result : results) {
      EXPECT_LE(result.send_count, 1);
      all[result.id].sends += result.send_count;
    }
  }
  for (const RunningReceiver& running : all) {
    SCOPED_TRACE(running.name);
    // One that closes its connection may not see what is put on it at that moment.
    EXPECT_LE(running.requests(), running.sends);
    if (running.keeps_open) {
      EXPECT_EQ(running.requests(), static_cast<int>(kRounds));
      EXPECT_EQ(running.sends, static_cast<int>(kRounds));
    }
  }
}

}  // namespace
}  // namespace postrider::http

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

constexpr absl::Duration kTimeout = absl::Seconds(2);
// Attempts at once: a machine that is busy with handshakes would make others time out.
constexpr size_t kAtOnce = 16;

// One receiver of the tables that runs, and how an attempt at it must end.
struct Running {
  std::string name;
  std::string url;
  Ending ending;
  bool reads = true;
  bool keeps_open = false;
  std::unique_ptr<ScriptedReceiver> plain;
  std::unique_ptr<TlsReceiver> tls;
  int sends = 0;

  int requests() const { return plain != nullptr ? plain->requests() : tls->requests(); }
};

class HostileReceiversTest : public testing::Test {
 protected:
  // All of the tables, plain and TLS.
  std::vector<Running> StartAll() {
    std::vector<Running> all;
    for (const HostileReceiver& hostile : HostileReceivers()) {
      auto plain = std::make_unique<ScriptedReceiver>(hostile.script);
      all.push_back({hostile.name, plain->url(), hostile.ending, hostile.reads, hostile.keeps_open,
                     std::move(plain)});
      auto tls = std::make_unique<TlsReceiver>(authority_, TlsReceiver::Options{}, hostile.script);
      all.push_back({absl::StrCat(hostile.name, ", over TLS"), tls->url(),
                     hostile.tls_ending.value_or(hostile.ending), hostile.reads, hostile.keeps_open,
                     nullptr, std::move(tls)});
    }
    for (const HostileHandshake& hostile : HostileHandshakes()) {
      auto tls = std::make_unique<TlsReceiver>(authority_, hostile.options);
      all.push_back({absl::StrCat("handshake: ", hostile.name), tls->url(hostile.host),
                     hostile.ending, false, false, nullptr, std::move(tls)});
    }
    for (const HostileReceiver& hostile : BrokenHandshakes()) {
      auto plain = std::make_unique<ScriptedReceiver>(hostile.script);
      all.push_back({absl::StrCat("handshake: ", hostile.name),
                     absl::StrCat("https://127.0.0.1:", plain->port(), "/"), hostile.ending, false,
                     false, std::move(plain)});
    }
    return all;
  }

  LoopOptions Options() const {
    LoopOptions options = LocalOptions();
    options.ca_file = authority_.certificate_file();
    return options;
  }

  static Request RequestTo(const Running& running) {
    Request request = LocalRequest(running.url);
    request.timeout = request.connect_timeout = kTimeout;
    return request;
  }

  // One attempt at each; the results by their place in `all`.
  static std::vector<Result> PostToAll(LoopHarness& harness, const std::vector<Running>& all,
                                       size_t before = 0) {
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
  std::vector<Running> all = StartAll();
  ASSERT_GE(all.size(), 150u);
  LoopHarness harness(Options());
  const std::vector<Result> results = PostToAll(harness, all);
  ASSERT_EQ(results.size(), all.size());
  for (const Result& result : results) {
    Running& running = all[result.id];
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
  std::vector<Running> all = StartAll();
  LoopHarness harness(Options());
  for (size_t round = 0; round < kRounds; ++round) {
    const std::vector<Result> results = PostToAll(harness, all, round * all.size());
    ASSERT_EQ(results.size(), all.size());
    for (const Result& result : results) {
      EXPECT_LE(result.send_count, 1);
      all[result.id].sends += result.send_count;
    }
  }
  for (const Running& running : all) {
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

// What is sent, reuse, load, and the end of the loop.
#include "server/http/loop.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "tests/http/loop_harness.h"
#include "tests/http/scripted_receiver.h"

namespace postrider::http {
namespace {

using Connection = ScriptedReceiver::Connection;

constexpr char kOk[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

void AlwaysOk(Connection& c) {
  while (c.ReadRequest() && c.Send(kOk)) {
  }
}

// Answers with the head and body of the request.
void Echo(Connection& c) {
  while (c.ReadRequest()) {
    const std::string echo = c.head() + c.body();
    c.Send(absl::StrCat("HTTP/1.1 200 OK\r\nContent-Length: ", echo.size(), "\r\n\r\n", echo));
  }
}

TEST(LoopTest, SendsTheRequestAndNothingElse) {
  ScriptedReceiver receiver(Echo);
  LoopOptions options = LocalOptions();
  options.user_agent = "Postrider/1.0";
  LoopHarness harness(options);
  Request request = LocalRequest(absl::StrCat("http://127.0.0.1:", receiver.port(), "/a%20b?c=d"));
  request.headers = {
      {"content-type", "application/json"}, {"webhook-id", "evt_1"}, {"x-empty", ""}};
  request.body = std::make_shared<const std::string>("{\"x\":\"\0\"}", 9);
  const Result result = harness.Post(request);
  EXPECT_EQ(result.body,
            absl::StrCat("POST /a%20b?c=d HTTP/1.1\r\nHost: 127.0.0.1:", receiver.port(),
                         "\r\nUser-Agent: Postrider/1.0\r\ncontent-type: application/json\r\n"
                         "webhook-id: evt_1\r\nx-empty:\r\nContent-Length: 9\r\n\r\n") +
                *request.body);
}

TEST(LoopTest, SendsBodiesOfAnySize) {
  ScriptedReceiver receiver([](Connection& c) {
    while (c.ReadRequest()) {
      const std::string size = absl::StrCat(c.body().size(), " ", c.head().find("Expect"));
      c.Send(absl::StrCat("HTTP/1.1 200 OK\r\nContent-Length: ", size.size(), "\r\n\r\n", size));
    }
  });
  LoopHarness harness;
  for (const size_t size : {0u, 1u, 16384u, 65535u, 65536u, 300000u, 3000000u}) {
    Request request = LocalRequest(receiver.url());
    request.body = size == 0 ? nullptr : std::make_shared<const std::string>(size, 'x');
    EXPECT_EQ(harness.Post(request).body, absl::StrCat(size, " ", std::string::npos));
  }
}

TEST(LoopTest, ReusesConnectionsAndHandlesAcrossReceivers) {
  ScriptedReceiver one(Echo);
  ScriptedReceiver two(Echo);
  LoopHarness harness;
  for (int i = 0; i < 10; ++i) {
    for (ScriptedReceiver* receiver : {&one, &two}) {
      Request request = LocalRequest(absl::StrCat("http://127.0.0.1:", receiver->port(), "/", i));
      request.headers = Headers(i, {"x-n", "v"});
      const Result result = harness.Post(request);
      EXPECT_EQ(result.error, TransferError::kNone);
      EXPECT_EQ(result.remote_address, absl::StrCat("127.0.0.1:", receiver->port()));
      EXPECT_EQ(
          result.body.rfind(
              absl::StrCat("POST /", i, " HTTP/1.1\r\nHost: 127.0.0.1:", receiver->port(), "\r\n"),
              0),
          0u)
          << result.body;
    }
  }
  EXPECT_EQ(one.connections(), 1);
  EXPECT_EQ(two.connections(), 1);
}

TEST(LoopTest, RequestsThatCannotBeSentAreAnswered) {
  ScriptedReceiver receiver(AlwaysOk);
  LoopHarness harness;
  const Headers kBad[] = {
      {{"", "x"}},
      {{"a b", "x"}},
      {{"a:", "x"}},
      {{"a\r\nb", "x"}},
      {{"a", "x\r\nb: c"}},
      {{"a", "x\n"}},
      {{"a", std::string("x\0", 2)}},
      {{"Host", "evil.test"}},
      {{"content-LENGTH", "0"}},
      {{"Transfer-Encoding", "chunked"}},
      {{"Connection", "close"}},
      {{"expect", "100-continue"}},
  };
  for (const Headers& headers : kBad) {
    Request request = LocalRequest(receiver.url());
    request.headers = headers;
    const Result result = harness.Post(request);
    EXPECT_EQ(result.error, TransferError::kConnection) << headers[0].first;
    EXPECT_EQ(result.send_count, 0);
    EXPECT_FALSE(result.error_text.empty());
  }
  EXPECT_EQ(harness.Post(Request()).error, TransferError::kConnection);
  EXPECT_EQ(receiver.connections(), 0);
  EXPECT_EQ(harness.Post(receiver.url()).status, 200);
}

TEST(LoopTest, EveryOneOfManyTransfersGetsOneResult) {
  constexpr int kCount = 2000;
  ScriptedReceiver receiver(AlwaysOk);
  LoopOptions options = LocalOptions();
  options.max_connections_total = 200;
  options.max_connections_per_origin = 150;
  LoopHarness harness(options);
  std::vector<std::thread> senders;
  for (int sender = 0; sender < 4; ++sender) {
    senders.emplace_back([&, sender] {
      for (int i = sender; i < kCount; i += 4) {
        std::vector<Request> requests;
        requests.push_back(LocalRequest(receiver.url()));
        requests.back().id = i;
        harness.loop().Send(std::move(requests));
      }
    });
  }
  for (std::thread& sender : senders) sender.join();
  const std::vector<Result> results = harness.Await(kCount);
  std::vector<int> seen(kCount, 0);
  for (const Result& result : results) {
    EXPECT_EQ(result.status, 200) << result.error_text;
    EXPECT_EQ(result.send_count, 1);
    ++seen[result.id];
  }
  EXPECT_EQ(seen, std::vector<int>(kCount, 1));
  EXPECT_EQ(receiver.requests(), kCount);
  EXPECT_LE(receiver.connections(), 150);
  EXPECT_EQ(harness.loop().in_flight(), 0);
}

TEST(LoopTest, ASilentReceiverHoldsUpNobodyElse) {
  ScriptedReceiver silent([](Connection& c) { c.WaitForClose(); });
  ScriptedReceiver receiver(AlwaysOk);
  LoopOptions options = LocalOptions();
  options.max_connections_per_origin = 2;
  LoopHarness harness(options);
  std::vector<Request> requests;
  for (int i = 0; i < 20; ++i) requests.push_back(LocalRequest(silent.url()));
  for (int i = 0; i < 20; ++i) requests.push_back(LocalRequest(receiver.url()));
  harness.loop().Send(std::move(requests));
  for (const Result& result : harness.Await(20)) EXPECT_EQ(result.status, 200);
  EXPECT_LE(silent.connections(), 2);
  EXPECT_EQ(harness.loop().in_flight(), 20);
}

// It stays ready to be read from, which must not keep the loop awake.
TEST(LoopTest, AnIdleConnectionThatItsReceiverClosedCostsNothing) {
  ScriptedReceiver receiver([](Connection& c) {
    c.ReadRequest();
    c.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  });
  LoopHarness harness;
  ASSERT_EQ(harness.Post(receiver.url()).status, 200);
  ASSERT_TRUE(receiver.AwaitAllClosed());
  const auto used = [] {
    rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return absl::DurationFromTimeval(usage.ru_utime) + absl::DurationFromTimeval(usage.ru_stime);
  };
  const absl::Duration before = used();
  absl::SleepFor(absl::Milliseconds(500));  // of which a loop that is awake uses all it gets
  EXPECT_LT(used() - before, absl::Milliseconds(50));
  EXPECT_EQ(harness.Post(receiver.url()).status, 200);
}

TEST(LoopTest, ARequestWhoseTurnDoesNotComeInTimeIsNotStarted) {
  ScriptedReceiver silent([](Connection& c) { c.WaitForClose(); });
  ScriptedReceiver receiver(AlwaysOk);
  LoopOptions options = LocalOptions();
  options.max_connections_per_origin = 1;
  LoopHarness harness(options);
  const Instant sent = MonotonicNow();
  std::vector<Request> requests;
  for (uint64_t id = 0; id < 3; ++id) {
    requests.push_back(LocalRequest(silent.url()));
    requests.back().id = id;
  }
  requests[0].timeout = absl::Seconds(3);
  requests[0].start_by = sent + absl::Milliseconds(300);  // Starts at once, and then has its time.
  requests[1].start_by = sent + absl::Milliseconds(300);
  requests[2].start_by = sent;  // Too late from the first.
  harness.loop().Send(std::move(requests));
  const std::vector<Result> late = harness.Await(2);
  const absl::Duration waited = MonotonicNow() - sent;
  ASSERT_EQ(late.size(), 2u);
  EXPECT_EQ(late[0].id, 2u);
  EXPECT_EQ(late[1].id, 1u);
  for (const Result& result : late) {
    EXPECT_EQ(result.error, TransferError::kNotStarted);
    EXPECT_EQ(result.error_text, "its turn did not come in time");
    EXPECT_EQ(result.send_count, 0);
    EXPECT_EQ(result.remote_address, "");
  }
  EXPECT_GE(waited, absl::Milliseconds(300));
  EXPECT_LT(waited, absl::Seconds(2));
  const std::vector<Result> all = harness.Await(3);
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[2].error, TransferError::kTimeout);
  EXPECT_EQ(silent.connections(), 1);
}

TEST(LoopTest, IdleConnectionsMakeRoomForNewOnes) {
  std::vector<std::unique_ptr<ScriptedReceiver>> receivers;
  for (int i = 0; i < 12; ++i) receivers.push_back(std::make_unique<ScriptedReceiver>(AlwaysOk));
  LoopOptions options = LocalOptions();
  options.max_connections_total = 3;
  options.max_connections_per_origin = 3;
  LoopHarness harness(options);
  std::vector<Request> requests;
  for (int i = 0; i < 120; ++i) requests.push_back(LocalRequest(receivers[i % 12]->url()));
  harness.loop().Send(std::move(requests));
  const std::vector<Result> results = harness.Await(120);
  ASSERT_EQ(results.size(), 120u);
  for (const Result& result : results) EXPECT_EQ(result.status, 200) << result.error_text;
}

TEST(LoopTest, StopAnswersEverything) {
  ScriptedReceiver silent([](Connection& c) { c.WaitForClose(); });
  LoopOptions options = LocalOptions();
  options.max_connections_per_origin = 5;
  std::vector<Result> results;
  Loop loop(options, [&](std::vector<Result> batch) {
    results.insert(results.end(), batch.begin(), batch.end());
  });
  loop.Start();
  std::vector<Request> requests;
  for (int i = 0; i < 50; ++i) requests.push_back(LocalRequest(silent.url()));
  for (int i = 0; i < 50; ++i) {
    requests.push_back(LocalRequest(absl::StrCat("http://unknown", i, ".invalid/")));
  }
  loop.Send(std::move(requests));
  loop.Stop();
  ASSERT_EQ(results.size(), 100u);
  for (const Result& result : results) {
    if (result.error == TransferError::kDns) continue;  // It may have been quicker.
    EXPECT_EQ(result.error, TransferError::kConnection);
    EXPECT_EQ(result.error_text, "stopped");
  }
  EXPECT_EQ(loop.in_flight(), 0);

  loop.Send({LocalRequest(silent.url())});
  ASSERT_EQ(results.size(), 101u);
  EXPECT_EQ(results.back().error_text, "stopped");
  loop.Stop();
  EXPECT_EQ(results.size(), 101u);
}

TEST(LoopTest, StopWithoutStartAnswersEverything) {
  std::vector<Result> results;
  Loop loop(LocalOptions(), [&](std::vector<Result> batch) { results = std::move(batch); });
  loop.Send({LocalRequest("http://127.0.0.1:8080/")});
  EXPECT_EQ(loop.in_flight(), 1);
  loop.Stop();
  ASSERT_EQ(results.size(), 1u);
  EXPECT_EQ(results[0].error_text, "stopped");
  EXPECT_EQ(loop.in_flight(), 0);
}

TEST(LoopTest, RequestsMayBeSentFromTheCallback) {
  ScriptedReceiver receiver(AlwaysOk);
  absl::Notification done;
  int left = 100;
  Loop* self = nullptr;
  Loop loop(LocalOptions(), [&](std::vector<Result> batch) {
    for (const Result& result : batch) {
      EXPECT_EQ(result.status, 200);
      if (--left == 0) return done.Notify();
      self->Send({LocalRequest(receiver.url())});
    }
  });
  self = &loop;
  loop.Start();
  loop.Send({LocalRequest(receiver.url())});
  EXPECT_TRUE(done.WaitForNotificationWithTimeout(absl::Seconds(30)));
  loop.Stop();
  EXPECT_EQ(receiver.requests(), 100);
}

TEST(LoopOptionsTest, DefaultsAreGoodAndContradictionsAreNot) {
  EXPECT_TRUE(CheckLoopOptions(LoopOptions()).ok());
  const auto refused = [](void (*change)(LoopOptions&)) {
    LoopOptions options;
    change(options);
    return CheckLoopOptions(options).code() == absl::StatusCode::kInvalidArgument;
  };
  EXPECT_TRUE(refused([](LoopOptions& o) { o.user_agent = "a\r\nb"; }));
  EXPECT_TRUE(refused([](LoopOptions& o) { o.proxy = "127.0.0.1:3128"; }));
  EXPECT_TRUE(refused([](LoopOptions& o) { o.proxy = "socks5://127.0.0.1"; }));
  EXPECT_TRUE(refused([](LoopOptions& o) { o.proxy = "http://"; }));
  EXPECT_TRUE(refused([](LoopOptions& o) { o.ca_file = "/nowhere/ca.pem"; }));
  EXPECT_TRUE(refused([](LoopOptions& o) { o.max_connections_total = 0; }));
  EXPECT_TRUE(refused([](LoopOptions& o) { o.max_connections_per_origin = 0; }));
  EXPECT_TRUE(refused([](LoopOptions& o) { o.max_connections_per_origin = 5000; }));
  EXPECT_TRUE(refused([](LoopOptions& o) { o.max_lookups = 0; }));
  EXPECT_TRUE(refused([](LoopOptions& o) { o.max_body_read_bytes = 100; }));
  EXPECT_TRUE(refused([](LoopOptions& o) { o.max_header_bytes = 100; }));
  EXPECT_TRUE(refused([](LoopOptions& o) { o.max_idle = absl::ZeroDuration(); }));
  EXPECT_TRUE(refused([](LoopOptions& o) { o.max_connection_age = absl::Seconds(1); }));
}

}  // namespace
}  // namespace postrider::http

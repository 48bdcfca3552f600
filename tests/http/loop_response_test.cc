// Responses, good, broken and hostile.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "tests/http/loop_harness.h"
#include "tests/http/scripted_receiver.h"

namespace postrider::http {
namespace {

using Connection = ScriptedReceiver::Connection;

// Answers every request with these bytes, and closes after the first if told so.
ScriptedReceiver::Script Answer(std::string bytes, bool close = false) {
  return [bytes, close](Connection& c) {
    while (c.ReadRequest() && c.Send(bytes) && !close) {
    }
  };
}

// Sends `start` and then `again` until the other side has had enough.
ScriptedReceiver::Script Flood(std::string start, std::string again) {
  return [start, again](Connection& c) {
    c.ReadRequest();
    c.Send(start);
    while (c.Send(again)) {
    }
  };
}

Result PostTo(ScriptedReceiver::Script script) {
  ScriptedReceiver receiver(std::move(script));
  LoopHarness harness;
  return harness.Post(receiver.url());
}

void ExpectConnectionError(const Result& result) {
  EXPECT_EQ(result.error, TransferError::kConnection);
  EXPECT_FALSE(result.error_text.empty());
  EXPECT_EQ(result.send_count, 1);
}

TEST(LoopResponseTest, A200ComesWithBodyHeadersAndTimes) {
  const Result result =
      PostTo(Answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-One:  1 \r\nX-Two:\r\n\r\nhello"));
  EXPECT_EQ(result.error, TransferError::kNone) << result.error_text;
  EXPECT_EQ(result.error_text, "");
  EXPECT_EQ(result.status, 200);
  EXPECT_EQ(result.body, "hello");
  EXPECT_FALSE(result.body_truncated);
  EXPECT_EQ(result.headers, (Headers{{"Content-Length", "5"}, {"X-One", "1"}, {"X-Two", ""}}));
  EXPECT_EQ(result.send_count, 1);
  EXPECT_EQ(result.remote_address.rfind("127.0.0.1:", 0), 0u) << result.remote_address;
  EXPECT_GT(result.duration, absl::ZeroDuration());
  EXPECT_GT(result.phases.first_byte, absl::ZeroDuration());
  EXPECT_EQ(result.phases.tls, absl::ZeroDuration());
}

TEST(LoopResponseTest, OtherStatusesAreResultsNotErrors) {
  for (const int status : {201, 204, 206, 304, 400, 401, 404, 407, 410, 417, 429, 500, 503, 599}) {
    const Result result =
        PostTo(Answer(absl::StrCat("HTTP/1.1 ", status, " Word\r\nContent-Length: 0\r\n\r\n")));
    EXPECT_EQ(result.error, TransferError::kNone) << status << result.error_text;
    EXPECT_EQ(result.status, status);
    EXPECT_EQ(result.send_count, 1);
  }
}

TEST(LoopResponseTest, RedirectsAreNotFollowed) {
  ScriptedReceiver target(Answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
  for (const int status : {301, 302, 303, 307, 308}) {
    const Result result =
        PostTo(Answer(absl::StrCat("HTTP/1.1 ", status, " Moved\r\nLocation: ", target.url(),
                                   "\r\nContent-Length: 0\r\n\r\n")));
    EXPECT_EQ(result.status, status);
  }
  EXPECT_EQ(target.connections(), 0);
}

TEST(LoopResponseTest, ABodyThatEndsWithTheConnectionIsComplete) {
  const Result result = PostTo(Answer("HTTP/1.0 200 OK\r\n\r\nhello", /*close=*/true));
  EXPECT_EQ(result.error, TransferError::kNone);
  EXPECT_EQ(result.body, "hello");
}

TEST(LoopResponseTest, AChunkedBodyIsPutTogetherAndTrailersAreLeftOut) {
  const Result result =
      PostTo(Answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nX-Trailer: 1\r\n\r\n"));
  EXPECT_EQ(result.error, TransferError::kNone) << result.error_text;
  EXPECT_EQ(result.body, "hello");
  EXPECT_EQ(result.headers, (Headers{{"Transfer-Encoding", "chunked"}}));
}

TEST(LoopResponseTest, ACompressedBodyIsNotDecoded) {
  const std::string gzip = "\x1f\x8b\x08";
  const Result result = PostTo(
      Answer("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n" + gzip));
  EXPECT_EQ(result.error, TransferError::kNone);
  EXPECT_EQ(result.body, gzip);
}

TEST(LoopResponseTest, HeadersOfTheFinalResponseOnly) {
  const Result result =
      PostTo(Answer("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
                    "HTTP/1.1 204 No Content\r\nX-Final: 1\r\n\r\n"));
  EXPECT_EQ(result.error, TransferError::kNone) << result.error_text;
  EXPECT_EQ(result.status, 204);
  EXPECT_EQ(result.headers, (Headers{{"X-Final", "1"}}));
}

TEST(LoopResponseTest, ABodyIsKeptUpToTheLimit) {
  for (const size_t size : {kMaxKeptBodyBytes - 1, kMaxKeptBodyBytes, kMaxKeptBodyBytes + 1}) {
    const Result result = PostTo(Answer(absl::StrCat("HTTP/1.1 200 OK\r\nContent-Length: ", size,
                                                     "\r\n\r\n", std::string(size, 'b'))));
    EXPECT_EQ(result.error, TransferError::kNone);
    EXPECT_EQ(result.body.size(), std::min(size, kMaxKeptBodyBytes));
    EXPECT_EQ(result.body_truncated, size > kMaxKeptBodyBytes);
  }
}

TEST(LoopResponseTest, HeadersAreKeptUpToTheLimits) {
  std::string many = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n";
  for (int i = 0; i < 100; ++i) absl::StrAppend(&many, "X-", i, ": v\r\n");
  EXPECT_EQ(PostTo(Answer(many + "\r\n")).headers.size(), kMaxKeptHeaders);

  const std::string large = absl::StrCat("X-Large: ", std::string(5000, 'v'), "\r\n");
  const Result result = PostTo(Answer(absl::StrCat("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n",
                                                   large, large, "X-Small: 1\r\n\r\n")));
  EXPECT_EQ(result.error, TransferError::kNone);
  ASSERT_EQ(result.headers.size(), 3u);
  EXPECT_EQ(result.headers[2].first, "X-Small");
}

TEST(LoopResponseTest, AnEndlessBodyIsCutAndTheStatusHolds) {
  const std::string block(16384, 'x');
  const std::string chunk = absl::StrCat("4000\r\n", block, "\r\n");
  for (const int status : {200, 202, 500}) {
    const std::string line = absl::StrCat("HTTP/1.1 ", status, " Word\r\n");
    for (const Result& result :
         {PostTo(Flood(line + "\r\n", block)),
          PostTo(Flood(line + "Transfer-Encoding: chunked\r\n\r\n", chunk)),
          PostTo(Flood(line + "Content-Length: 9223372036854775807\r\n\r\n", block))}) {
      EXPECT_EQ(result.error, TransferError::kNone) << result.error_text;
      EXPECT_EQ(result.status, status);
      EXPECT_EQ(result.body.size(), kMaxKeptBodyBytes);
      EXPECT_TRUE(result.body_truncated);
      EXPECT_EQ(result.send_count, 1);
    }
  }
}

TEST(LoopResponseTest, EndlessHeadersAreAnError) {
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  for (const Result& result :
       {PostTo(Flood(ok, "X-Flood: 0123456789\r\n")),
        PostTo(Flood(ok + "Transfer-Encoding: chunked\r\n\r\n0\r\n", "X-Trailer: 01234567\r\n")),
        PostTo(Flood("", "HTTP/1.1 100 Continue\r\n\r\n")),
        PostTo(Flood("", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"))}) {
    ExpectConnectionError(result);
    EXPECT_EQ(result.error_text, "response headers too large");
  }
  for (const Result& result :
       {PostTo(Flood(ok, "x")), PostTo(Flood(ok + "X-Long: ", "xxxxxxxxxxxxxxxx")),
        PostTo(Flood("HTTP/1.1 200 ", "xxxxxxxxxxxxxxxx")),
        PostTo(Flood(ok + "Transfer-Encoding: chunked\r\n\r\n0\r\n", "xxxxxxxxxxxxxxxx")),
        PostTo(Flood(ok + "Transfer-Encoding: chunked\r\n\r\n", "0000000000000000"))}) {
    ExpectConnectionError(result);
  }
}

TEST(LoopResponseTest, WhatIsNotHttp1IsAnError) {
  for (const char* bytes : {
           "hello\r\n",
           "<html>hello</html>",
           "SSH-2.0-OpenSSH_9.2p1\r\n",
           "220 mail.example ESMTP\r\n",
           "HTTP\r\n\r\n",
           "HTTP/1.1\r\n\r\n",
           "HTTP/1.1 \r\n\r\n",
           "HTTP/1.1 20\r\n\r\n",
           "HTTP/1.1 abc OK\r\n\r\n",
           "HTTP/9.9 200 OK\r\n\r\n",
           "HTTP/1.1 099 Low\r\n\r\n",
           "\x16\x03\x01\x02\x00",
           "-ERR unknown command\r\n",
           "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
       }) {
    const Result result = PostTo(Answer(bytes, /*close=*/true));
    EXPECT_EQ(result.error, TransferError::kConnection) << bytes << result.status;
    EXPECT_EQ(result.send_count, 1);
  }
}

TEST(LoopResponseTest, AnInformationalResponseAloneIsAnError) {
  for (const char* bytes :
       {"HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"}) {
    const Result result = PostTo(Answer(bytes, /*close=*/true));
    ExpectConnectionError(result);
    EXPECT_EQ(result.status, 0);
    EXPECT_TRUE(result.headers.empty());
  }
}

TEST(LoopResponseTest, AResponseThatBreaksOffIsAnErrorBesideItsStatus) {
  for (const char* bytes : {
           "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Trailer",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Trailer: 1\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
           "fffffffffffffffffffff\r\nhello\r\n0\r\n\r\n",
       }) {
    const Result result = PostTo(Answer(bytes, /*close=*/true));
    ExpectConnectionError(result);
    EXPECT_EQ(result.status, 200) << bytes;
  }
}

TEST(LoopResponseTest, NoResponseIsAnError) {
  for (const bool reset : {false, true}) {
    for (const char* bytes :
         {"", "H", "HTTP/1.1 ", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Le"}) {
      const Result result = PostTo([&](Connection& c) {
        c.ReadRequest();
        c.Send(bytes);
        if (reset) c.ResetAtEnd();
      });
      EXPECT_NE(result.error, TransferError::kTimeout) << bytes;
      // A status line counts for nothing while the headers are not complete; libcurl says it does.
      ExpectConnectionError(result);
    }
  }
}

TEST(LoopResponseTest, AConnectionResetAtOnceIsAnError) {
  const Result result = PostTo([](Connection& c) { c.ResetAtEnd(); });
  EXPECT_EQ(result.error, TransferError::kConnection);
  EXPECT_EQ(result.status, 0);
}

TEST(LoopResponseTest, ContradictoryLengthsAreNotTrusted) {
  for (const char* bytes : {
           "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
           "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
           "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nhello",
           "HTTP/1.1 200 OK\r\nContent-Length: abc\r\n\r\nhello",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"
           "5\r\nhello\r\n0\r\n\r\n",
       }) {
    ScriptedReceiver receiver(Answer(bytes, /*close=*/true));
    LoopHarness harness;
    const Result result = harness.Post(receiver.url());
    EXPECT_EQ(result.send_count, 1) << bytes;
    EXPECT_TRUE(result.error == TransferError::kNone || result.error == TransferError::kConnection);
    ASSERT_TRUE(receiver.AwaitAllClosed());  // or the next request may meet the end of this one
    EXPECT_EQ(harness.Post(receiver.url()).send_count, 1);
    EXPECT_EQ(receiver.requests(), 2) << bytes;
  }
}

TEST(LoopResponseTest, SilenceEndsAtTheTimeout) {
  for (const char* bytes : {"", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\n\r\nhello"}) {
    ScriptedReceiver receiver([&](Connection& c) {
      c.ReadRequest();
      c.Send(bytes);
      c.WaitForClose();
    });
    LoopHarness harness;
    Request request = LocalRequest(receiver.url());
    request.timeout = absl::Milliseconds(150);
    const Result result = harness.Post(request);
    EXPECT_EQ(result.error, TransferError::kTimeout);
    EXPECT_EQ(result.error_text, "no complete response in time");
    EXPECT_EQ(result.send_count, 1);
    EXPECT_GE(result.duration, absl::Milliseconds(150));
    EXPECT_LT(result.duration, absl::Seconds(5));
  }
}

}  // namespace
}  // namespace postrider::http

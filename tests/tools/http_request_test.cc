#include "tools/postrider/http_request.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace postrider::cli {
namespace {

constexpr char kPost[] =
    "POST /hooks HTTP/1.1\r\nHost: a\r\nWebhook-Id:  evt_1 \r\nContent-Length: 4\r\n\r\nbody";

int RefusalOf(const std::string& bytes) {
  const auto result = ReadRequest(bytes);
  const auto* refused = std::get_if<Refused>(&result);
  return refused == nullptr ? 0 : refused->status;
}

TEST(ReadRequestTest, ReadsARequestAndLeavesWhatFollows) {
  const auto result = ReadRequest(std::string(kPost) + "POST /next");
  const auto& complete = std::get<Complete>(result);
  EXPECT_EQ(complete.bytes, sizeof(kPost) - 1);
  EXPECT_EQ(complete.request.method, "POST");
  EXPECT_EQ(complete.request.target, "/hooks");
  EXPECT_EQ(complete.request.Header("webhook-id"), "evt_1");
  EXPECT_EQ(complete.request.Header("webhook-signature"), "");
  EXPECT_EQ(complete.request.body, "body");
  EXPECT_TRUE(complete.request.keep_alive);
}

TEST(ReadRequestTest, AsksForMoreAfterEveryPartOfARequest) {
  const std::string whole = kPost;
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_TRUE(std::holds_alternative<NeedMore>(ReadRequest(whole.substr(0, size)))) << size;
  }
}

TEST(ReadRequestTest, TellsWhenTheSenderWaitsForA100) {
  const auto result =
      ReadRequest("POST / HTTP/1.1\r\nContent-Length: 4\r\nExpect: 100-Continue\r\n\r\n");
  EXPECT_TRUE(std::get<NeedMore>(result).expects_continue);
}

TEST(ReadRequestTest, ClosesWhereTheSenderOrItsVersionAsksForIt) {
  EXPECT_FALSE(std::get<Complete>(ReadRequest("GET / HTTP/1.0\r\n\r\n")).request.keep_alive);
  EXPECT_FALSE(std::get<Complete>(ReadRequest("GET / HTTP/1.1\r\nConnection: Close\r\n\r\n"))
                   .request.keep_alive);
}

TEST(ReadRequestTest, RefusesWhatIsNoHttp) {
  for (const std::string& bytes :
       {std::string("\x16\x03\x01"), std::string("\r\n"), std::string("hello\r\n\r\n"),
        std::string("GET /\r\n\r\n"), std::string("GET  / HTTP/1.1\r\n\r\n"),
        std::string("G(T / HTTP/1.1\r\n\r\n"), std::string("GET / HTTP/1.1\r\nno colon\r\n\r\n"),
        std::string("GET / HTTP/1.1\r\na : b\r\n\r\n"),
        std::string("GET / HTTP/1.1\r\na: b\r\n c: folded\r\n\r\n"),
        std::string("GET / HTTP/1.1\r\na: b\nc: d\r\n\r\n"),
        std::string("POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n"),
        std::string("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"),
        std::string("POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\n"),
        std::string("POST / HTTP/1.1\r\nContent-Length:\r\n\r\n"),
        std::string("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
        std::string("POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n")}) {
    EXPECT_EQ(RefusalOf(bytes), 400) << bytes;
  }
}

TEST(ReadRequestTest, RefusesWhatItDoesNotSupport) {
  EXPECT_EQ(RefusalOf("GET / HTTP/2.0\r\n\r\n"), 505);
  EXPECT_EQ(RefusalOf("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"), 411);
}

TEST(ReadRequestTest, HoldsItsLimits) {
  const std::string most = std::to_string(kMaxBodyBytes);
  const std::string over = std::to_string(kMaxBodyBytes + 1);
  EXPECT_EQ(RefusalOf("POST / HTTP/1.1\r\nContent-Length: " + most + "\r\n\r\n"), 0);
  EXPECT_EQ(RefusalOf("POST / HTTP/1.1\r\nContent-Length: " + over + "\r\n\r\n"), 413);
  EXPECT_EQ(RefusalOf("GET / HTTP/1.1\r\nA: " + std::string(kMaxHeadBytes, 'a')), 431);
}

TEST(FormatResponseTest, WritesWholeResponses) {
  EXPECT_EQ(FormatResponse(200, "", false),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 0\r\n"
            "\r\n");
  EXPECT_EQ(FormatResponse(405, "no\n", true),
            "HTTP/1.1 405 Method Not Allowed\r\nAllow: POST\r\nContent-Type: text/plain; "
            "charset=utf-8\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno\n");
  EXPECT_EQ(FormatResponse(204, "left out", false), "HTTP/1.1 204 No Content\r\n\r\n");
}

}  // namespace
}  // namespace postrider::cli

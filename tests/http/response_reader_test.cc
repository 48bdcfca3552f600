#include "server/http/response_reader.h"

#include <gtest/gtest.h>

#include <string>

namespace postrider::http {
namespace {

Result Kept(ResponseReader& reader) {
  Result result;
  reader.MoveTo(&result);
  return result;
}

TEST(ResponseReaderTest, KeepsHeadersOfTheFinalResponse) {
  ResponseReader reader(1000, 1000);
  for (const char* line :
       {"HTTP/1.1 103 Early Hints\r\n", "Link: x\r\n", "\r\n", "HTTP/1.1 200 OK\r\n", "A: 1\r\n",
        "B:2 \r\n", " folded\r\n", "no colon\r\n", ": no name\r\n", "C: a:b\n"}) {
    EXPECT_TRUE(reader.AddHeaderLine(line));
  }
  EXPECT_TRUE(reader.final_response());
  EXPECT_TRUE(reader.in_header_block());
  EXPECT_TRUE(reader.AddHeaderLine("\r\n"));
  EXPECT_FALSE(reader.in_header_block());
  EXPECT_TRUE(reader.AddHeaderLine("Trailer: x\r\n"));
  EXPECT_EQ(Kept(reader).headers, (Headers{{"A", "1"}, {"B", "2"}, {"C", "a:b"}}));
}

TEST(ResponseReaderTest, InformationalResponsesAreNotFinal) {
  ResponseReader reader(1000, 1000);
  EXPECT_TRUE(reader.AddHeaderLine("HTTP/1.1 100 Continue\r\n"));
  EXPECT_TRUE(reader.AddHeaderLine("\r\n"));
  EXPECT_FALSE(reader.final_response());
}

TEST(ResponseReaderTest, EveryHeaderByteCounts) {
  ResponseReader reader(100, 1000);
  EXPECT_TRUE(reader.AddHeaderLine("HTTP/1.1 100 Continue\r\n"));  // 23
  EXPECT_TRUE(reader.AddHeaderLine("\r\n"));
  EXPECT_TRUE(reader.AddHeaderLine("HTTP/1.1 200 OK\r\n"));  // 17
  EXPECT_TRUE(reader.AddHeaderLine("\r\n"));
  EXPECT_TRUE(reader.AddHeaderLine(std::string(56, 'x')));  // a trailer, up to the limit
  EXPECT_FALSE(reader.AddHeaderLine("x"));
}

TEST(ResponseReaderTest, KeepsTheStartOfTheBody) {
  ResponseReader reader(1000, 10000);
  EXPECT_TRUE(reader.AddBody(std::string(4000, 'a')));
  EXPECT_TRUE(reader.AddBody(std::string(1000, 'b')));
  EXPECT_TRUE(reader.AddBody(std::string(5000, 'c')));
  EXPECT_FALSE(reader.AddBody("d"));
  const Result result = Kept(reader);
  EXPECT_EQ(result.body, std::string(4000, 'a') + std::string(96, 'b'));
  EXPECT_TRUE(result.body_truncated);
}

TEST(ResponseReaderTest, ClearForgetsEverything) {
  ResponseReader reader(20, 5);
  reader.AddHeaderLine("HTTP/1.1 200 OK\r\n");
  reader.AddBody("hello");
  reader.Clear();
  EXPECT_FALSE(reader.final_response());
  EXPECT_FALSE(reader.in_header_block());
  EXPECT_TRUE(reader.AddHeaderLine("HTTP/1.1 200 OK\r\n"));
  EXPECT_TRUE(reader.AddBody("world"));
  EXPECT_EQ(Kept(reader).body, "world");
}

}  // namespace
}  // namespace postrider::http

#include "server/envelope/header_names.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace postrider::envelope {
namespace {

constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;

TEST(HeaderNameTest, AcceptsTokens) {
  for (std::string_view name : {"Authorization", "x-api-key", "X", "a!#$%&'*+-.^_`|~9", "contents",
                                "webhooks", "hosts", "accept", "content", "webhook"}) {
    EXPECT_TRUE(CheckHeaderName(name).ok()) << name;
  }
}

TEST(HeaderNameTest, RefusesWhatIsNoToken) {
  for (std::string_view name :
       {"",    " ",   "a b", "a:",  ":path", "a\r\nb", "a\t", "a(b)", "a,b",      "a/b", "a;b",
        "a=b", "a@b", "[a]", "{a}", "\"a\"", "a\\b",   "<a>", "a?",   "\xc3\xa9", "\x7f"}) {
    EXPECT_EQ(CheckHeaderName(name).code(), kInvalid) << name;
  }
  EXPECT_EQ(CheckHeaderName(std::string_view("a\0b", 3)).code(), kInvalid);
}

TEST(HeaderNameTest, RefusesWhatIsNotTheEndpointsToSet) {
  for (std::string_view name : {"host",
                                "Host",
                                "HOST",
                                "user-agent",
                                "User-Agent",
                                "connection",
                                "Keep-Alive",
                                "TE",
                                "trailer",
                                "Transfer-Encoding",
                                "upgrade",
                                "Proxy-Connection",
                                "proxy-authenticate",
                                "Proxy-Authorization",
                                "http2-settings",
                                "content-type",
                                "Content-Length",
                                "CONTENT-ENCODING",
                                "content-x",
                                "webhook-id",
                                "Webhook-Signature",
                                "webhook-",
                                "postrider-attempt",
                                "Postrider-X"}) {
    EXPECT_EQ(CheckHeaderName(name).code(), kInvalid) << name;
  }
  EXPECT_EQ(CheckHeaderName("HOST").message(),
            "the header host is set by Postrider or by the connection");
  EXPECT_EQ(CheckHeaderName("Webhook-Id").message(),
            "headers that begin with webhook- are set by Postrider");
}

TEST(HeaderValueTest, IsPrintableAndNeverRepeated) {
  for (std::string_view value : {"x", "Bearer abc", "a  b", "!~", "\"quoted\""}) {
    EXPECT_TRUE(CheckHeaderValue(value).ok()) << value;
  }
  for (std::string_view value : {"", " ", " a", "a ", "canary\r\nx: y", "canary\n", "a\tb",
                                 "canary\x7f", "canary\xc3\xa9", "\x01"}) {
    const absl::Status status = CheckHeaderValue(value);
    EXPECT_EQ(status.code(), kInvalid) << value;
    EXPECT_EQ(status.message().find("canary"), std::string_view::npos);
  }
  EXPECT_EQ(CheckHeaderValue(std::string_view("a\0b", 3)).code(), kInvalid);
}

TEST(HeadersTest, HaveLimitsTogether) {
  std::vector<std::string> names;
  for (int i = 0; i < 21; ++i) names.push_back(absl::StrCat("x-", i + 10));
  std::vector<HeaderView> headers;
  for (int i = 0; i < 20; ++i) headers.push_back({names[static_cast<size_t>(i)], "v"});
  EXPECT_TRUE(CheckHeaders(headers).ok());
  headers.push_back({names[20], "v"});
  EXPECT_EQ(CheckHeaders(headers).message(), "holds 21 headers, over the limit of 20");

  const std::string fits(4096 - 3, 'v');
  EXPECT_TRUE(CheckHeaders({{"x-a", fits}}).ok());
  EXPECT_EQ(CheckHeaders({{"x-b", fits}, {"x-a", "v"}}).message(),
            "holds 4100 bytes, over the limit of 4096 bytes");
  EXPECT_TRUE(CheckHeaders({}).ok());
}

TEST(HeadersTest, NameThePositionOfTheBadOne) {
  EXPECT_EQ(CheckHeaders({{"x-a", "v"}, {"host", "v"}}).message(),
            "[1]: the header host is set by Postrider or by the connection");
  EXPECT_EQ(CheckHeaders({{"x-a", ""}}).message(), "[0]: a header's value must not be empty");
  EXPECT_EQ(CheckHeaders({{"x-a", "v"}, {"X-A", "w"}}).message(),
            "[1]: the header's name is given twice");
}

}  // namespace
}  // namespace postrider::envelope

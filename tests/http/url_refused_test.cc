// URLs that must not get in, one by one.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "server/http/url.h"
#include "tests/http/hostile_urls.h"

namespace postrider::http {
namespace {

TEST(UrlRefusedTest, EveryHostileUrlIsRefused) {
  const std::vector<HostileUrl> all = HostileUrls();
  EXPECT_GE(all.size(), 150u);
  for (const HostileUrl& hostile : all) {
    const absl::StatusOr<ParsedUrl> parsed = CheckUrl(hostile.url, DestinationPolicy());
    EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument)
        << hostile.kind << ": " << hostile.url;
    EXPECT_FALSE(parsed.status().message().empty());
  }
}

// What an allow list and http open is addresses and http, nothing else.
TEST(UrlRefusedTest, AnAllowListOpensNoOtherForm) {
  const DestinationPolicy policy({*ParseCidr("0.0.0.0/0"), *ParseCidr("::/0")},
                                 /*allow_http=*/true);
  for (const HostileUrl& hostile : HostileUrls()) {
    const std::string_view kind = hostile.kind;
    if (kind == "address" || kind == "http") continue;
    EXPECT_FALSE(CheckUrl(hostile.url, policy).ok()) << hostile.kind << ": " << hostile.url;
  }
}

TEST(UrlRefusedTest, ErrorsDoNotRepeatTheUrl) {
  for (const char* url : {"https://secret-word@example.com/", "https://secret_word.test/",
                          "https://secret-word..test/", "secret-word://example.com/",
                          "https://example.com/secret-word#"}) {
    const std::string message(CheckUrl(url, DestinationPolicy()).status().message());
    EXPECT_EQ(message.find("secret"), std::string::npos) << message;
  }
}

}  // namespace
}  // namespace postrider::http

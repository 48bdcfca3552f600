#include "server/http/url.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace postrider::http {
namespace {

DestinationPolicy LocalPolicy() {
  return DestinationPolicy({*ParseCidr("127.0.0.0/8"), *ParseCidr("::1")}, /*allow_http=*/true);
}

void ExpectRefused(std::string_view url, const DestinationPolicy& policy = DestinationPolicy()) {
  const absl::StatusOr<ParsedUrl> parsed = CheckUrl(url, policy);
  EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument) << url;
  EXPECT_FALSE(parsed.status().message().empty());
}

void ExpectAccepted(std::string_view url, std::string_view canonical,
                    const DestinationPolicy& policy = DestinationPolicy()) {
  const absl::StatusOr<ParsedUrl> parsed = CheckUrl(url, policy);
  ASSERT_TRUE(parsed.ok()) << url << ": " << parsed.status();
  EXPECT_EQ(parsed->text(), canonical);
  const absl::StatusOr<ParsedUrl> again = CheckUrl(parsed->text(), policy);
  ASSERT_TRUE(again.ok()) << canonical;
  EXPECT_EQ(again->text(), canonical);
}

TEST(UrlTest, CanonicalUrlsStayAsTheyAre) {
  for (const char* url : {
           "https://example.com/",
           "https://example.com/hook",
           "https://example.com/hook/",
           "https://example.com/a/b/c.php",
           "https://example.com/hook?token=abc&x=1",
           "https://example.com/?a=b",
           "https://example.com/a?b?c/d",
           "https://example.com/a?b=https://other.test/",
           "https://example.com/a%20b",
           "https://example.com/a%2fb",
           "https://example.com/a%2Fb",
           "https://example.com/%e4%bd%a0",
           "https://example.com/a%00b",
           "https://example.com/@user",
           "https://example.com/a:b",
           "https://example.com/a;b=c,d",
           "https://example.com/a//b",
           "https://example.com//",
           "https://example.com/.well-known/x",
           "https://example.com/a..b/...",
           "https://example.com/~u/(x)!$&'*+",
           "https://example.com:8443/hook",
           "https://example.com:80/hook",
           "https://example.com:1024/",
           "https://example.com:65535/",
           "https://a.b.c.d.e.example.com/",
           "https://x/",
           "https://a-b.example.com/",
           "https://a--b.example.com/",
           "https://xn--bcher-kva.example/",
           "https://1.example.com/",
           "https://123.com/",
           "https://1and1.com/",
           "https://a.0xample/",
           "https://localhost.example.com/",
           "https://notlocalhost/",
           "https://8.8.8.8/",
           "https://8.8.8.8:8443/x",
           "https://[2606:4700:4700::1111]/",
           "https://[2606:4700:4700::1111]:8443/x?y",
       }) {
    ExpectAccepted(url, url);
  }
}

TEST(UrlTest, DocumentedDeviationsAreRepaired) {
  ExpectAccepted("https://example.com", "https://example.com/");
  ExpectAccepted("https://example.com?a=b", "https://example.com/?a=b");
  ExpectAccepted("https://example.com:8443", "https://example.com:8443/");
  ExpectAccepted("https://EXAMPLE.com/Hook", "https://example.com/Hook");
  ExpectAccepted("https://Example.Com:8443/A?B=C", "https://example.com:8443/A?B=C");
  ExpectAccepted("https://example.com:443/a", "https://example.com/a");
  ExpectAccepted("https://example.com:443", "https://example.com/");
  ExpectAccepted("https://EXAMPLE.com:443?x", "https://example.com/?x");
  ExpectAccepted("https://[2606:4700:4700::1111]:443", "https://[2606:4700:4700::1111]/");
  ExpectAccepted("https://[2A00::AB]/", "https://[2a00::ab]/");
  ExpectAccepted("http://example.com:80/", "http://example.com/", LocalPolicy());
  ExpectAccepted("http://example.com:443/", "http://example.com:443/", LocalPolicy());
}

TEST(UrlTest, TheLongestUrlFits) {
  const std::string start = "https://example.com/";
  const std::string longest = start + std::string(kMaxUrlBytes - start.size(), 'a');
  ExpectAccepted(longest, longest);
  ExpectRefused(longest + "a");
}

TEST(UrlTest, TheLongestHostFits) {
  const std::string label(63, 'a');
  const std::string three = label + "." + label + "." + label + ".";
  ExpectAccepted("https://" + three + std::string(61, 'b') + "/",
                 "https://" + three + std::string(61, 'b') + "/");
  ExpectRefused("https://" + three + std::string(62, 'b') + "/");
  ExpectRefused("https://" + label + "a.example.com/");
  ExpectRefused("https://" + std::string(2000, 'a') + "/");
}

TEST(UrlTest, PortsOfOtherProtocolsAreRefusedWithAnyPolicy) {
  for (const int port :
       {22,   23,   25,   53,   110,  111,  135,  139,  143,  389,  445,   465,   514,  587,
        636,  873,  993,  995,  1433, 1521, 2049, 2181, 2375, 2376, 2379,  2380,  3306, 3389,
        5432, 5672, 5900, 5984, 6379, 6443, 9042, 9092, 9200, 9300, 10250, 11211, 27017}) {
    ExpectRefused("https://example.com:" + std::to_string(port) + "/");
    ExpectRefused("http://127.0.0.1:" + std::to_string(port) + "/", LocalPolicy());
  }
  for (const int port :
       {81, 442, 444, 3000, 4000, 5000, 7000, 8000, 8080, 8081, 8888, 9000, 9999}) {
    const std::string url = "https://example.com:" + std::to_string(port) + "/";
    ExpectAccepted(url, url);
  }
}

TEST(UrlTest, AddressesAreJudgedByThePolicy) {
  for (const char* url : {
           "https://127.0.0.1/",
           "https://127.1.2.3/",
           "https://0.0.0.0/",
           "https://10.0.0.1/",
           "https://169.254.169.254/latest/meta-data/",
           "https://192.168.1.1/",
           "https://172.16.0.1/",
           "https://100.64.0.1/",
           "https://168.63.129.16/",
           "https://255.255.255.255/",
           "https://224.0.0.1/",
           "https://[::1]/",
           "https://[::]/",
           "https://[fe80::1]/",
           "https://[fd00::1]/",
           "https://[::ffff:127.0.0.1]/",
           "https://[::ffff:10.0.0.1]/",
           "https://[64:ff9b::8.8.8.8]/",
           "https://[64:ff9b::808:808]/",
           "https://[2002:7f00:1::]/",
           "https://[2001:db8::1]/",
           "https://[ff02::1]/",
           "https://2130706433/",
           "https://0x7f000001/",
           "https://0177.0.0.1/",
           "https://127.1/",
           "https://127.0.1/",
           "https://0/",
       }) {
    ExpectRefused(url);
  }
  ExpectAccepted("https://127.0.0.1/", "https://127.0.0.1/", LocalPolicy());
  ExpectAccepted("https://[::1]:8443/", "https://[::1]:8443/", LocalPolicy());
  ExpectAccepted("https://[::ffff:127.0.0.1]/", "https://[::ffff:127.0.0.1]/", LocalPolicy());
  ExpectRefused("https://10.0.0.1/", LocalPolicy());
  ExpectRefused("https://127.1/", LocalPolicy());
}

TEST(UrlTest, LocalhostIsLoopback) {
  for (const char* url : {"https://localhost/", "https://LOCALHOST/", "https://foo.localhost/",
                          "https://a.b.LocalHost:8443/x"}) {
    ExpectRefused(url);
    EXPECT_TRUE(CheckUrl(url, LocalPolicy()).ok()) << url;
  }
}

TEST(UrlTest, HttpNeedsThePolicy) {
  ExpectRefused("http://example.com/");
  ExpectAccepted("http://example.com/", "http://example.com/", LocalPolicy());
  EXPECT_FALSE(CheckUrl("http://example.com/", LocalPolicy())->is_https());
}

TEST(UrlTest, PartsAreThoseOfTheCanonicalForm) {
  const ParsedUrl url = *CheckUrl("https://Example.com/a?b", DestinationPolicy());
  EXPECT_EQ(url.host(), "example.com");
  EXPECT_EQ(url.origin(), "example.com:443");
  EXPECT_EQ(url.port(), 443);
  EXPECT_TRUE(url.is_https());
  EXPECT_FALSE(url.is_address());

  const ParsedUrl address = *CheckUrl("http://[::1]:8080", LocalPolicy());
  EXPECT_EQ(address.host(), "[::1]");
  EXPECT_EQ(address.origin(), "[::1]:8080");
  EXPECT_EQ(address.port(), 8080);
  EXPECT_FALSE(address.is_https());
  EXPECT_TRUE(address.is_address());
}

TEST(UrlTest, CopiesShareTheParsedForm) {
  EXPECT_TRUE(ParsedUrl().empty());
  const ParsedUrl url = *CheckUrl("https://example.com/", DestinationPolicy());
  const ParsedUrl copy = url;  // NOLINT: the copy is the point
  EXPECT_FALSE(copy.empty());
  EXPECT_EQ(copy.handle(), url.handle());
}

}  // namespace
}  // namespace postrider::http

// URLs that must not get in, by kind.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "server/http/url.h"

namespace postrider::http {
namespace {

using std::string_literals::operator""s;

DestinationPolicy LocalPolicy() {
  return DestinationPolicy({*ParseCidr("127.0.0.0/8"), *ParseCidr("::1")}, /*allow_http=*/true);
}

void ExpectRefused(std::string_view url, const DestinationPolicy& policy = DestinationPolicy()) {
  const absl::StatusOr<ParsedUrl> parsed = CheckUrl(url, policy);
  EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument) << url;
  EXPECT_FALSE(parsed.status().message().empty());
}

TEST(UrlRefusedTest, BytesThatParsersDisagreeAboutAreRefused) {
  for (const std::string& url : {
           ""s,
           " "s,
           "\n"s,
           "https://example.com/ "s,
           " https://example.com/"s,
           "\thttps://example.com/"s,
           "https://example.com/a b"s,
           "https://exa mple.com/"s,
           "https://example.com/\r\nX: y"s,
           "https://example.com/\n"s,
           "https://example.com/\t"s,
           "https://example.com/\x01"s,
           "https://example.com/\x7f"s,
           "https://example.com/\0"s,
           "https://example.com\0.evil.test/"s,
           "https://example.com/\xc3\xa9"s,
           "https://b\xc3\xbc.example/"s,
           "https://example.com/\xff"s,
           "https://\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1/"s,
           "https://test\xe3\x80\x82net/"s,
           "https://example.com\\@evil.test/"s,
           "https:\\\\example.com\\"s,
           "https://example.com/a\\b"s,
           "\xef\xbb\xbfhttps://a.test/"s,
           "https://example.com/\xc2\xa0"s,
           "https://x\xc2\xad.test/"s,
       }) {
    ExpectRefused(url);
  }
}

TEST(UrlRefusedTest, OtherSchemesAndShapesAreRefused) {
  for (const char* url : {
           "example.com",
           "//example.com/",
           "/hook",
           "https",
           "https:",
           "https:/",
           "https://",
           "https:///",
           "https:///hook",
           "https:example.com",
           "https:/example.com/",
           "https:////example.com/",
           "HTTPS://example.com/",
           "Https://example.com/",
           "httpss://example.com/",
           "xhttps://example.com/",
           "file:///etc/passwd",
           "file://localhost/etc/passwd",
           "gopher://example.com/",
           "dict://example.com:2628/",
           "ftp://example.com/",
           "ftps://example.com/",
           "ldap://example.com/",
           "ldaps://example.com",
           "smtp://example.com/",
           "telnet://example.com/",
           "ws://example.com/",
           "tftp://example.com",
           "javascript:alert(1)",
           "data:text/plain,x",
           "mailto:a@example.com",
           "scp://example.com/",
           "https+unix://example.com/",
           "jar:https://example.com!/",
           "https://?x",
           "https://#x",
           "https://:8443/",
           "https://:/",
       }) {
    ExpectRefused(url, LocalPolicy());
  }
}

TEST(UrlRefusedTest, UsersPasswordsAndFragmentsAreRefused) {
  for (const char* url : {
           "https://user@example.com/",
           "https://user:pass@example.com/",
           "https://@example.com/",
           "https://:@example.com/",
           "https://:pass@example.com/",
           "https://a@b@example.com/",
           "https://example.com:443@evil.test/",
           "https://example.com%40evil.test/",
           "https://example.com@/",
           "https://example.com/#",
           "https://example.com/#x",
           "https://example.com#@evil.test/",
           "https://evil.test#example.com",
           "https://user;options@example.com/",
       }) {
    ExpectRefused(url);
  }
}

TEST(UrlRefusedTest, BadHostsAreRefused) {
  for (const char* url : {
           "https://example.com./",
           "https://localhost./",
           "https://127.0.0.1./",
           "https://./",
           "https://../",
           "https://.example.com/",
           "https://example..com/",
           "https://a..b/",
           "https://-example.com/",
           "https://example-.com/",
           "https://example.-com/",
           "https://exa_mple.com/",
           "https://*.example.com/",
           "https://exa%6dple.com/",
           "https://%65xample.com/",
           "https://127%2e0%2e0%2e1/",
           "https://example.com%00/",
           "https://example.com%2f@evil.test/",
           "https://exa!mple.com/",
           "https://exa$mple.com/",
           "https://exa,mple.com/",
           "https://exa;mple.com/",
           "https://exa'mple.com/",
           "https://exa\"mple.com/",
           "https://<example>.com/",
           "https://{example}.com/",
           "https://example.com|evil.test/",
           "https://example.com^/",
           "https://`id`.test/",
           "https://exa+mple.com/",
           "https://exa=mple.com/",
           "https://exa~mple.com/",
           "https://exa&mple.com/",
           "https://(example).com/",
       }) {
    ExpectRefused(url);
  }
}

TEST(UrlRefusedTest, BadPortsAreRefused) {
  for (const char* url : {
           "https://example.com:/",
           "https://example.com:",
           "https://example.com:0/",
           "https://example.com:00/",
           "https://example.com:0443/",
           "https://example.com:008443/",
           "https://example.com:65536/",
           "https://example.com:99999/",
           "https://example.com:4294967739/",
           "https://example.com:18446744073709552059/",
           "https://example.com:-1/",
           "https://example.com:+443/",
           "https://example.com:8x/",
           "https://example.com:x/",
           "https://example.com:0x1bb/",
           "https://example.com:443:443/",
           "https://example.com:80,443/",
           "https://example.com::443/",
           "https://example.com:44 3/",
           "https://[2606:4700:4700::1111]:/",
           "https://[2606:4700:4700::1111]443/",
           "https://[2606:4700:4700::1111]x/",
       }) {
    ExpectRefused(url);
  }
}

TEST(UrlRefusedTest, AddressesInOtherSpellingsAreRefused) {
  for (const char* url : {
           "https://134744072/",
           "https://0x08080808/",
           "https://0X08080808/",
           "https://010.8.8.8/",
           "https://8.8.8.010/",
           "https://8.8.2056/",
           "https://8.526344/",
           "https://8.8/",
           "https://8/",
           "https://8.8.8/",
           "https://0x8.0x8.0x8.0x8/",
           "https://08.8.8.8/",
           "https://8.8.8.8.8/",
           "https://256.8.8.8/",
           "https://8.8.8.256/",
           "https://8.8.8.8./",
           "https://4294967296/",
           "https://1.2.3.4.5/",
           "https://example.123/",
           "https://a.0x7f/",
           "https://a.0x/",
           "https://[8.8.8.8]/",
           "https://[::ffff:8.8.8.8.]/",
           "https://[]/",
           "https://[2606:4700:4700:0:0:0:0:1111]/",
           "https://[2606:4700:4700::01111]/",
           "https://[2606:4700:4700:0000::1111]/",
           "https://[2606:4700:4700::17.17.17.17]/",
           "https://[2606:4700:4700::1111/",
           "https://2606:4700:4700::1111/",
           "https://2606:4700:4700::1111]/",
           "https://[[2606:4700:4700::1111]]/",
           "https://[fe80::1%25eth0]/",
           "https://[2606:4700:4700::1111%25eth0]/",
           "https://[2606:4700:4700::1111%eth0]/",
           "https://[::ffff:0808:0808]/",
           "https://[v1.x]/",
           "https://[example.com]/",
           "https://[2606:4700:4700::1111].com/",
       }) {
    ExpectRefused(url);
  }
}

TEST(UrlRefusedTest, PathsWithDotSegmentsAreRefused) {
  for (const char* url :
       {"https://example.com/../x", "https://example.com/./x", "https://example.com/a/../b",
        "https://example.com/a/.", "https://example.com/a/..", "https://example.com/a/./b?c"}) {
    ExpectRefused(url);
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

#include "tests/http/hostile_urls.h"

namespace postrider::http {
namespace {

using std::string_literals::operator""s;

const std::vector<std::string> kBytess = {
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
};

const std::vector<std::string> kSchemes = {
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
};

const std::vector<std::string> kUsers = {
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
};

const std::vector<std::string> kHosts = {
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
};

const std::vector<std::string> kPorts = {
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
};

const std::vector<std::string> kSpellings = {
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
};

const std::vector<std::string> kPaths = {
    "https://example.com/../x", "https://example.com/./x",  "https://example.com/a/../b",
    "https://example.com/a/.",  "https://example.com/a/..", "https://example.com/a/./b?c",
};

const std::vector<std::string> kAddresss = {
    "https://127.0.0.1/",
    "https://127.1.2.3/",
    "https://0.0.0.0/",
    "https://10.0.0.1/",
    "https://100.64.0.1/",
    "https://168.63.129.16/",
    "https://169.254.169.254/latest/meta-data/",
    "https://172.16.0.1/",
    "https://172.31.255.255/",
    "https://192.0.0.170/",
    "https://192.0.2.1/",
    "https://192.88.99.1/",
    "https://192.168.1.1/",
    "https://198.18.0.1/",
    "https://198.51.100.1/",
    "https://203.0.113.1/",
    "https://224.0.0.1/",
    "https://240.0.0.1/",
    "https://255.255.255.255/",
    "https://[::]/",
    "https://[::1]/",
    "https://[::7f00:1]/",
    "https://[fe80::1]/",
    "https://[fec0::1]/",
    "https://[fc00::1]/",
    "https://[fd00:ec2::254]/",
    "https://[ff02::1]/",
    "https://[100::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:10.0.0.1]/",
    "https://[::ffff:169.254.169.254]/",
    "https://[::ffff:0:127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b::808:808]/",
    "https://[64:ff9b:1::1]/",
    "https://[2001::7f00:1]/",
    "https://[2001:db8::1]/",
    "https://[2002:7f00:1::]/",
    "https://[2002:a00:1::1]/",
    "https://[3fff::1]/",
    "https://localhost/",
    "https://LOCALHOST/",
    "https://foo.localhost/",
    "https://127.0.0.1.localhost/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://127.1/",
    "https://127.0.1/",
    "https://0/",
};

// Services that usually stand inside a network.
constexpr int kServicePorts[] = {22,   23,   25,   53,   110,  111,  135,   139,   143,  389,
                                 445,  465,  587,  636,  873,  993,  995,   1433,  1521, 2049,
                                 2181, 2375, 2376, 2379, 3306, 3389, 5432,  5672,  5900, 5984,
                                 6379, 6443, 8500, 9042, 9092, 9200, 10250, 11211, 27017};

}  // namespace

std::vector<HostileUrl> HostileUrls() {
  std::vector<HostileUrl> all;
  const auto add = [&all](const char* kind, const std::vector<std::string>& urls) {
    for (const std::string& url : urls) all.push_back({kind, url});
  };
  add("bytes", kBytess);
  add("scheme or shape", kSchemes);
  add("user, password or fragment", kUsers);
  add("host", kHosts);
  add("port", kPorts);
  add("spelling of an address", kSpellings);
  add("path", kPaths);
  add("address", kAddresss);
  for (const int port : kServicePorts) {
    all.push_back({"port of a service", "https://example.com:" + std::to_string(port) + "/"});
  }
  const std::string label(63, 'a');
  add("size", {"https://example.com/" + std::string(2048, 'a'),
               "https://" + std::string(9000, 'a') + ".test/", "https://" + label + "a.test/",
               "https://" + label + "." + label + "." + label + "." + label + "/",
               "https://example.com/?" + std::string(70000, 'a')});
  add("http", {"http://example.com/", "http://8.8.8.8/", "http://127.0.0.1/"});
  return all;
}

}  // namespace postrider::http

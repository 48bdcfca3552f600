#include "server/http/destination.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace postrider::http {
namespace {

bool Allows(const DestinationPolicy& policy, const std::string& text) {
  absl::StatusOr<IpAddress> address = IpAddress::Parse(text);
  EXPECT_TRUE(address.ok()) << text;
  return address.ok() && policy.Allows(*address);
}

DestinationPolicy Allowing(const std::vector<std::string>& blocks) {
  std::vector<Cidr> allowed;
  for (const std::string& block : blocks) allowed.push_back(*ParseCidr(block));
  return DestinationPolicy(allowed, false);
}

TEST(DestinationTest, PublicAddressesAreAllowed) {
  const DestinationPolicy policy;
  for (const char* address : {
           // Inside the public space, and the neighbours of every denied block.
           "1.0.0.0",
           "1.1.1.1",
           "8.8.8.8",
           "9.255.255.255",
           "11.0.0.0",
           "93.184.216.34",
           "100.63.255.255",
           "100.128.0.0",
           "126.255.255.255",
           "128.0.0.0",
           "168.63.129.15",
           "168.63.129.17",
           "169.253.255.255",
           "169.255.0.0",
           "172.15.255.255",
           "172.32.0.0",
           "191.255.255.255",
           "192.0.1.0",
           "192.0.1.255",
           "192.0.3.0",
           "192.31.195.255",
           "192.31.197.0",
           "192.52.192.255",
           "192.52.194.0",
           "192.88.98.255",
           "192.88.100.0",
           "192.167.255.255",
           "192.169.0.0",
           "192.175.47.255",
           "192.175.49.0",
           "198.17.255.255",
           "198.20.0.0",
           "198.51.99.255",
           "198.51.101.0",
           "203.0.112.255",
           "203.0.114.0",
           "223.255.255.255",
           // IPv6.
           "2000::",
           "2000::1",
           "2001:200::",
           "2001:200::1",
           "2001:4860:4860::8888",
           "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
           "2001:db9::",
           "2003::1",
           "2400:cb00::1",
           "2606:4700:4700::1111",
           "2620:4f:7fff:ffff::1",
           "2620:4f:8001::",
           "2a00:1450::1",
           "3ffe:ffff::1",
           "3fff:1000::",
           "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
           // IPv4-mapped: as the address inside.
           "::ffff:8.8.8.8",
           "::ffff:1.1.1.1",
       }) {
    EXPECT_TRUE(Allows(policy, address)) << address;
  }
}

TEST(DestinationTest, SpecialPurposeAddressesAreDenied) {
  const DestinationPolicy policy;
  for (const char* address : {
           "0.0.0.0",
           "0.0.0.1",
           "0.255.255.255",
           "10.0.0.0",
           "10.1.2.3",
           "10.255.255.255",
           "100.64.0.0",
           "100.100.100.200",
           "100.127.255.255",
           "127.0.0.0",
           "127.0.0.1",
           "127.255.255.255",
           "168.63.129.16",
           "169.254.0.0",
           "169.254.169.254",
           "169.254.170.2",
           "169.254.255.255",
           "172.16.0.0",
           "172.17.0.1",
           "172.31.255.255",
           "192.0.0.0",
           "192.0.0.8",
           "192.0.0.170",
           "192.0.0.255",
           "192.0.2.0",
           "192.0.2.255",
           "192.31.196.0",
           "192.31.196.255",
           "192.52.193.0",
           "192.52.193.255",
           "192.88.99.0",
           "192.88.99.1",
           "192.88.99.255",
           "192.168.0.0",
           "192.168.1.1",
           "192.168.255.255",
           "192.175.48.0",
           "192.175.48.255",
           "198.18.0.0",
           "198.19.255.255",
           "198.51.100.0",
           "198.51.100.255",
           "203.0.113.0",
           "203.0.113.255",
           "224.0.0.0",
           "224.0.0.251",
           "239.255.255.255",
           "240.0.0.0",
           "250.1.2.3",
           "255.255.255.254",
           "255.255.255.255",
           // IPv6 outside 2000::/3.
           "::",
           "::1",
           "::2",
           "::7f00:1",
           "::127.0.0.1",
           "::8.8.8.8",
           "100::",
           "100::1",
           "64:ff9b:1::1",
           "1000::1",
           "1fff:ffff::1",
           "4000::",
           "5f00::1",
           "fc00::",
           "fc00::1",
           "fd00:ec2::254",
           "fdff:ffff::1",
           "fe80::",
           "fe80::1",
           "febf::1",
           "fec0::1",
           "ff00::",
           "ff02::1",
           "ff0e::1",
           "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
           "::ffff:0:1.2.3.4",
           // IPv6 inside it.
           "2001::",
           "2001::1",
           "2001:1::1",
           "2001:2::1",
           "2001:10::1",
           "2001:20::1",
           "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
           "2001:db8::",
           "2001:db8::1",
           "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
           "2002::",
           "2002:7f00:1::",
           "2002:808:808::1",
           "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
           "2620:4f:8000::",
           "2620:4f:8000:ffff::1",
           "3fff::",
           "3fff::1",
           "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
           // IPv4-mapped, and NAT64 even of public addresses.
           "::ffff:127.0.0.1",
           "::ffff:10.0.0.1",
           "::ffff:169.254.169.254",
           "::ffff:0.0.0.0",
           "::ffff:168.63.129.16",
           "64:ff9b::8.8.8.8",
           "64:ff9b::127.0.0.1",
           "64:ff9b::",
           "64:ff9b::10.0.0.1",
       }) {
    EXPECT_FALSE(Allows(policy, address)) << address;
  }
}

TEST(DestinationTest, AllowListOverridesTheDeniedBlocks) {
  const DestinationPolicy policy = Allowing({"127.0.0.0/8", "10.1.0.0/16", "fd00:1::/32", "::1"});
  for (const char* address : {"127.0.0.1", "127.255.255.255", "10.1.0.0", "10.1.255.255",
                              "fd00:1::1", "fd00:1:ffff::1", "::1", "8.8.8.8", "2a00::1"}) {
    EXPECT_TRUE(Allows(policy, address)) << address;
  }
  for (const char* address : {"10.0.255.255", "10.2.0.0", "169.254.0.1", "fd00:2::1", "::2"}) {
    EXPECT_FALSE(Allows(policy, address)) << address;
  }
}

TEST(DestinationTest, AllowListReachesIntoMappedAndNat64Addresses) {
  const DestinationPolicy policy = Allowing({"10.0.0.0/8"});
  EXPECT_TRUE(Allows(policy, "::ffff:10.1.2.3"));
  EXPECT_TRUE(Allows(policy, "64:ff9b::10.1.2.3"));
  EXPECT_FALSE(Allows(policy, "64:ff9b::8.8.8.8"));
  EXPECT_FALSE(Allows(policy, "64:ff9b::127.0.0.1"));
  EXPECT_FALSE(Allows(policy, "64:ff9b:0:1::10.1.2.3"));
  EXPECT_TRUE(Allows(Allowing({"64:ff9b::/96"}), "64:ff9b::8.8.8.8"));
}

TEST(DestinationTest, WholeFamiliesCanBeAllowed) {
  EXPECT_TRUE(Allows(Allowing({"0.0.0.0/0"}), "127.0.0.1"));
  EXPECT_FALSE(Allows(Allowing({"0.0.0.0/0"}), "::1"));
  EXPECT_TRUE(Allows(Allowing({"::/0"}), "::1"));
  EXPECT_FALSE(Allows(Allowing({"::/0"}), "127.0.0.1"));
  EXPECT_FALSE(Allows(Allowing({"::/0"}), "::ffff:127.0.0.1"));
}

TEST(DestinationTest, HttpIsOffByDefault) {
  EXPECT_FALSE(DestinationPolicy().allow_http());
  EXPECT_TRUE(DestinationPolicy({}, true).allow_http());
}

TEST(CidrTest, BlocksAreRead) {
  for (const char* text : {"10.0.0.0/8", "0.0.0.0/0", "192.168.1.0/24", "1.2.3.4/32", "::/0",
                           "fd00::/8", "2001:db8::/33", "::1/128", "172.16.0.0/12"}) {
    absl::StatusOr<Cidr> cidr = ParseCidr(text);
    ASSERT_TRUE(cidr.ok()) << text;
    EXPECT_EQ(cidr->ToString(), text);
  }
  EXPECT_EQ(ParseCidr("1.2.3.4")->ToString(), "1.2.3.4/32");
  EXPECT_EQ(ParseCidr("::1")->ToString(), "::1/128");
}

TEST(CidrTest, AnythingElseIsRefused) {
  for (const char* text : {"",
                           "/",
                           "/8",
                           "10.0.0.0/",
                           "10.0.0.0/33",
                           "10.0.0.0/-1",
                           "10.0.0.0/+8",
                           "10.0.0.0/08",
                           "10.0.0.0/ 8",
                           "10.0.0.0/8 ",
                           " 10.0.0.0/8",
                           "10.0.0.0/8/8",
                           "10.0.0.1/8",
                           "10/8",
                           "10.0.0/8",
                           "010.0.0.0/8",
                           "256.0.0.0/8",
                           "::/129",
                           "::1/127",
                           "fd00::1/8",
                           "fe80::%eth0/10",
                           "host/8",
                           "[::1]/128",
                           "::ffff:10.0.0.0/104",
                           "10.0.0.0/255.0.0.0",
                           "10.0.0.0/4294967304"}) {
    EXPECT_EQ(ParseCidr(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace postrider::http

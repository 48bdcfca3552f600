// What names resolve to: every address counts, every time.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/http/dns_test_base.h"

namespace postrider::http {
namespace {

constexpr TransferError kNone = TransferError::kNone;
constexpr TransferError kBlocked = TransferError::kBlocked;
constexpr TransferError kDns = TransferError::kDns;

struct Case {
  const char* what;
  Zone zone;
  TransferError error;
};

std::vector<std::string> Many(const std::string& last) {
  std::vector<std::string> addresses(30, "");
  for (size_t i = 0; i < addresses.size(); ++i) addresses[i] = absl::StrCat("8.8.5.", i + 1);
  addresses.push_back(last);
  return addresses;
}

std::vector<Case> Cases() {
  return {
      {"one public address", {.answers = {{kPublic}}}, kNone},
      {"two public addresses", {.answers = {{kPublic, kPublic2}}}, kNone},
      {"a public IPv6 address", {.answers = {{kPublicV6}}}, kNone},
      {"public addresses of both kinds", {.answers = {{kPublicV6, kPublic}}}, kNone},
      {"no TTL", {.answers = {{kPublic}}, .ttl = 0}, kNone},
      {"a chain of names", {.answers = {{kPublic}}, .chain = {"b.test", "c.test"}}, kNone},

      {"loopback", {.answers = {{"127.0.0.1"}}}, kBlocked},
      {"another loopback", {.answers = {{"127.8.8.8"}}}, kBlocked},
      {"IPv6 loopback", {.answers = {{"::1"}}}, kBlocked},
      {"the unspecified address", {.answers = {{"0.0.0.0"}}}, kBlocked},
      {"the unspecified IPv6 address", {.answers = {{"::"}}}, kBlocked},
      {"a private address", {.answers = {{"10.0.0.1"}}}, kBlocked},
      {"another private address", {.answers = {{"192.168.1.1"}}}, kBlocked},
      {"cloud metadata", {.answers = {{"169.254.169.254"}}}, kBlocked},
      {"IPv6 cloud metadata", {.answers = {{"fd00:ec2::254"}}}, kBlocked},
      {"a platform's agent", {.answers = {{"168.63.129.16"}}}, kBlocked},
      {"multicast", {.answers = {{"224.0.0.1"}}}, kBlocked},
      {"broadcast", {.answers = {{"255.255.255.255"}}}, kBlocked},
      {"link-local IPv6", {.answers = {{"fe80::1"}}}, kBlocked},
      {"loopback as IPv4-mapped", {.answers = {{"::ffff:127.0.0.1"}}}, kBlocked},
      {"private as IPv4-mapped", {.answers = {{"::ffff:10.0.0.1"}}}, kBlocked},
      {"loopback by NAT64", {.answers = {{"64:ff9b::7f00:1"}}}, kBlocked},
      {"a public address by NAT64", {.answers = {{"64:ff9b::808:404"}}}, kBlocked},
      {"loopback by 6to4", {.answers = {{"2002:7f00:1::1"}}}, kBlocked},
      {"Teredo", {.answers = {{"2001::7f00:1"}}}, kBlocked},

      {"a good one, then a bad one", {.answers = {{kPublic, "127.0.0.1"}}}, kBlocked},
      {"a bad one, then a good one", {.answers = {{"127.0.0.1", kPublic}}}, kBlocked},
      {"a bad one in the middle", {.answers = {{kPublic, "10.0.0.1", kPublic2}}}, kBlocked},
      {"good IPv4, bad IPv6", {.answers = {{kPublic, "::1"}}}, kBlocked},
      {"bad IPv4, good IPv6", {.answers = {{kPublicV6, "127.0.0.1"}}}, kBlocked},
      {"good IPv4, IPv4-mapped", {.answers = {{kPublic, "::ffff:127.0.0.1"}}}, kBlocked},
      {"good IPv4, NAT64", {.answers = {{kPublic, "64:ff9b::7f00:1"}}}, kBlocked},
      {"a bad one behind thirty", {.answers = {Many("169.254.169.254")}}, kBlocked},
      {"a mixed answer without TTL", {.answers = {{kPublic, "10.0.0.1"}}, .ttl = 0}, kBlocked},

      {"a chain that ends at loopback",
       {.answers = {{"127.0.0.1"}}, .chain = {"b.test", "c.test", "d.test"}},
       kBlocked},
      {"a chain to localhost", {.answers = {{"127.0.0.1"}}, .chain = {"localhost"}}, kBlocked},
      {"a chain with a mixed end", {.answers = {{kPublic, "::1"}}, .chain = {"b.test"}}, kBlocked},
      {"an endless chain", {.chain = {"b.test", "a.test", "b.test"}}, kDns},
      {"no address at all", {.answers = {{}}}, kDns},
      {"no such name", {.error = 3}, kDns},
      {"a server that fails", {.error = 2}, kDns},
      {"a server that refuses", {.error = 5}, kDns},
      {"garbage", {.garbage = true}, kDns},
  };
}

TEST_F(DnsTest, EveryAddressOfAnAnswerIsJudged) {
  LoopHarness harness(PublicOptions());
  int number = 0;
  for (const Case& c : Cases()) {
    SCOPED_TRACE(c.what);
    const std::string name = absl::StrCat("n", ++number, ".test");
    names_->Set(name, c.zone);
    const int before = requests();
    Request request = RequestTo(name);
    request.timeout = request.connect_timeout = absl::Seconds(20);
    const Result result = harness.Post(request);
    EXPECT_EQ(result.error, c.error) << TransferErrorName(result.error) << result.error_text;
    EXPECT_EQ(result.status, c.error == kNone ? 200 : 0);
    EXPECT_EQ(result.send_count, c.error == kNone ? 1 : 0);
    EXPECT_EQ(requests() - before, c.error == kNone ? 1 : 0);
    EXPECT_LT(result.duration, absl::Seconds(10));
    if (c.error == kBlocked) {
      EXPECT_EQ(result.error_text, "the destination's address is not allowed");
      EXPECT_EQ(result.remote_address, "");
    }
  }
}

TEST_F(DnsTest, OneLookupServesTheJudgementAndTheConnection) {
  names_->Set("once.test", {.answers = {{kPublic}, {"127.0.0.1"}}, .ttl = 0});
  LoopHarness harness(PublicOptions());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(harness.Post(RequestTo("once.test")).status, 200);
  EXPECT_EQ(names_->lookups("once.test"), 1);
}

TEST_F(DnsTest, ANameThatIsReboundIsJudgedAnew) {
  names_->Set("rebound.test",
              {.answers = {{kPublic}, {"127.0.0.1"}, {kPublic}, {kPublic, "::1"}}, .ttl = 0});
  for (const bool good : {true, false, true, false, false}) {
    LoopHarness harness(PublicOptions());
    const Result result = harness.Post(RequestTo("rebound.test"));
    EXPECT_EQ(result.error, good ? kNone : kBlocked) << result.error_text;
  }
  EXPECT_EQ(names_->lookups("rebound.test"), 5);
}

TEST_F(DnsTest, AnAllowListOpensItsBlockAndNoOther) {
  LoopOptions options;
  options.policy = DestinationPolicy({*ParseCidr("10.0.0.0/8")}, /*allow_http=*/true);
  names_->Set("inside.test", {.answers = {{"10.0.0.9"}}});
  names_->Set("both.test", {.answers = {{kPublic, "10.0.0.9"}}});
  names_->Set("metadata.test", {.answers = {{"10.0.0.9", "169.254.169.254"}}});
  LoopHarness harness(options);
  EXPECT_EQ(harness.Post(RequestTo("both.test")).status, 200);
  EXPECT_EQ(harness.Post(RequestTo("metadata.test")).error, kBlocked);
  // Nobody listens there.
  EXPECT_EQ(harness.Post(RequestTo("inside.test")).error, TransferError::kConnection);
}

TEST_F(DnsTest, AddressesThatRefuseArePassedOverAtOnce) {
  LoopOptions options;
  options.policy = DestinationPolicy({*ParseCidr("127.0.0.0/8")}, /*allow_http=*/true);
  // Loopback comes first (RFC 6724, rule 8), and nobody listens there.
  names_->Set("last.test", {.answers = {{"127.0.0.5", "127.0.0.6", "127.0.0.7", kPublic}}});
  LoopHarness harness(options);
  const Result result = harness.Post(RequestTo("last.test"));
  EXPECT_EQ(result.status, 200) << result.error_text;
  EXPECT_EQ(result.remote_address, absl::StrCat(kPublic, ":", port()));
  EXPECT_LT(result.phases.connect, absl::Milliseconds(500));
}

TEST_F(DnsTest, ALookupCountsIntoTheAttemptAndItsTimes) {
  names_->Set("good.test", {.answers = {{kPublic}}});
  LoopHarness harness(PublicOptions());
  const Result result = harness.Post(RequestTo("good.test"));
  EXPECT_EQ(result.status, 200);
  EXPECT_GT(result.phases.dns, absl::ZeroDuration());
  EXPECT_GT(result.phases.first_byte, absl::ZeroDuration());
  EXPECT_LE(result.phases.dns + result.phases.connect + result.phases.first_byte, result.duration);
  EXPECT_EQ(result.remote_address, absl::StrCat(kPublic, ":", port()));
}

}  // namespace
}  // namespace postrider::http

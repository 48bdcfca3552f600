// What each setting may be.

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/config/config.h"

namespace postrider::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

absl::StatusOr<Config> LoadFlags(const std::vector<std::string>& flags) {
  return Load(flags, [](const std::string&) { return std::nullopt; });
}

std::string Problem(const std::vector<std::string>& flags) {
  const absl::Status status = LoadFlags(flags).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << absl::StrJoin(flags, " ");
  return std::string(status.message());
}

TEST(ValuesTest, EveryBadValueIsNamed) {
  struct Row {
    const char* flag;
    const char* value;
    const char* problem;
  };
  const Row kTable[] = {
      {"--listen", "50051", "must be HOST:PORT or unix:PATH"},
      {"--listen", ":50051", "must be HOST:PORT or unix:PATH"},
      {"--listen", "127.0.0.1:", "must be HOST:PORT or unix:PATH"},
      {"--listen", "127.0.0.1:65536", "must be HOST:PORT or unix:PATH"},
      {"--listen", "127.0.0.1:-1", "must be HOST:PORT or unix:PATH"},
      {"--listen", "127.0.0.1:http", "must be HOST:PORT or unix:PATH"},
      {"--listen", "unix:", "must be HOST:PORT or unix:PATH"},
      {"--listen", "", "must be HOST:PORT or unix:PATH"},
      {"--http-listen", "127.0.0.1", "must be HOST:PORT"},
      {"--http-listen", "unix:/tmp/x", "must be HOST:PORT"},
      {"--data-dir", "", "must not be empty"},
      {"--node-id", "", "must be 1 to 64 of A-Z a-z 0-9 _ -"},
      {"--node-id", "a b", "must be 1 to 64 of A-Z a-z 0-9 _ -"},
      {"--node-id", "\xc3\xa4", "must be 1 to 64 of A-Z a-z 0-9 _ -"},
      {"--retry-schedule", "", "must be delays of 1s to 24h"},
      {"--retry-schedule", "30", "must be delays of 1s to 24h"},
      {"--retry-schedule", "30s,", "must be delays of 1s to 24h"},
      {"--retry-schedule", "30s;2m", "must be delays of 1s to 24h"},
      {"--retry-schedule", "999ms", "must be delays of 1s to 24h"},
      {"--retry-schedule", "30s,24h1s", "must be delays of 1s to 24h"},
      {"--retry-schedule", "-30s", "must be delays of 1s to 24h"},
      {"--retry-schedule", "inf", "must be delays of 1s to 24h"},
      {"--attempt-timeout", "15", "must be a time span of 1s to 5m"},
      {"--attempt-timeout", "999ms", "must be a time span of 1s to 5m"},
      {"--attempt-timeout", "301s", "must be a time span of 1s to 5m"},
      {"--attempt-timeout", "inf", "must be a time span of 1s to 5m"},
      {"--connect-timeout", "99ms", "must be a time span of 100ms to 5m"},
      {"--connect-timeout", "-1s", "must be a time span of 100ms to 5m"},
      {"--disable-threshold", "-1", "must be a number from 0 to 1000000"},
      {"--disable-threshold", "1000001", "must be a number from 0 to 1000000"},
      {"--disable-threshold", "fifty", "must be a number from 0 to 1000000"},
      {"--disable-threshold", "", "must be a number from 0 to 1000000"},
      {"--disable-threshold", "5.5", "must be a number from 0 to 1000000"},
      {"--disable-threshold", "99999999999999999999", "must be a number from 0 to 1000000"},
      {"--lease-duration", "10s", "must be a time span of 11s to 1h"},
      {"--lease-duration", "61m", "must be a time span of 11s to 1h"},
      {"--egress-allow", "10.0.0.1/8", ""},
      {"--egress-allow", "localhost", ""},
      {"--egress-allow", "10.0.0.0/33", ""},
      {"--egress-allow-http", "maybe", "must be on or off"},
      {"--retention", "23h", "must be a time span of 1d to 3650d"},
      {"--retention", "3651d", "must be a time span of 1d to 3650d"},
      {"--payload-retention", "1h", "must be a time span of 1d to 3650d"},
      {"--idempotency-window", "0s", "must be a time span of 1s to 1d"},
      {"--idempotency-window", "2d", "must be a time span of 1s to 1d"},
      {"--require-auth", "maybe", "must be on or off"},
      {"--insecure", "2", "must be on or off"},
      {"--tls-cert", "", "must name a file"},
      {"--bootstrap-key", "", "must name a file"},
      {"--key-rate-limit", "-1", "must be a number from 0 to 10000000"},
      {"--max-endpoints-per-env", "0", "must be a number from 1 to 100000"},
      {"--max-open-deliveries-per-org", "-1", "must be a number from 0 to 1000000000"},
      {"--max-data-bytes", "1", "must be a number from 2 to 8388608"},
      {"--max-data-bytes", "8388609", "must be a number from 2 to 8388608"},
      {"--max-data-bytes", "256k", "must be a number from 2 to 8388608"},
      {"--disable-on-gone", "2", "must be on or off"},
      {"--drain-timeout", "-1s", "must be a time span of 0 to 1h"},
      {"--drain-timeout", "2h", "must be a time span of 0 to 1h"},
      {"--log-format", "xml", "must be json or text"},
      {"--log-format", "JSON", "must be json or text"},
  };
  for (const Row& row : kTable) {
    const std::string flag = absl::StrCat(row.flag, "=", row.value);
    EXPECT_THAT(Problem({flag}), HasSubstr(absl::StrCat(row.flag, " ", row.problem))) << flag;
  }
}

TEST(ValuesTest, AllThatIsWrongIsSaidAtOnceOneALine) {
  const std::string problem =
      Problem({"--log-format=xml", "--bogus", "--disable-threshold=x", "--node-id=", "extra"});
  const std::vector<std::string> lines = absl::StrSplit(problem, '\n');
  EXPECT_THAT(lines, ElementsAre(HasSubstr("--bogus"), HasSubstr("'extra'"), HasSubstr("--node-id"),
                                 HasSubstr("--disable-threshold"), HasSubstr("--log-format")));
}

TEST(ValuesTest, LimitsThemselvesAreAllowed) {
  for (const char* flag : {"--listen=localhost:0",
                           "--listen=[::1]:65535",
                           "--listen=127.9.9.9:1",
                           "--listen=unix:/x",
                           "--retry-schedule=1s",
                           "--retry-schedule=24h",
                           "--attempt-timeout=1s --connect-timeout=1s",
                           "--attempt-timeout=5m --lease-duration=310s",
                           "--connect-timeout=100ms",
                           "--disable-threshold=0",
                           "--disable-threshold=1000000",
                           "--retention=3650d",
                           "--retention=1d --payload-retention=1d",
                           "--idempotency-window=1s",
                           "--idempotency-window=1d",
                           "--max-data-bytes=2",
                           "--max-data-bytes=8388608",
                           "--drain-timeout=0s",
                           "--drain-timeout=1h",
                           "--log-format=text",
                           "--egress-allow=::1",
                           "--lease-duration=1h"}) {
    const std::vector<std::string> flags = absl::StrSplit(flag, ' ');
    const absl::StatusOr<Config> config = LoadFlags(flags);
    EXPECT_TRUE(config.ok()) << flag << ": " << config.status();
  }
}

TEST(ValuesTest, AScheduleHoldsTwentyDelaysAtMost) {
  const std::vector<std::string> twenty(20, "1s");
  const absl::StatusOr<Config> config =
      LoadFlags({"--retry-schedule=" + absl::StrJoin(twenty, ",")});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->retry_schedule.size(), 20u);
  EXPECT_THAT(Problem({"--retry-schedule=1s," + absl::StrJoin(twenty, ",")}),
              HasSubstr("must hold at most 20 delays"));
}

TEST(ValuesTest, AScheduleIsReadInOrder) {
  const absl::StatusOr<Config> config = LoadFlags({"--retry-schedule=1.5s, 2m,1h30m"});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_THAT(config->retry_schedule,
              ElementsAre(absl::Milliseconds(1500), absl::Minutes(2), absl::Minutes(90)));
}

TEST(ValuesTest, OtherThanLoopbackIsNotListenedOnInTheClear) {
  for (const char* address :
       {"0.0.0.0:50051", "[::]:50051", "192.168.1.4:50051", "example.com:50051", "[2001:db8::1]:1",
        "*:50051", "128.0.0.1:1", "[::ffff:10.0.0.1]:1"}) {
    const std::string listen = absl::StrCat("--listen=", address);
    const std::string http_listen = absl::StrCat("--http-listen=", address);
    const std::string refused = "can be reached from other machines";
    EXPECT_THAT(Problem({listen}), HasSubstr(refused)) << address;
    EXPECT_THAT(Problem({http_listen}), HasSubstr(refused)) << address;
    EXPECT_TRUE(LoadFlags({listen, "--tls-cert=c", "--tls-key=k"}).ok()) << address;
    EXPECT_TRUE(LoadFlags({listen, http_listen, "--insecure"}).ok()) << address;
    // Health is served in the clear alone.
    EXPECT_THAT(Problem({http_listen, "--tls-cert=c", "--tls-key=k"}), HasSubstr(refused));
  }
}

TEST(ValuesTest, ACertificateGoesWithItsKey) {
  EXPECT_THAT(Problem({"--tls-cert=c"}), HasSubstr("must be given together"));
  EXPECT_THAT(Problem({"--tls-key=k"}), HasSubstr("must be given together"));
  EXPECT_THAT(Problem({"--tls-client-ca=a"}), HasSubstr("needs --tls-cert"));
  EXPECT_TRUE(LoadFlags({"--tls-cert=c", "--tls-key=k", "--tls-client-ca=a"}).ok());
}

TEST(ValuesTest, OneAddressThatIsNotLoopbackRefusesAll) {
  EXPECT_THAT(Problem({"--listen=127.0.0.1:1", "--listen=0.0.0.0:1"}),
              HasSubstr("--listen 0.0.0.0:1 can be reached from other machines"));
}

TEST(ValuesTest, NamesThatOnlyLookLikeLoopbackAreRefused) {
  for (const char* address : {"127.0.0.1.example.com:50051", "127.example.com:50051",
                              "localhost.example.com:50051", "hostunix:50051"}) {
    EXPECT_FALSE(LoadFlags({absl::StrCat("--listen=", address)}).ok()) << address;
    EXPECT_FALSE(LoadFlags({absl::StrCat("--http-listen=", address)}).ok()) << address;
  }
}

TEST(ValuesTest, ALeaseIsLongerThanAnAttemptByTenSeconds) {
  EXPECT_TRUE(LoadFlags({"--attempt-timeout=20s"}).ok());  // the default of 30 s
  EXPECT_TRUE(LoadFlags({"--lease-duration=25s"}).ok());
  EXPECT_THAT(Problem({"--attempt-timeout=21s"}),
              HasSubstr("--lease-duration must be at least 31s"));
  EXPECT_THAT(Problem({"--lease-duration=24s"}),
              HasSubstr("--lease-duration must be at least 25s"));
}

TEST(ValuesTest, ConnectingIsPartOfAnAttempt) {
  EXPECT_TRUE(LoadFlags({"--attempt-timeout=5s"}).ok());
  EXPECT_THAT(Problem({"--attempt-timeout=4s"}),
              HasSubstr("--connect-timeout must not be longer than --attempt-timeout"));
}

TEST(ValuesTest, PayloadsAreNotKeptLongerThanTheirEvents) {
  EXPECT_THAT(Problem({"--payload-retention=31d"}),
              HasSubstr("--payload-retention must not be longer than --retention"));
}

TEST(ValuesTest, ADatabaseOfOnesOwnNeedsAMasterKey) {
  EXPECT_THAT(Problem({"--database=host=x"}), HasSubstr("--master-key-file must be given"));
  EXPECT_TRUE(LoadFlags({"--database=host=x", "--master-key-file=k"}).ok());
}

}  // namespace
}  // namespace postrider::config

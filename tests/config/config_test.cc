#include "server/config/config.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace postrider::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

absl::StatusOr<Config> LoadFlags(const std::vector<std::string>& flags) {
  return Load(flags, [](const std::string&) { return std::nullopt; });
}

TEST(ConfigTest, DefaultsAreTheProducts) {
  const absl::StatusOr<Config> config = LoadFlags({});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_THAT(config->listen, ElementsAre("127.0.0.1:50051"));
  EXPECT_EQ(config->http_listen, "127.0.0.1:50052");
  EXPECT_EQ(config->database, "");
  EXPECT_EQ(config->node_id, "");
  EXPECT_THAT(config->retry_schedule,
              ElementsAre(absl::Seconds(30), absl::Minutes(2), absl::Minutes(10), absl::Hours(1),
                          absl::Hours(4)));
  EXPECT_EQ(config->attempt_timeout, absl::Seconds(15));
  EXPECT_EQ(config->connect_timeout, absl::Seconds(5));
  EXPECT_EQ(config->disable_threshold, 50);
  EXPECT_EQ(config->lease_duration, absl::Seconds(30));
  EXPECT_THAT(config->egress_allow, IsEmpty());
  EXPECT_FALSE(config->egress_allow_http);
  EXPECT_EQ(config->egress_proxy, "");
  EXPECT_EQ(config->retention, absl::Hours(30 * 24));
  EXPECT_EQ(config->payload_retention, absl::Hours(30 * 24));
  EXPECT_EQ(config->idempotency_window, absl::Hours(24));
  EXPECT_EQ(config->max_data_bytes, 256 * 1024);
  EXPECT_TRUE(config->disable_on_gone);
  EXPECT_EQ(config->drain_timeout, absl::Seconds(20));
  EXPECT_TRUE(config->log_json);
  EXPECT_FALSE(config->check_only || config->help || config->help_markdown || config->version);
}

TEST(ConfigTest, WhatIsOnlyAskedForIsToldApart) {
  EXPECT_TRUE(LoadFlags({"--help"})->help);
  EXPECT_TRUE(LoadFlags({"-h"})->help);
  EXPECT_TRUE(LoadFlags({"--help-markdown"})->help_markdown);
  EXPECT_TRUE(LoadFlags({"--version"})->version);
  EXPECT_TRUE(LoadFlags({"--check-config"})->check_only);
}

TEST(ConfigTest, HelpIsGivenWhateverElseIsWrong) {
  const absl::StatusOr<Config> config = LoadFlags({"--node-id=", "--help"});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_TRUE(config->help);
}

TEST(ConfigTest, ACheckFindsWhatIsWrong) {
  EXPECT_FALSE(LoadFlags({"--check-config", "--node-id="}).ok());
}

TEST(ConfigTest, HelpNamesEverySetting) {
  const std::string help = HelpText();
  const std::string table = HelpMarkdown();
  for (const char* name : {"listen",
                           "http-listen",
                           "database",
                           "data-dir",
                           "node-id",
                           "retry-schedule",
                           "attempt-timeout",
                           "connect-timeout",
                           "disable-threshold",
                           "lease-duration",
                           "egress-allow",
                           "egress-allow-http",
                           "egress-proxy",
                           "egress-ca-file",
                           "tls-cert",
                           "tls-key",
                           "tls-client-ca",
                           "require-auth",
                           "insecure",
                           "bootstrap-key",
                           "key-rate-limit",
                           "max-endpoints-per-env",
                           "max-open-deliveries-per-org",
                           "master-key-file",
                           "retention",
                           "payload-retention",
                           "idempotency-window",
                           "max-data-bytes",
                           "disable-on-gone",
                           "drain-timeout",
                           "log-format"}) {
    EXPECT_THAT(help, HasSubstr(absl::StrCat("  --", name))) << name;
    EXPECT_THAT(table, HasSubstr(absl::StrCat("| `--", name))) << name;
  }
  EXPECT_THAT(table, HasSubstr("`POSTRIDER_RETRY_SCHEDULE` | 30s,2m,10m,1h,4h |"));
}

TEST(SpanTest, SpansHaveUnits) {
  const std::pair<const char*, absl::Duration> kTable[] = {
      {"30s", absl::Seconds(30)},
      {"10m", absl::Minutes(10)},
      {"4h", absl::Hours(4)},
      {"30d", absl::Hours(720)},
      {"0d", absl::ZeroDuration()},
      {"0s", absl::ZeroDuration()},
      {"1h30m", absl::Minutes(90)},
      {"250ms", absl::Milliseconds(250)},
      {"1.5s", absl::Milliseconds(1500)},
      {"10us", absl::Microseconds(10)},
  };
  for (const auto& [text, span] : kTable) {
    const absl::StatusOr<absl::Duration> parsed = ParseSpan(text);
    ASSERT_TRUE(parsed.ok()) << text;
    EXPECT_EQ(*parsed, span) << text;
  }
}

TEST(SpanTest, EverythingElseIsRefused) {
  for (const char* text : {"", "0", "30", "s", "d", "1w", "1.5d", "-1d", "30 s", "30S", "1d12h",
                           "100000d", "99999999999999999999d", "soon", "1h-", "0x5s"}) {
    EXPECT_EQ(ParseSpan(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(SpanTest, SpansArePrintedAsTheyAreRead) {
  const std::pair<absl::Duration, const char*> kTable[] = {
      {absl::Seconds(30), "30s"},
      {absl::Minutes(90), "1h30m"},
      {absl::Hours(24), "1d"},
      {absl::Hours(25), "25h"},
      {absl::Hours(720), "30d"},
      {absl::Milliseconds(100), "100ms"},
      {absl::Milliseconds(1500), "1.5s"},
  };
  for (const auto& [span, text] : kTable) {
    EXPECT_EQ(FormatSpan(span), text);
    EXPECT_EQ(*ParseSpan(text), span);
  }
}

}  // namespace
}  // namespace postrider::config

// The server's configuration: flags, environment variables and a file, in this order of precedence.
// One table names every setting; --help and docs/CONFIGURATION.md come from it.

#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace postrider::config {

struct Config {
  std::vector<std::string> listen = {"127.0.0.1:50051"};
  std::string http_listen = "127.0.0.1:50052";
  std::string database;  // empty: a private PostgreSQL in the data folder
  std::string data_dir;
  std::string node_id;  // empty: kept in the data folder
  std::vector<absl::Duration> retry_schedule;
  absl::Duration attempt_timeout = absl::Seconds(15);
  absl::Duration connect_timeout = absl::Seconds(5);
  int disable_threshold = 50;
  absl::Duration lease_duration = absl::Seconds(30);
  std::vector<std::string> egress_allow;
  bool egress_allow_http = false;
  std::string egress_proxy;
  std::string egress_ca_file;
  std::string tls_cert;  // empty: in the clear
  std::string tls_key;
  std::string tls_client_ca;  // empty: no client certificates
  bool require_auth = false;
  bool insecure = false;
  std::string bootstrap_key;  // empty: none is written
  double key_rate_limit = 10000;
  int64_t max_endpoints_per_env = 10000;
  int64_t max_open_deliveries_per_org = 10000000;
  std::string master_key_file;
  std::string master_key;  // POSTRIDER_MASTER_KEY: the key itself, for those who keep it there
  std::vector<std::string> previous_master_key_files;
  absl::Duration retention = absl::Hours(30 * 24);
  absl::Duration payload_retention = absl::Hours(30 * 24);
  absl::Duration idempotency_window = absl::Hours(24);
  int64_t max_data_bytes = 262144;
  bool disable_on_gone = true;
  absl::Duration drain_timeout = absl::Seconds(20);
  bool log_json = true;

  bool check_only = false;  // --check-config
  bool reseal = false;      // --reseal
  bool help = false;
  bool help_markdown = false;
  bool version = false;
};

// Looks up an environment variable; none when it is not set.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
Environment ProcessEnvironment();

// Reads and checks everything. INVALID_ARGUMENT names every setting that is wrong, one a line, and
// where it came from.
absl::StatusOr<Config> Load(const std::vector<std::string>& arguments,
                            const Environment& environment);

// What --help prints, and the same as a Markdown table.
std::string HelpText();
std::string HelpMarkdown();

// "30s", "1h30m", "30d"; plain numbers are refused.
absl::StatusOr<absl::Duration> ParseSpan(const std::string& text);
std::string FormatSpan(absl::Duration span);

}  // namespace postrider::config

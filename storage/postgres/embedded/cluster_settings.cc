#include "storage/postgres/embedded/cluster_settings.h"

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace postrider::embedded {
namespace {

Settings OwnSettings() {
  return {
      // Compiling a claim took seven times longer than running it once the tables were big.
      {"jit", "off"},

      // No statement, parameter or payload in the log, ever. The text of an ERROR can quote a value
      // (`invalid input syntax for ...`), so of the messages only LOG, FATAL and PANIC are kept:
      // the server gets every error over its connection anyway. `terse` drops DETAIL, which holds
      // key values and, after a crash, the statement.
      {"log_statement", "none"},
      {"log_min_messages", "log"},
      {"log_min_error_statement", "panic"},
      {"log_min_duration_statement", "-1"},
      {"log_parameter_max_length", "0"},
      {"log_parameter_max_length_on_error", "0"},
      {"log_error_verbosity", "terse"},
      {"log_checkpoints", "off"},  // One or two lines each, for nobody.
      {"log_line_prefix", "%m [%p] "},
      {"log_timezone", "UTC"},
      {"timezone", "UTC"},
      {"cluster_name", "postrider"},

      {"max_connections", "100"},
      {"shared_buffers", "256MB"},

      // Few, slow checkpoints: every page's first change after one is logged whole.
      {"max_wal_size", "4GB"},
      {"checkpoint_timeout", "15min"},
      {"checkpoint_completion_target", "0.9"},
      {"wal_level", "replica"},

      // The table of open deliveries grows by their rate times this.
      {"autovacuum", "on"},
      {"autovacuum_naptime", "10s"},

      // An acknowledged event survives a power cut.
      {"fsync", "on"},
      {"synchronous_commit", "on"},
      {"full_page_writes", "on"},
  };
}

constexpr std::array<absl::string_view, 12> kFixed = {
    "listen_addresses",
    "port",
    "unix_socket_directories",
    "unix_socket_permissions",
    "unix_socket_group",
    "data_directory",
    "config_file",
    "hba_file",
    "ident_file",
    "external_pid_file",
    "logging_collector",
    "log_destination",
};

}  // namespace

absl::StatusOr<Settings> ClusterSettings(
    const std::vector<std::pair<std::string, std::string>>& extra) {
  Settings settings = OwnSettings();
  for (const auto& [name, value] : extra) {
    const std::string lower = absl::AsciiStrToLower(name);
    if (lower.empty() || lower.find('=') != std::string::npos) {
      return absl::InvalidArgumentError(absl::StrCat("not a PostgreSQL setting: ", name));
    }
    if (std::find(kFixed.begin(), kFixed.end(), lower) != kFixed.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("the setting ", lower, " of the private PostgreSQL cannot be changed"));
    }
    settings[lower] = value;
  }
  return settings;
}

std::vector<std::string> PostgresArguments(const std::string& postgres, const std::string& data,
                                           const std::string& socket_folder,
                                           const Settings& settings) {
  std::vector<std::string> arguments = {postgres, "-D", data};
  const auto add = [&arguments](absl::string_view name, absl::string_view value) {
    arguments.push_back("-c");
    arguments.push_back(absl::StrCat(name, "=", value));
  };
  add("listen_addresses", "");
  add("port", "5432");  // Only part of the socket's name.
  add("unix_socket_directories", socket_folder);
  add("unix_socket_permissions", "0700");
  add("log_destination", "stderr");
  add("logging_collector", "off");
  for (const auto& [name, value] : settings) add(name, value);
  return arguments;
}

}  // namespace postrider::embedded

#include "server/config/config.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "server/config/listen_address.h"
#include "server/config/settings.h"
#include "server/http/loop.h"
#include "server/policy/schedule.h"

namespace postrider::config {
namespace {

std::string DefaultDataDir(const Environment& environment) {
  if (geteuid() == 0) return "/var/lib/postrider";
  if (auto data = environment("XDG_DATA_HOME"); data && !data->empty()) {
    return *data + "/postrider";
  }
  return environment("HOME").value_or(".") + "/.local/share/postrider";
}

const Setting* Find(const std::string& name) {
  for (const Setting& setting : Settings()) {
    if (setting.name == name) return &setting;
  }
  return nullptr;
}

std::string VariableOf(const Setting& setting) {
  return "POSTRIDER_" + absl::AsciiStrToUpper(absl::StrReplaceAll(setting.name, {{"-", "_"}}));
}

// Where a value came from, for its error.
struct Given {
  Values values;
  std::string source;
};

using Gathered = std::map<std::string, Given>;

// Flags: --name value, --name=value, --switch, --no-switch.
void ReadArguments(const std::vector<std::string>& arguments, Config& config, std::string& file,
                   Gathered& given, std::vector<std::string>& wrong) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    std::string argument = arguments[i];
    if (argument == "--help" || argument == "-h") {
      config.help = true;
      continue;
    }
    if (argument == "--help-markdown" || argument == "--version" || argument == "--check-config" ||
        argument == "--reseal") {
      (argument == "--version"        ? config.version
       : argument == "--check-config" ? config.check_only
       : argument == "--reseal"       ? config.reseal
                                      : config.help_markdown) = true;
      continue;
    }
    if (argument.rfind("--", 0) != 0) {
      wrong.push_back(absl::StrCat("'", argument, "' is no flag: see postriderd --help"));
      continue;
    }
    std::string name = argument.substr(2);
    std::optional<std::string> value;
    if (const size_t equals = name.find('='); equals != std::string::npos) {
      value = name.substr(equals + 1);
      name = name.substr(0, equals);
    }
    const bool negated = name.rfind("no-", 0) == 0 && Find(name) == nullptr;
    const Setting* setting = Find(negated ? name.substr(3) : name);
    if (name != "config" && (setting == nullptr || (negated && setting->arity != Arity::kSwitch))) {
      wrong.push_back(absl::StrCat("--", name, " is no flag: see postriderd --help"));
      continue;
    }
    if (negated && value) {
      wrong.push_back(absl::StrCat("--", name, " takes no value"));
      continue;
    }
    if (!value && setting != nullptr && setting->arity == Arity::kSwitch) {
      value = negated ? "off" : "on";
    }
    if (!value) {
      if (i + 1 >= arguments.size()) {
        wrong.push_back(absl::StrCat("--", name, " needs a value"));
        continue;
      }
      value = arguments[++i];
    }
    if (name == "config") {
      file = *value;
      continue;
    }
    Given& entry = given[setting->name];
    entry.source = "--" + setting->name;
    entry.values.push_back(*value);
  }
}

// Lines `name = value`; `#` begins a comment line.
void ReadFile(const std::string& path, Gathered& given, std::vector<std::string>& wrong) {
  std::ifstream file(path);
  if (!file) {
    wrong.push_back(absl::StrCat("--config: cannot read ", path));
    return;
  }
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    const std::string text(absl::StripAsciiWhitespace(line));
    if (text.empty() || text[0] == '#') continue;
    const std::string source = absl::StrCat(path, ":", number);
    const size_t equals = text.find('=');
    std::string name(absl::StripAsciiWhitespace(text.substr(0, equals)));
    name = absl::StrReplaceAll(name, {{"_", "-"}});
    const Setting* setting = Find(name);
    if (equals == std::string::npos || setting == nullptr) {
      wrong.push_back(absl::StrCat(source, ": must be NAME = VALUE, with a NAME of --help"));
      continue;
    }
    Given& entry = given[name];
    entry.source = absl::StrCat(source, ": ", name);
    entry.values.push_back(std::string(absl::StripAsciiWhitespace(text.substr(equals + 1))));
  }
}

void CheckListeners(const Config& config, std::vector<std::string>& wrong) {
  if (config.tls_cert.empty() != config.tls_key.empty()) {
    wrong.push_back("--tls-cert and --tls-key must be given together");
  }
  if (!config.tls_client_ca.empty() && config.tls_cert.empty()) {
    wrong.push_back("--tls-client-ca needs --tls-cert and --tls-key");
  }
  for (const std::string& address : config.listen) {
    if (IsLocalAddress(address) || !config.tls_cert.empty() || config.insecure) continue;
    wrong.push_back(
        absl::StrCat("--listen ", address,
                     " can be reached from other machines: give --tls-cert and "
                     "--tls-key, or --insecure to send keys and payloads in the clear"));
  }
  if (!IsLocalAddress(config.http_listen) && !config.insecure) {
    wrong.push_back(absl::StrCat("--http-listen ", config.http_listen,
                                 " can be reached from other machines and is served without TLS: "
                                 "choose a loopback address, or give --insecure"));
  }
}

void CheckTogether(const Config& config, std::vector<std::string>& wrong) {
  if (config.lease_duration < config.attempt_timeout + absl::Seconds(10)) {
    wrong.push_back(absl::StrCat("--lease-duration must be at least ",
                                 FormatSpan(config.attempt_timeout + absl::Seconds(10)),
                                 ": the attempt timeout and 10s to record what came of it"));
  }
  if (config.connect_timeout > config.attempt_timeout) {
    wrong.push_back("--connect-timeout must not be longer than --attempt-timeout");
  }
  http::LoopOptions http;
  http.proxy = config.egress_proxy;
  http.ca_file = config.egress_ca_file;
  if (absl::Status status = http::CheckLoopOptions(http); !status.ok()) {
    wrong.push_back(
        absl::StrCat("--egress-proxy or --egress-ca-file: ", std::string(status.message())));
  }
  CheckListeners(config, wrong);
  if (config.payload_retention > config.retention) {
    wrong.push_back("--payload-retention must not be longer than --retention");
  }
}

}  // namespace

Environment ProcessEnvironment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return std::string(value);
  };
}

absl::StatusOr<absl::Duration> ParseSpan(const std::string& text) {
  // absl knows h, m, s, ms; days are ours.
  if (text.size() >= 2 && text.back() == 'd') {
    int64_t days = 0;
    if (absl::SimpleAtoi(text.substr(0, text.size() - 1), &days) && days >= 0 && days < 100000) {
      return absl::Hours(24 * days);
    }
  }
  absl::Duration span;
  if (text == "0" || !absl::ParseDuration(text, &span)) {
    return absl::InvalidArgumentError("is no time span like 30s, 10m, 4h or 30d");
  }
  return span;
}

std::string FormatSpan(absl::Duration span) {
  if (span >= absl::Hours(24) && span % absl::Hours(24) == absl::ZeroDuration()) {
    return absl::StrCat(span / absl::Hours(24), "d");
  }
  return absl::FormatDuration(span);
}

absl::StatusOr<Config> Load(const std::vector<std::string>& arguments,
                            const Environment& environment) {
  Config config;
  config.retry_schedule = policy::DefaultSchedule();
  config.data_dir = DefaultDataDir(environment);
  std::vector<std::string> wrong;
  std::string file;
  Gathered flags;
  ReadArguments(arguments, config, file, flags, wrong);
  Gathered variables;
  for (const Setting& setting : Settings()) {
    const std::string name = VariableOf(setting);
    if (auto value = environment(name)) {
      Values values = {*value};
      if (setting.arity == Arity::kRepeated) values = absl::StrSplit(*value, ',');
      variables[setting.name] = {std::move(values), name};
    }
  }
  if (file.empty()) file = environment("POSTRIDER_CONFIG").value_or("");
  Gathered lines;
  if (!file.empty()) ReadFile(file, lines, wrong);
  for (const Setting& setting : Settings()) {
    for (const Gathered* source : {&flags, &variables, &lines}) {
      const auto it = source->find(setting.name);
      if (it == source->end()) continue;
      const std::string problem = setting.apply(config, it->second.values);
      if (!problem.empty()) wrong.push_back(absl::StrCat(it->second.source, " ", problem));
      break;
    }
  }
  if (config.help || config.help_markdown || config.version) return config;
  config.master_key = environment("POSTRIDER_MASTER_KEY").value_or("");
  if (!config.master_key.empty() && !config.master_key_file.empty()) {
    wrong.push_back("POSTRIDER_MASTER_KEY and --master-key-file cannot both be given");
  }
  CheckTogether(config, wrong);
  if (!config.database.empty() && config.master_key_file.empty() && config.master_key.empty()) {
    wrong.push_back(
        "--master-key-file must be given with --database: every server on one database "
        "needs the same key (make one with: openssl rand -base64 32)");
  }
  if (!wrong.empty()) return absl::InvalidArgumentError(absl::StrJoin(wrong, "\n"));
  return config;
}

std::string HelpText() {
  std::string text =
      "postriderd: delivers webhooks.\n\n"
      "Every setting is a flag, an environment variable (--retry-schedule is\n"
      "POSTRIDER_RETRY_SCHEDULE; lists are separated by commas there) and a line NAME = VALUE of\n"
      "the file that --config names. A flag wins over the environment, that over the file.\n\n";
  for (const Setting& setting : Settings()) {
    absl::StrAppend(&text, "  --", setting.name, setting.value_name.empty() ? "" : " ",
                    setting.value_name, "\n      ", setting.meaning,
                    " (default: ", setting.default_text, ")\n");
  }
  absl::StrAppend(&text, "  --config FILE\n      settings, one a line\n",
                  "  --check-config\n      check the settings and exit\n",
                  "  --reseal\n      seal everything anew that is under a previous master key, and "
                  "exit\n",
                  "  --version\n      print the version and exit\n");
  return text;
}

std::string HelpMarkdown() {
  std::string text = "| flag | environment | default | meaning |\n| --- | --- | --- | --- |\n";
  for (const Setting& setting : Settings()) {
    absl::StrAppend(&text, "| `--", setting.name, setting.value_name.empty() ? "" : " ",
                    absl::StrReplaceAll(setting.value_name, {{"|", "\\|"}}), "` | `",
                    VariableOf(setting), "` | ", setting.default_text, " | ", setting.meaning,
                    " |\n");
  }
  return text;
}

}  // namespace postrider::config

#include "server/config/config.h"

#include <arpa/inet.h>
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
#include "server/http/destination.h"
#include "server/http/loop.h"
#include "server/policy/schedule.h"

namespace postrider::config {
namespace {

using Values = std::vector<std::string>;

enum class Arity { kValue, kSwitch, kRepeated };

struct Setting {
  std::string name;
  std::string value_name;  // of the help
  std::string default_text;
  std::string meaning;
  Arity arity = Arity::kValue;
  // Empty text: fine. Else what is wrong, as "must be ...".
  std::function<std::string(Config&, const Values&)> apply;
};

std::string SetSpan(absl::Duration& out, const Values& values, absl::Duration low,
                    absl::Duration high) {
  absl::StatusOr<absl::Duration> span = ParseSpan(values.back());
  if (!span.ok() || *span < low || *span > high) {
    return absl::StrCat("must be a time span of ", FormatSpan(low), " to ", FormatSpan(high),
                        ", like 30s, 10m or 4h");
  }
  out = *span;
  return "";
}

std::string SetSwitch(bool& out, const Values& values) {
  const std::string& text = values.back();
  if (text == "true" || text == "on" || text == "1" || text == "yes") {
    out = true;
  } else if (text == "false" || text == "off" || text == "0" || text == "no") {
    out = false;
  } else {
    return "must be on or off";
  }
  return "";
}

std::string SetInt(int64_t& out, const Values& values, int64_t low, int64_t high) {
  int64_t number = 0;
  if (!absl::SimpleAtoi(values.back(), &number) || number < low || number > high) {
    return absl::StrCat("must be a number from ", low, " to ", high);
  }
  out = number;
  return "";
}

std::string SetSchedule(Config& config, const Values& values) {
  std::vector<absl::Duration> delays;
  for (const std::string& part : std::vector<std::string>(absl::StrSplit(values.back(), ','))) {
    absl::StatusOr<absl::Duration> delay = ParseSpan(std::string(absl::StripAsciiWhitespace(part)));
    if (!delay.ok() || *delay < policy::kMinDelay || *delay > policy::kMaxDelay) {
      return "must be delays of 1s to 24h, separated by commas, like 30s,2m,10m";
    }
    delays.push_back(*delay);
  }
  if (delays.size() > static_cast<size_t>(policy::kMaxRetries)) {
    return absl::StrCat("must hold at most ", policy::kMaxRetries, " delays");
  }
  config.retry_schedule = std::move(delays);
  return "";
}

std::string NotYet(Config&, const Values&) { return "is not available in this version yet"; }

// A name, other than localhost, may be anybody's: only addresses are looked at.
bool IsLoopback(const std::string& host) {
  if (host == "localhost") return true;
  const std::string bare = host.size() > 2 && host.front() == '[' && host.back() == ']'
                               ? host.substr(1, host.size() - 2)
                               : host;
  in_addr v4{};
  if (inet_pton(AF_INET, bare.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  return inet_pton(AF_INET6, bare.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

std::string CheckListen(const std::string& address) {
  if (address.rfind("unix:", 0) == 0 && address.size() > 5) return "";
  const size_t colon = address.rfind(':');
  int port = -1;
  if (colon == std::string::npos || colon == 0 ||
      !absl::SimpleAtoi(address.substr(colon + 1), &port) || port < 0 || port > 65535) {
    return "must be HOST:PORT or unix:PATH";
  }
  if (!IsLoopback(address.substr(0, colon))) {
    return "must be a loopback address or a unix socket: TLS and credentials, which any other "
           "address needs, are not available in this version yet";
  }
  return "";
}

std::string DefaultDataDir(const Environment& environment) {
  if (geteuid() == 0) return "/var/lib/postrider";
  if (auto data = environment("XDG_DATA_HOME"); data && !data->empty()) {
    return *data + "/postrider";
  }
  return environment("HOME").value_or(".") + "/.local/share/postrider";
}

const std::vector<Setting>& Settings() {
  static const auto* const settings = new std::vector<Setting>{
      {"listen", "ADDRESS", "127.0.0.1:50051",
       "where gRPC listens: HOST:PORT (port 0: any free one) or unix:PATH; may be given several "
       "times",
       Arity::kRepeated,
       [](Config& c, const Values& v) {
         for (const std::string& address : v) {
           if (std::string wrong = CheckListen(address); !wrong.empty()) return wrong;
         }
         c.listen = v;
         return std::string();
       }},
      {"http-listen", "ADDRESS", "127.0.0.1:50052", "where /healthz and /readyz are served",
       Arity::kValue,
       [](Config& c, const Values& v) {
         if (v.back().rfind("unix:", 0) == 0) return std::string("must be HOST:PORT");
         c.http_listen = v.back();
         return CheckListen(v.back());
       }},
      {"database", "CONNINFO", "none",
       "libpq URI or keywords of the database, several hosts allowed; none: a private PostgreSQL "
       "in the data folder, started and stopped with the server",
       Arity::kValue,
       [](Config& c, const Values& v) {
         c.database = v.back();
         return std::string();
       }},
      {"data-dir", "DIR", "$XDG_DATA_HOME/postrider, for root /var/lib/postrider",
       "locked by one server at a time; holds the private PostgreSQL, the node id and the master "
       "key when the server made it",
       Arity::kValue,
       [](Config& c, const Values& v) {
         c.data_dir = v.back();
         return std::string(v.back().empty() ? "must not be empty" : "");
       }},
      {"node-id", "ID", "random, kept in the data folder",
       "this server among others on the same database: 1 to 64 of A-Z a-z 0-9 _ -", Arity::kValue,
       [](Config& c, const Values& v) {
         c.node_id = v.back();
         const bool good = !v.back().empty() && v.back().size() <= 64 &&
                           std::all_of(v.back().begin(), v.back().end(), [](unsigned char ch) {
                             return absl::ascii_isalnum(ch) || ch == '_' || ch == '-';
                           });
         return std::string(good ? "" : "must be 1 to 64 of A-Z a-z 0-9 _ -");
       }},
      {"retry-schedule", "LIST", "30s,2m,10m,1h,4h",
       "delays before each retry, counted from the end of the failed attempt: N delays are N "
       "retries after the first attempt",
       Arity::kValue, SetSchedule},
      {"attempt-timeout", "SPAN", "15s", "time one attempt may take in all", Arity::kValue,
       [](Config& c, const Values& v) {
         return SetSpan(c.attempt_timeout, v, absl::Seconds(1), absl::Minutes(5));
       }},
      {"connect-timeout", "SPAN", "5s", "part of it for the name lookup, the connection and TLS",
       Arity::kValue,
       [](Config& c, const Values& v) {
         return SetSpan(c.connect_timeout, v, absl::Milliseconds(100), absl::Minutes(5));
       }},
      {"disable-threshold", "N", "50",
       "consecutive failures that disable an endpoint; 0 turns it off", Arity::kValue,
       [](Config& c, const Values& v) {
         int64_t number = 0;
         std::string wrong = SetInt(number, v, 0, 1000000);
         c.disable_threshold = static_cast<int>(number);
         return wrong;
       }},
      {"lease-duration", "SPAN", "30s",
       "how long a delivery belongs to the server that took it; longer than the attempt timeout "
       "by 10s at least",
       Arity::kValue,
       [](Config& c, const Values& v) {
         return SetSpan(c.lease_duration, v, absl::Seconds(11), absl::Hours(1));
       }},
      {"egress-allow", "CIDR", "none",
       "private or loopback range that endpoints may reach; may be given several times",
       Arity::kRepeated,
       [](Config& c, const Values& v) {
         for (const std::string& cidr : v) {
           if (absl::StatusOr<http::Cidr> parsed = http::ParseCidr(cidr); !parsed.ok()) {
             return std::string(parsed.status().message());
           }
         }
         c.egress_allow = v;
         return std::string();
       }},
      {"egress-allow-http", "", "off", "allow endpoints with http:// URLs", Arity::kSwitch,
       [](Config& c, const Values& v) { return SetSwitch(c.egress_allow_http, v); }},
      {"egress-proxy", "URL", "none", "proxy that every request goes through", Arity::kValue,
       [](Config& c, const Values& v) {
         c.egress_proxy = v.back();
         return std::string();
       }},
      {"egress-ca-file", "FILE", "the system's", "certificates that receivers are trusted by",
       Arity::kValue,
       [](Config& c, const Values& v) {
         c.egress_ca_file = v.back();
         return std::string();
       }},
      {"tls-cert", "FILE", "none", "not available yet", Arity::kValue, NotYet},
      {"tls-key", "FILE", "none", "not available yet", Arity::kValue, NotYet},
      {"tls-client-ca", "FILE", "none", "not available yet", Arity::kValue, NotYet},
      {"require-auth", "", "off", "not available yet", Arity::kSwitch, NotYet},
      {"insecure", "", "off", "not available yet", Arity::kSwitch, NotYet},
      {"bootstrap-key", "FILE", "none", "not available yet", Arity::kValue, NotYet},
      {"master-key-file", "FILE",
       "made in the data folder with the private PostgreSQL, else required",
       "32 bytes in base64 or hex that seal secrets at rest", Arity::kValue,
       [](Config& c, const Values& v) {
         c.master_key_file = v.back();
         return std::string();
       }},
      {"previous-master-key-file", "FILE", "none",
       "a master key of before, that opens what it sealed until postriderd --reseal was run; may "
       "be "
       "given several times",
       Arity::kRepeated,
       [](Config& c, const Values& v) {
         c.previous_master_key_files = v;
         return std::string();
       }},
      {"retention", "SPAN", "30d", "how long events, deliveries and attempts are kept",
       Arity::kValue,
       [](Config& c, const Values& v) {
         return SetSpan(c.retention, v, absl::Hours(24), absl::Hours(24 * 3650));
       }},
      {"payload-retention", "SPAN", "30d", "how long the payloads of events are kept",
       Arity::kValue,
       [](Config& c, const Values& v) {
         return SetSpan(c.payload_retention, v, absl::Hours(24), absl::Hours(24 * 3650));
       }},
      {"idempotency-window", "SPAN", "24h", "how long an idempotency key is remembered",
       Arity::kValue,
       [](Config& c, const Values& v) {
         return SetSpan(c.idempotency_window, v, absl::Seconds(1), absl::Hours(24));
       }},
      {"max-data-bytes", "N", "262144", "largest data of an event", Arity::kValue,
       [](Config& c, const Values& v) { return SetInt(c.max_data_bytes, v, 2, 8 << 20); }},
      {"disable-on-gone", "", "on", "whether a 410 answer disables the endpoint", Arity::kSwitch,
       [](Config& c, const Values& v) { return SetSwitch(c.disable_on_gone, v); }},
      {"drain-timeout", "SPAN", "20s", "time to finish what is in flight on SIGTERM", Arity::kValue,
       [](Config& c, const Values& v) {
         return SetSpan(c.drain_timeout, v, absl::ZeroDuration(), absl::Hours(1));
       }},
      {"log-format", "json|text", "json", "form of the log on standard error", Arity::kValue,
       [](Config& c, const Values& v) {
         c.log_json = v.back() == "json";
         return std::string(v.back() == "json" || v.back() == "text" ? "" : "must be json or text");
       }},
  };
  return *settings;
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

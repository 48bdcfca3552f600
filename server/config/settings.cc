#include "server/config/settings.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/config/listen_address.h"
#include "server/http/destination.h"
#include "server/policy/schedule.h"

namespace postrider::config {
namespace {

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

std::string SetFile(std::string& out, const Values& values) {
  out = values.back();
  return values.back().empty() ? "must name a file" : "";
}

}  // namespace

const std::vector<Setting>& Settings() {
  static const auto* const settings = new std::vector<Setting>{
      {"listen", "ADDRESS", "127.0.0.1:50051",
       "where gRPC listens: HOST:PORT (port 0: any free one) or unix:PATH; may be given several "
       "times",
       Arity::kRepeated,
       [](Config& c, const Values& v) {
         for (const std::string& address : v) {
           if (std::string wrong = CheckListenAddress(address); !wrong.empty()) return wrong;
         }
         c.listen = v;
         return std::string();
       }},
      {"http-listen", "ADDRESS", "127.0.0.1:50052", "where /healthz and /readyz are served",
       Arity::kValue,
       [](Config& c, const Values& v) {
         if (v.back().rfind("unix:", 0) == 0) return std::string("must be HOST:PORT");
         c.http_listen = v.back();
         return CheckListenAddress(v.back());
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
      {"tls-cert", "FILE", "none",
       "the server's certificate in PEM form, with the intermediate ones behind it; with it, every "
       "HOST:PORT of --listen speaks TLS alone. Replaced files are served within seconds",
       Arity::kValue, [](Config& c, const Values& v) { return SetFile(c.tls_cert, v); }},
      {"tls-key", "FILE", "none", "the private key of --tls-cert in PEM form, without a passphrase",
       Arity::kValue, [](Config& c, const Values& v) { return SetFile(c.tls_key, v); }},
      {"tls-client-ca", "FILE", "none",
       "authorities in PEM form that vouch for client certificates; a client's rights are those of "
       "the API key that names its certificate",
       Arity::kValue, [](Config& c, const Values& v) { return SetFile(c.tls_client_ca, v); }},
      {"require-auth", "", "off",
       "callers on loopback addresses and unix sockets need a credential too", Arity::kSwitch,
       [](Config& c, const Values& v) { return SetSwitch(c.require_auth, v); }},
      {"insecure", "", "off",
       "listen on other than loopback addresses without TLS: keys and payloads can be read on the "
       "way",
       Arity::kSwitch, [](Config& c, const Values& v) { return SetSwitch(c.insecure, v); }},
      {"bootstrap-key", "FILE", "none",
       "on the first start, while there has never been a key: write an API key with scope ADMIN "
       "there (mode 0600), or take the one that the file holds",
       Arity::kValue, [](Config& c, const Values& v) { return SetFile(c.bootstrap_key, v); }},
      {"key-rate-limit", "N", "10000",
       "calls a second that one API key may make at one server, each event of a batch or a stream "
       "counted; 0: no limit",
       Arity::kValue,
       [](Config& c, const Values& v) {
         int64_t number = 0;
         std::string wrong = SetInt(number, v, 0, 10000000);
         c.key_rate_limit = static_cast<double>(number);
         return wrong;
       }},
      {"max-endpoints-per-env", "N", "10000",
       "endpoints that an environment may have: an event goes to all that match in one transaction",
       Arity::kValue,
       [](Config& c, const Values& v) { return SetInt(c.max_endpoints_per_env, v, 1, 100000); }},
      {"max-open-deliveries-per-org", "N", "10000000",
       "deliveries that are not over that an org may have before its events are refused; counted "
       "every few seconds; 0: no limit",
       Arity::kValue,
       [](Config& c, const Values& v) {
         return SetInt(c.max_open_deliveries_per_org, v, 0, 1000000000);
       }},
      {"master-key-file", "FILE",
       "made in the data folder with the private PostgreSQL, else required",
       "32 bytes in base64 or hex that seal secrets at rest", Arity::kValue,
       [](Config& c, const Values& v) {
         c.master_key_file = v.back();
         return std::string();
       }},
      {"previous-master-key-file", "FILE", "none",
       "a master key of before, that opens what it sealed until postriderd --reseal was run; may "
       "be given several times",
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

}  // namespace postrider::config

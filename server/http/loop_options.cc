#include <curl/curl.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/http/loop.h"

namespace postrider::http {
namespace {

absl::Status Refuse(absl::string_view option, absl::string_view rule) {
  return absl::InvalidArgumentError(absl::StrCat("http: ", option, " ", rule));
}

struct FreeCurlUrl {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};

bool IsProxyUrl(const std::string& proxy) {
  if (!absl::StartsWith(proxy, "http://")) return false;
  const std::unique_ptr<CURLU, FreeCurlUrl> url(curl_url());
  return curl_url_set(url.get(), CURLUPART_URL, proxy.c_str(), 0) == CURLUE_OK;
}

}  // namespace

absl::Status CheckLoopOptions(const LoopOptions& options) {
  if (!std::all_of(options.user_agent.begin(), options.user_agent.end(), absl::ascii_isprint)) {
    return Refuse("user_agent", "must be printable ASCII");
  }
  if (!options.proxy.empty() && !IsProxyUrl(options.proxy)) {
    return Refuse("proxy", "must be like http://host:port");
  }
  if (!options.ca_file.empty() && !std::ifstream(options.ca_file).good()) {
    return Refuse("ca_file", "cannot be read");
  }
  if (options.max_connections_total < 1) return Refuse("max_connections_total", "must be positive");
  if (options.max_connections_per_origin < 1 ||
      options.max_connections_per_origin > options.max_connections_total) {
    return Refuse("max_connections_per_origin", "must be 1 to max_connections_total");
  }
  if (options.max_lookups < 1) return Refuse("max_lookups", "must be positive");
  if (options.max_body_read_bytes < kMaxKeptBodyBytes) {
    return Refuse("max_body_read_bytes",
                  absl::StrCat("must be at least ", kMaxKeptBodyBytes, ", which is what is kept"));
  }
  if (options.max_header_bytes < kMaxKeptHeaderBytes) {
    return Refuse("max_header_bytes", absl::StrCat("must be at least ", kMaxKeptHeaderBytes,
                                                   ", which is what is kept"));
  }
  if (options.max_idle < absl::Seconds(1)) return Refuse("max_idle", "must be at least 1 s");
  if (options.max_connection_age < options.max_idle) {
    return Refuse("max_connection_age", "must be at least max_idle");
  }
  return absl::OkStatus();
}

}  // namespace postrider::http

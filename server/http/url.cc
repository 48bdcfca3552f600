#include "server/http/url.h"

#include <curl/curl.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace postrider::http {
namespace {

constexpr size_t kMaxHostBytes = 253;  // RFC 1035, without the root's dot
constexpr size_t kMaxLabelBytes = 63;  // RFC 1035

// Ports of other protocols and of services that usually stand inside a network, in order. Checked
// with any policy.
constexpr int kRefusedPorts[] = {
    1,     7,     9,     11,    13,    17,    19,    20,   21,   22,   23,    25,    37,    42,
    43,    53,    69,    79,    88,    109,   110,   111,  113,  119,  123,   135,   137,   138,
    139,   143,   161,   162,   179,   389,   427,   445,  465,  512,  513,   514,   515,   543,
    544,   548,   554,   587,   593,   623,   631,   636,  873,  989,  990,   992,   993,   995,
    1080,  1099,  1433,  1434,  1521,  1719,  1720,  1723, 1883, 2049, 2181,  2375,  2376,  2379,
    2380,  3128,  3268,  3269,  3306,  3389,  4369,  5060, 5061, 5432, 5433,  5671,  5672,  5900,
    5984,  5985,  5986,  6000,  6379,  6380,  6432,  6443, 6566, 6665, 6666,  6667,  6668,  6669,
    6697,  7199,  8125,  8500,  8600,  9042,  9092,  9160, 9200, 9300, 10250, 10255, 11211, 15672,
    26257, 27017, 27018, 27019, 28015, 61613, 61616,
};

struct FreeCurlString {
  void operator()(char* text) const { curl_free(text); }
};

absl::Status Refuse(absl::string_view sentence) { return absl::InvalidArgumentError(sentence); }

// A part of the URL as the parser sees it, undecoded; nothing when it is absent.
std::optional<std::string> Part(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK) return std::nullopt;
  std::unique_ptr<char, FreeCurlString> owner(text);
  return std::string(text);
}

absl::Status CheckBytes(absl::string_view url, bool allow_http) {
  if (url.empty()) return Refuse("the URL is empty");
  if (url.size() > kMaxUrlBytes) {
    return Refuse(absl::StrCat("the URL is longer than ", kMaxUrlBytes, " bytes"));
  }
  for (const char c : url) {
    if (c <= ' ' || c > '~' || c == '\\') {
      return Refuse("the URL may hold printable ASCII only, without spaces and backslashes");
    }
  }
  if (absl::StartsWith(url, "http://")) {
    if (!allow_http) return Refuse("the URL must start with https://");
  } else if (!absl::StartsWith(url, "https://")) {
    return Refuse(allow_http ? "the URL must start with https:// or http://"
                             : "the URL must start with https://");
  }
  if (absl::StrContains(url, '#')) return Refuse("the URL must not have a fragment");
  return absl::OkStatus();
}

bool IsNumber(absl::string_view label) {
  return absl::ConsumePrefix(&label, "0x")
             ? std::all_of(label.begin(), label.end(), absl::ascii_isxdigit)
             : std::all_of(label.begin(), label.end(), absl::ascii_isdigit);
}

absl::Status CheckName(absl::string_view host) {
  if (host.size() > kMaxHostBytes) return Refuse("the URL's host is longer than 253 bytes");
  if (absl::EndsWith(host, ".")) return Refuse("the URL's host must not end with a dot");
  for (const absl::string_view label : absl::StrSplit(host, '.')) {
    if (label.empty()) return Refuse("the URL's host has an empty label");
    if (label.size() > kMaxLabelBytes) {
      return Refuse("a label of the URL's host is longer than 63 bytes");
    }
    if (!std::all_of(label.begin(), label.end(),
                     [](char c) { return absl::ascii_isalnum(c) || c == '-'; })) {
      return Refuse("the URL's host may hold letters, digits, hyphens and dots only");
    }
    if (label.front() == '-' || label.back() == '-') {
      return Refuse("a label of the URL's host must not begin or end with a hyphen");
    }
  }
  return absl::OkStatus();
}

bool IsLocalhost(absl::string_view host) {
  return host == "localhost" || absl::EndsWith(host, ".localhost");
}

// Judges the (lower-case) host with the port; sets `is_address`.
absl::Status CheckHost(absl::string_view host, int port, const DestinationPolicy& policy,
                       bool* is_address) {
  absl::string_view address = host;
  const bool bracketed = absl::ConsumePrefix(&address, "[") && absl::ConsumeSuffix(&address, "]");
  absl::StatusOr<IpAddress> ip = IpAddress::Parse({address.data(), address.size()});
  *is_address = ip.ok();
  if (ip.ok()) {
    if (bracketed == ip->is_v4() || ip->ToString() != address) {
      return Refuse("the URL's address is not in its canonical form");
    }
    if (!policy.Allows(*ip, port)) {
      return Refuse("the URL's address is not an allowed destination");
    }
    return absl::OkStatus();
  }
  if (bracketed) return Refuse("the URL's address is not in its canonical form");
  if (absl::Status status = CheckName(host); !status.ok()) return status;
  // A name that ends in a number would be read as an address by some (WHATWG URL, 3.5).
  const size_t dot = host.rfind('.');
  if (IsNumber(dot == absl::string_view::npos ? host : host.substr(dot + 1))) {
    return Refuse("the URL's address is not in its canonical form");
  }
  if (IsLocalhost(host) && !policy.Allows(*IpAddress::Parse("127.0.0.1"), port)) {
    return Refuse("the URL's host is not an allowed destination");
  }
  return absl::OkStatus();
}

}  // namespace

struct ParsedUrl::Parts {
  Parts() = default;
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;
  ~Parts() { curl_url_cleanup(handle); }

  std::string text;
  std::string host;
  std::string origin;
  int port = 0;
  bool is_https = true;
  bool is_address = false;
  CURLU* handle = nullptr;
};

const std::string& ParsedUrl::text() const { return parts_->text; }
const std::string& ParsedUrl::host() const { return parts_->host; }
const std::string& ParsedUrl::origin() const { return parts_->origin; }
int ParsedUrl::port() const { return parts_->port; }
bool ParsedUrl::is_https() const { return parts_->is_https; }
bool ParsedUrl::is_address() const { return parts_->is_address; }
bool ParsedUrl::is_localhost() const { return IsLocalhost(parts_->host); }
Curl_URL* ParsedUrl::handle() const { return parts_->handle; }

absl::StatusOr<ParsedUrl> CheckUrl(std::string_view text, const DestinationPolicy& policy) {
  const absl::string_view url(text.data(), text.size());
  // Bytes come first: the parser would cut at a NUL byte and repair much of the rest.
  if (absl::Status status = CheckBytes(url, policy.allow_http()); !status.ok()) return status;

  auto parts = std::make_shared<ParsedUrl::Parts>();
  parts->handle = curl_url();
  if (parts->handle == nullptr) return absl::ResourceExhaustedError("out of memory");
  CURLU* const handle = parts->handle;
  const CURLUcode parsed =
      curl_url_set(handle, CURLUPART_URL, std::string(url).c_str(), CURLU_DISALLOW_USER);
  if (parsed == CURLUE_USER_NOT_ALLOWED) {
    return Refuse("the URL must not have a user or password");
  }
  if (parsed == CURLUE_BAD_PORT_NUMBER) return Refuse("the URL's port must be 1 to 65535");
  if (parsed != CURLUE_OK) return Refuse("the URL cannot be parsed");

  const std::optional<std::string> scheme = Part(handle, CURLUPART_SCHEME);
  const std::optional<std::string> host = Part(handle, CURLUPART_HOST);
  const std::optional<std::string> port = Part(handle, CURLUPART_PORT);
  const std::string path = Part(handle, CURLUPART_PATH).value_or("/");
  const std::optional<std::string> query = Part(handle, CURLUPART_QUERY);
  if (!scheme || !host || host->empty() || Part(handle, CURLUPART_ZONEID)) {
    return Refuse("the URL has no valid host");
  }
  parts->is_https = *scheme == "https";
  parts->host = absl::AsciiStrToLower(*host);
  const int default_port = parts->is_https ? 443 : 80;
  parts->port = default_port;
  if (port && (!absl::SimpleAtoi(*port, &parts->port) || parts->port < 1 || parts->port > 65535)) {
    return Refuse("the URL's port must be 1 to 65535");
  }
  if (absl::Status status = CheckHost(parts->host, parts->port, policy, &parts->is_address);
      !status.ok()) {
    return status;
  }
  if (std::binary_search(std::begin(kRefusedPorts), std::end(kRefusedPorts), parts->port)) {
    return Refuse("the URL's port belongs to another protocol or an internal service");
  }

  // What the parser made of the URL must be what was written: a difference means that somebody else
  // might read it as another destination.
  const std::string authority =
      absl::StrCat(*scheme, "://", *host, port ? ":" : "", port.value_or(""));
  const std::string rest = absl::StrCat(path, query ? "?" : "", query.value_or(""));
  const absl::string_view given_rest = url.substr(std::min(authority.size(), url.size()));
  const bool same_rest =
      given_rest == rest || (path == "/" && absl::StrCat("/", given_rest) == rest);
  if (!absl::StartsWithIgnoreCase(url, authority) || !same_rest) {
    return Refuse("the URL is not in its canonical form");
  }

  parts->origin = absl::StrCat(parts->host, ":", parts->port);
  parts->text =
      absl::StrCat(*scheme, "://", parts->port == default_port ? parts->host : parts->origin, rest);
  if ((parts->host != *host &&
       curl_url_set(handle, CURLUPART_HOST, parts->host.c_str(), 0) != CURLUE_OK) ||
      (port && parts->port == default_port &&
       curl_url_set(handle, CURLUPART_PORT, nullptr, 0) != CURLUE_OK) ||
      Part(handle, CURLUPART_URL) != parts->text) {
    return Refuse("the URL is not in its canonical form");
  }
  ParsedUrl result;
  result.parts_ = std::move(parts);
  return result;
}

}  // namespace postrider::http

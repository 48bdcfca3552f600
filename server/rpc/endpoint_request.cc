#include "server/rpc/endpoint_request.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "server/envelope/header_names.h"
#include "server/envelope/names.h"
#include "server/http/url.h"
#include "server/policy/schedule.h"
#include "server/rpc/convert.h"
#include "server/rpc/times.h"

namespace postrider::rpc {
namespace {

constexpr int kMaxPatterns = 100;
constexpr size_t kMaxDescriptionBytes = 1024;
constexpr int kMaxMetadata = 50;
constexpr size_t kMaxMetadataNameBytes = 64;
constexpr size_t kMaxMetadataValueBytes = 512;
constexpr int kMaxThreshold = 1000000;
constexpr int kMaxInFlight = 1000;
constexpr double kMinRate = 0.001;
constexpr double kMaxRate = 100000;

std::string Text(const absl::Status& status) { return std::string(status.message()); }

void CheckEvents(const v1::Endpoint& endpoint, EndpointConfig& config, FieldErrors& errors) {
  if (endpoint.events_size() > kMaxPatterns) {
    errors.Add("endpoint.events", absl::StrCat("must hold at most ", kMaxPatterns, " entries"));
    return;
  }
  config.events.assign(endpoint.events().begin(), endpoint.events().end());
  for (int i = 0; i < endpoint.events_size(); ++i) {
    absl::Status status = envelope::CheckSubscriptionPattern(endpoint.events(i));
    if (!status.ok()) errors.Add(absl::StrCat("endpoint.events[", i, "]"), Text(status));
  }
}

void CheckMetadata(const v1::Endpoint& endpoint, EndpointConfig& config, FieldErrors& errors) {
  config.metadata.clear();
  if (endpoint.metadata_size() > kMaxMetadata) {
    errors.Add("endpoint.metadata", absl::StrCat("must hold at most ", kMaxMetadata, " entries"));
    return;
  }
  for (const auto& [name, value] : endpoint.metadata()) {
    if (name.empty() || name.size() > kMaxMetadataNameBytes ||
        value.size() > kMaxMetadataValueBytes || name.find('\0') != std::string::npos ||
        value.find('\0') != std::string::npos) {
      errors.Add(
          "endpoint.metadata",
          absl::StrCat("must have names of 1 to ", kMaxMetadataNameBytes,
                       " bytes and values of at most ", kMaxMetadataValueBytes, ", without NUL"));
      return;
    }
    config.metadata[name] = value;
  }
}

void CheckEndpointHeaders(const v1::Endpoint& endpoint, HeaderPairs& headers, FieldErrors& errors) {
  headers.clear();
  for (const auto& [name, value] : endpoint.headers()) {
    headers.emplace_back(absl::AsciiStrToLower(name), value);
  }
  std::sort(headers.begin(), headers.end());
  std::vector<envelope::HeaderView> views;
  for (const auto& [name, value] : headers) views.push_back({name, value});
  if (absl::Status status = envelope::CheckHeaders(views); !status.ok()) {
    errors.Add("endpoint.headers", absl::StrCat("is refused: ", Text(status)));
  }
}

void CheckSchedule(const v1::Endpoint& endpoint, EndpointConfig& config, FieldErrors& errors) {
  config.retry_schedule.clear();
  if (endpoint.retry_schedule_size() > policy::kMaxRetries) {
    errors.Add("endpoint.retry_schedule",
               absl::StrCat("must hold at most ", policy::kMaxRetries, " delays"));
    return;
  }
  for (int i = 0; i < endpoint.retry_schedule_size(); ++i) {
    const std::optional<absl::Duration> delay = FromProto(endpoint.retry_schedule(i));
    if (!delay || *delay < policy::kMinDelay || *delay > policy::kMaxDelay) {
      errors.Add(absl::StrCat("endpoint.retry_schedule[", i, "]"), "must be 1 s to 24 h");
      continue;
    }
    config.retry_schedule.push_back(*delay);
  }
}

void CheckNumbers(const v1::Endpoint& endpoint, const SettingNames& names,
                  const EndpointRules& rules, EndpointConfig& config, FieldErrors& errors) {
  if (names.contains("disable_threshold")) {
    config.disable_threshold.reset();
    if (endpoint.has_disable_threshold()) {
      config.disable_threshold = endpoint.disable_threshold();
      if (endpoint.disable_threshold() < 0 || endpoint.disable_threshold() > kMaxThreshold) {
        errors.Add("endpoint.disable_threshold",
                   absl::StrCat("must be 0 to ", kMaxThreshold, "; 0 means never"));
      }
    }
  }
  if (names.contains("timeout")) {
    config.timeout.reset();
    if (endpoint.has_timeout()) {
      config.timeout = FromProto(endpoint.timeout());
      if (!config.timeout || *config.timeout < absl::Seconds(1) ||
          *config.timeout > rules.max_timeout) {
        errors.Add("endpoint.timeout",
                   absl::StrCat("must be 1 s to ", absl::FormatDuration(rules.max_timeout),
                                ", the server's attempt timeout"));
      }
    }
  }
  if (names.contains("max_in_flight")) {
    config.max_in_flight.reset();
    if (endpoint.has_max_in_flight()) {
      config.max_in_flight = endpoint.max_in_flight();
      if (endpoint.max_in_flight() < 1 || endpoint.max_in_flight() > kMaxInFlight) {
        errors.Add("endpoint.max_in_flight", absl::StrCat("must be 1 to ", kMaxInFlight));
      }
    }
  }
  if (names.contains("rate_limit_per_second")) {
    config.rate_limit_per_second.reset();
    if (endpoint.has_rate_limit_per_second()) {
      const double rate = endpoint.rate_limit_per_second();
      config.rate_limit_per_second = rate;
      if (!std::isfinite(rate) || rate < kMinRate || rate > kMaxRate) {
        errors.Add("endpoint.rate_limit_per_second",
                   absl::StrCat("must be ", kMinRate, " to ", kMaxRate));
      }
    }
  }
}

}  // namespace

const SettingNames& AllSettings() {
  static const SettingNames* const names =
      new SettingNames{"url",     "events",         "description",           "metadata",
                       "headers", "retry_schedule", "retries_disabled",      "disable_threshold",
                       "timeout", "max_in_flight",  "rate_limit_per_second", "ordered"};
  return *names;
}

SettingNames SetSettings(const v1::Endpoint& endpoint) {
  SettingNames names;
  if (!endpoint.url().empty()) names.insert("url");
  if (!endpoint.events().empty()) names.insert("events");
  if (!endpoint.description().empty()) names.insert("description");
  if (!endpoint.metadata().empty()) names.insert("metadata");
  if (!endpoint.headers().empty()) names.insert("headers");
  if (!endpoint.retry_schedule().empty()) names.insert("retry_schedule");
  if (endpoint.retries_disabled()) names.insert("retries_disabled");
  if (endpoint.has_disable_threshold()) names.insert("disable_threshold");
  if (endpoint.has_timeout()) names.insert("timeout");
  if (endpoint.has_max_in_flight()) names.insert("max_in_flight");
  if (endpoint.has_rate_limit_per_second()) names.insert("rate_limit_per_second");
  if (endpoint.ordered()) names.insert("ordered");
  return names;
}

SettingNames MaskedSettings(const google::protobuf::FieldMask& mask, FieldErrors& errors) {
  SettingNames names;
  for (const std::string& path : mask.paths()) {
    if (path == "*") return AllSettings();
    if (AllSettings().contains(path)) {
      names.insert(path);
    } else {
      const bool known = v1::Endpoint::descriptor()->FindFieldByName(path) != nullptr;
      // An unknown path is the caller's text: quoted only where it is a plain word.
      const bool plain =
          path.size() <= 64 && std::all_of(path.begin(), path.end(), [](char c) {
            return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.';
          });
      errors.Add("update_mask", absl::StrCat("names ", plain ? path : "something",
                                             known ? ", which cannot be updated"
                                                   : ", which is no field of an endpoint"));
    }
  }
  return names;
}

void CheckSettings(const v1::Endpoint& endpoint, const SettingNames& names,
                   const EndpointRules& rules, EndpointConfig& config, HeaderPairs& headers,
                   FieldErrors& errors) {
  if (names.contains("url")) {
    absl::StatusOr<http::ParsedUrl> url = http::CheckUrl(endpoint.url(), rules.policy);
    if (url.ok()) {
      config.url = url->text();
    } else {
      errors.Add("endpoint.url", endpoint.url().empty()
                                     ? "must be set"
                                     : absl::StrCat("is refused: ", Text(url.status())));
    }
  }
  if (names.contains("events")) CheckEvents(endpoint, config, errors);
  if (names.contains("description")) {
    config.description = endpoint.description();
    if (config.description.size() > kMaxDescriptionBytes ||
        config.description.find('\0') != std::string::npos) {
      errors.Add("endpoint.description",
                 absl::StrCat("must be at most ", kMaxDescriptionBytes, " bytes without NUL"));
    }
  }
  if (names.contains("metadata")) CheckMetadata(endpoint, config, errors);
  if (names.contains("headers")) CheckEndpointHeaders(endpoint, headers, errors);
  if (names.contains("retry_schedule")) CheckSchedule(endpoint, config, errors);
  if (names.contains("retries_disabled")) config.retries_disabled = endpoint.retries_disabled();
  CheckNumbers(endpoint, names, rules, config, errors);
  if (names.contains("ordered")) config.ordered = endpoint.ordered();
}

}  // namespace postrider::rpc

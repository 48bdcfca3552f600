#include "storage/model/subscription.h"

#include <algorithm>

namespace postrider {
namespace {

constexpr std::string_view kOwnTypes = "postrider.";
constexpr std::string_view kAnyRest = ".*";

// The part of "a.b.*" that a type must begin with: "a.b.".
std::string_view PrefixOf(std::string_view pattern) {
  return pattern.substr(0, pattern.size() - 1);
}

}  // namespace

bool PatternMatches(std::string_view pattern, std::string_view type) {
  if (!pattern.ends_with(kAnyRest)) return pattern == type;
  const std::string_view prefix = PrefixOf(pattern);
  return type.size() > prefix.size() && type.starts_with(prefix);
}

bool SubscriptionMatches(const std::vector<std::string>& events, std::string_view type) {
  if (events.empty()) return !type.starts_with(kOwnTypes);
  return std::any_of(events.begin(), events.end(),
                     [type](const std::string& pattern) { return PatternMatches(pattern, type); });
}

std::vector<std::string> PatternsMatching(std::string_view type) {
  std::vector<std::string> patterns;
  patterns.emplace_back(type);
  for (size_t dot = type.find('.'); dot != std::string_view::npos; dot = type.find('.', dot + 1)) {
    patterns.push_back(std::string(type.substr(0, dot)).append(kAnyRest));
  }
  if (!type.starts_with(kOwnTypes)) patterns.emplace_back(kEveryType);
  return patterns;
}

std::vector<std::string> StoredPatterns(const std::vector<std::string>& events) {
  if (events.empty()) return {std::string(kEveryType)};
  std::vector<std::string> patterns;
  for (const std::string& pattern : events) {
    // "a.*" covers "a.b" and "a.b.*": both begin with "a." and are longer.
    const bool covered = std::any_of(events.begin(), events.end(), [&](const std::string& other) {
      return other != pattern && other.ends_with(kAnyRest) && pattern.starts_with(PrefixOf(other));
    });
    if (!covered && std::find(patterns.begin(), patterns.end(), pattern) == patterns.end()) {
      patterns.push_back(pattern);
    }
  }
  return patterns;
}

}  // namespace postrider

// Which events an endpoint gets. The rule is SEMANTICS, "Acceptance": an endpoint matches an event
// when its list is empty (every type but postrider.*), holds the exact type, or holds a prefix
// pattern, "message.*", which matches "message.received" and "message.a.b" but not "message".

#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace postrider {

// Stands for "every type but postrider.*" in storage; nobody can write it as a pattern.
inline constexpr std::string_view kEveryType = "*";

// Whether one entry of a list matches.
bool PatternMatches(std::string_view pattern, std::string_view type);

// Whether a whole list, as the owner gave it, matches.
bool SubscriptionMatches(const std::vector<std::string>& events, std::string_view type);

// Every stored pattern that matches a type: the type itself, its prefixes with ".*", and kEveryType
// unless it is one of postrider's own. The other way round of SubscriptionMatches, for an index.
std::vector<std::string> PatternsMatching(std::string_view type);

// A list as it is stored: kEveryType for an empty one, each pattern once, and none that another one
// covers, so that an event finds an endpoint once at most.
std::vector<std::string> StoredPatterns(const std::vector<std::string>& events);

}  // namespace postrider

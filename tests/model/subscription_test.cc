#include "storage/model/subscription.h"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace postrider {
namespace {

using Strings = std::vector<std::string>;
using testing::ElementsAre;

struct Case {
  Strings events;
  const char* type;
  bool matches;
};

TEST(SubscriptionTest, MatchesByEveryRule) {
  const Case kCases[] = {
      // Empty: every type but our own.
      {{}, "message.received", true},
      {{}, "message", true},
      {{}, "a.b.c.d", true},
      {{}, "postrider", true},
      {{}, "postrider_x.y", true},
      {{}, "my.postrider.x", true},
      {{}, "postrider.endpoint.disabled", false},
      {{}, "postrider.x", false},
      // The exact type.
      {{"message.received"}, "message.received", true},
      {{"message.received"}, "message.receive", false},
      {{"message.received"}, "message.received.x", false},
      {{"message.received"}, "message", false},
      {{"message.received"}, "x.message.received", false},
      {{"message"}, "message", true},
      {{"message"}, "message.received", false},
      // A prefix.
      {{"message.*"}, "message.received", true},
      {{"message.*"}, "message.a.b", true},
      {{"message.*"}, "message", false},
      {{"message.*"}, "messages.received", false},
      {{"message.*"}, "messag.received", false},
      {{"message.*"}, "x.message.received", false},
      {{"message.a.*"}, "message.a.b", true},
      {{"message.a.*"}, "message.a.b.c", true},
      {{"message.a.*"}, "message.a", false},
      {{"message.a.*"}, "message.b", false},
      {{"message.a.*"}, "message.ab.c", false},
      // An underscore is a letter like others.
      {{"a_b.*"}, "a_b.c", true},
      {{"a_b.*"}, "axb.c", false},
      {{"a_b"}, "axb", false},
      // Our own types only where they are asked for.
      {{"postrider.*"}, "postrider.endpoint.disabled", true},
      {{"postrider.*"}, "postrider", false},
      {{"postrider.*"}, "message.received", false},
      {{"postrider.endpoint.disabled"}, "postrider.endpoint.disabled", true},
      {{"postrider.endpoint.*"}, "postrider.endpoint.disabled", true},
      {{"postrider.endpoint.*"}, "postrider.event", false},
      {{"message.*"}, "postrider.endpoint.disabled", false},
      // Any entry will do.
      {{"domain.*", "message.received"}, "message.received", true},
      {{"domain.*", "message.received"}, "domain.verified", true},
      {{"domain.*", "message.received"}, "message.bounced", false},
      {{"message.*", "postrider.*"}, "postrider.x", true},
  };
  for (const Case& c : kCases) {
    EXPECT_EQ(SubscriptionMatches(c.events, c.type), c.matches)
        << "[" << absl::StrJoin(c.events, ", ") << "] " << c.type;
  }
}

TEST(SubscriptionTest, ThePatternForEveryTypeIsNothingAnOwnerCanWrite) {
  EXPECT_FALSE(PatternMatches(kEveryType, "message.received"));
  EXPECT_FALSE(PatternMatches(kEveryType, "message"));
}

TEST(SubscriptionTest, PatternsMatchingNamesTheTypeItsPrefixesAndEveryType) {
  EXPECT_THAT(PatternsMatching("message"), ElementsAre("message", "*"));
  EXPECT_THAT(PatternsMatching("message.received"),
              ElementsAre("message.received", "message.*", "*"));
  EXPECT_THAT(PatternsMatching("a.b.c.d"), ElementsAre("a.b.c.d", "a.*", "a.b.*", "a.b.c.*", "*"));
  EXPECT_THAT(PatternsMatching("postrider"), ElementsAre("postrider", "*"));
}

TEST(SubscriptionTest, PatternsMatchingOurOwnTypesLeaveEveryTypeOut) {
  EXPECT_THAT(PatternsMatching("postrider.x"), ElementsAre("postrider.x", "postrider.*"));
  EXPECT_THAT(PatternsMatching("postrider.endpoint.disabled"),
              ElementsAre("postrider.endpoint.disabled", "postrider.*", "postrider.endpoint.*"));
}

TEST(SubscriptionTest, StoredPatternsOfAnEmptyListIsEveryType) {
  EXPECT_THAT(StoredPatterns({}), ElementsAre("*"));
}

TEST(SubscriptionTest, StoredPatternsKeepsTheOrderAndDropsRepetitions) {
  EXPECT_THAT(StoredPatterns({"b", "a", "b", "c.*", "a", "c.*"}), ElementsAre("b", "a", "c.*"));
}

TEST(SubscriptionTest, StoredPatternsDropsWhatAnotherCovers) {
  EXPECT_THAT(StoredPatterns({"message.received", "message.*"}), ElementsAre("message.*"));
  EXPECT_THAT(StoredPatterns({"message.*", "message.received"}), ElementsAre("message.*"));
  EXPECT_THAT(StoredPatterns({"message.a.*", "message.*"}), ElementsAre("message.*"));
  EXPECT_THAT(StoredPatterns({"message.a.b", "message.a.*", "message.*", "message.a.b.*"}),
              ElementsAre("message.*"));
  EXPECT_THAT(StoredPatterns({"postrider.x", "postrider.*"}), ElementsAre("postrider.*"));
}

TEST(SubscriptionTest, StoredPatternsKeepsWhatOnlyLooksCovered) {
  EXPECT_THAT(StoredPatterns({"message", "message.*"}), ElementsAre("message", "message.*"));
  EXPECT_THAT(StoredPatterns({"messages.x", "message.*"}), ElementsAre("messages.x", "message.*"));
  EXPECT_THAT(StoredPatterns({"a.b", "a.b.*"}), ElementsAre("a.b", "a.b.*"));
  EXPECT_THAT(StoredPatterns({"a.b.c", "a.b"}), ElementsAre("a.b.c", "a.b"));
}

// A type of one to four words, of few words so that lists and types often meet.
std::string RandomType(std::mt19937& random) {
  static constexpr const char* kWords[] = {"a", "b", "ab", "postrider"};
  std::string type = kWords[random() % 4];
  for (size_t more = random() % 4; more > 0; --more) {
    absl::StrAppend(&type, ".", kWords[random() % 4]);
  }
  return type;
}

Strings Common(Strings a, Strings b) {
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  Strings common;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(common));
  return common;
}

TEST(SubscriptionTest, PatternsMatchingIsTheInverseOfSubscriptionMatches) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  int matched = 0;
  for (int i = 0; i < 20000; ++i) {
    Strings events;
    for (size_t n = random() % 6; n > 0; --n) {
      events.push_back(RandomType(random) + (random() % 2 == 0 ? ".*" : ""));
    }
    const std::string type = RandomType(random);
    const Strings found = Common(StoredPatterns(events), PatternsMatching(type));
    // An event finds an endpoint once at most.
    ASSERT_EQ(found.size(), SubscriptionMatches(events, type) ? 1u : 0u)
        << "[" << absl::StrJoin(events, ", ") << "] " << type;
    matched += static_cast<int>(found.size());
  }
  EXPECT_GT(matched, 1000);
  EXPECT_LT(matched, 19000);
}

TEST(SubscriptionTest, StoredPatternsMatchWhatTheListMatches) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (int i = 0; i < 5000; ++i) {
    Strings events;
    for (size_t n = 1 + random() % 5; n > 0; --n) {
      events.push_back(RandomType(random) + (random() % 2 == 0 ? ".*" : ""));
    }
    const std::string type = RandomType(random);
    ASSERT_EQ(SubscriptionMatches(StoredPatterns(events), type), SubscriptionMatches(events, type))
        << "[" << absl::StrJoin(events, ", ") << "] " << type;
  }
}

}  // namespace
}  // namespace postrider

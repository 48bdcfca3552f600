#include "server/envelope/names.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace postrider::envelope {
namespace {

constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;

const std::string kNotTypes[] = {
    "",
    ".",
    "a.",
    ".a",
    "a..b",
    "A",
    "message.Received",
    "a-b",
    "a b",
    " a",
    "a ",
    "a\n",
    "a/b",
    "a.*",
    "*",
    "\xc3\xa9",
    "a.b.",
    "a:b",
    std::string("a\0b", 3),
    std::string(129, 'a'),
};

TEST(EventTypeTest, AcceptsDottedLowerCaseWords) {
  const std::string types[] = {
      "a",
      "message.received",
      "domain.dns_record.changed_2",
      "_",
      "0",
      "1.2.3",
      "__._",
      "postrider",
      "postriders.x",
      "my.postrider.x",
      std::string(128, 'a'),
  };
  for (const std::string& type : types) {
    EXPECT_TRUE(CheckEventType(type).ok()) << type;
    EXPECT_FALSE(IsReservedEventType(type)) << type;
  }
}

TEST(EventTypeTest, RefusesEverythingElse) {
  for (const std::string& type : kNotTypes) {
    EXPECT_EQ(CheckEventType(type).code(), kInvalid) << type;
    EXPECT_EQ(CheckEventType(type, ReservedTypes::kAllow).code(), kInvalid) << type;
  }
}

TEST(EventTypeTest, SaysWhy) {
  EXPECT_EQ(CheckEventType("").message(), "must not be empty");
  EXPECT_EQ(CheckEventType(std::string(200, 'a')).message(),
            "is 200 bytes long, over the limit of 128 bytes");
  EXPECT_EQ(CheckEventType("A").message(),
            "must be words of a-z, 0-9 and _, separated by single dots, such as message.received");
}

TEST(EventTypeTest, ReservedTypesAreRefusedForAReasonOfTheirOwn) {
  EXPECT_EQ(CheckEventType("postrider.endpoint.disabled").message(),
            "must not begin with postrider., which is reserved for Postrider's own events");
  EXPECT_TRUE(IsReservedEventType("postrider.endpoint.disabled"));
  EXPECT_TRUE(CheckEventType("postrider.endpoint.disabled", ReservedTypes::kAllow).ok());
  EXPECT_EQ(CheckEventType("postrider.").message(), CheckEventType("A").message());
}

TEST(SubscriptionPatternTest, AcceptsTypesAndPrefixes) {
  const std::string patterns[] = {
      "message.received",
      "message",
      "message.*",
      "message.a.b.*",
      "_.*",
      "postrider.*",
      "postrider.endpoint.disabled",
      "postrider.endpoint.*",
      absl::StrCat(std::string(126, 'a'), ".*"),
  };
  for (const std::string& pattern : patterns) {
    EXPECT_TRUE(CheckSubscriptionPattern(pattern).ok()) << pattern;
  }
}

TEST(SubscriptionPatternTest, RefusesEverythingElse) {
  for (const std::string& pattern : kNotTypes) {
    if (pattern == "a.*") continue;
    EXPECT_EQ(CheckSubscriptionPattern(pattern).code(), kInvalid) << pattern;
  }
  const std::string patterns[] = {
      "**",
      ".*",
      "*.*",
      "*.a",
      "a*",
      "a.*.b",
      "a.*.*",
      "a.**",
      "a..*",
      "a.b*",
      "A.*",
      "a.* ",
      absl::StrCat(std::string(127, 'a'), ".*"),
  };
  for (const std::string& pattern : patterns) {
    EXPECT_EQ(CheckSubscriptionPattern(pattern).code(), kInvalid) << pattern;
  }
  EXPECT_EQ(CheckSubscriptionPattern("*").message(),
            "must not be a bare *: leave the list empty to receive every type");
}

TEST(TenantIdTest, IsOneTo64LettersDigitsAndMarks) {
  for (const std::string& id : {std::string("a"), std::string("org_456"), std::string("A-Z_09"),
                                std::string("-"), std::string(64, 'x')}) {
    EXPECT_TRUE(CheckTenantId(id).ok()) << id;
  }
  for (const std::string& id :
       {std::string(), std::string(65, 'x'), std::string("a.b"), std::string("a b"),
        std::string("a/b"), std::string("a\n"), std::string("\xc3\xa9"), std::string("a\0", 2)}) {
    EXPECT_EQ(CheckTenantId(id).code(), kInvalid) << id;
  }
}

TEST(IdempotencyKeyTest, IsOneTo255PrintableBytes) {
  EXPECT_TRUE(CheckIdempotencyKey("a").ok());
  EXPECT_TRUE(CheckIdempotencyKey(" ~order 17/\"x\"").ok());
  EXPECT_TRUE(CheckIdempotencyKey(std::string(255, 'k')).ok());
  for (const std::string& key :
       {std::string(), std::string(256, 'k'), std::string("a\tb"), std::string("a\n"),
        std::string("\x7f"), std::string("\x1f"), std::string("\xc3\xa9"), std::string("\0", 1)}) {
    EXPECT_EQ(CheckIdempotencyKey(key).code(), kInvalid) << key;
  }
}

}  // namespace
}  // namespace postrider::envelope

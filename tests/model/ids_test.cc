#include "storage/model/ids.h"

#include <string>
#include <type_traits>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace postrider {
namespace {

constexpr char kUlid[] = "01ARYZ6S41008J4CT4ANK7F24S";

TEST(IdTest, TextIsPrefixAndUlid) {
  const Ulid ulid = *Ulid::Parse(kUlid);
  EXPECT_EQ(EventId{ulid}.ToText(), "evt_01ARYZ6S41008J4CT4ANK7F24S");
  EXPECT_EQ(EndpointId{ulid}.ToText(), "ep_01ARYZ6S41008J4CT4ANK7F24S");
  EXPECT_EQ(DeliveryId{ulid}.ToText(), "dlv_01ARYZ6S41008J4CT4ANK7F24S");
  EXPECT_EQ(AttemptId{ulid}.ToText(), "att_01ARYZ6S41008J4CT4ANK7F24S");
}

TEST(IdTest, ParseReadsItsOwnText) {
  const Ulid ulid = *Ulid::Parse(kUlid);
  EXPECT_EQ(EventId::Parse(EventId{ulid}.ToText()), EventId{ulid});
  EXPECT_EQ(EndpointId::Parse(EndpointId{ulid}.ToText()), EndpointId{ulid});
  EXPECT_EQ(DeliveryId::Parse(DeliveryId{ulid}.ToText()), DeliveryId{ulid});
  EXPECT_EQ(AttemptId::Parse(AttemptId{ulid}.ToText()), AttemptId{ulid});
}

TEST(IdTest, ParseRefusesTheIdOfAnotherResource) {
  const std::string ulid = kUlid;
  EXPECT_FALSE(EventId::Parse(absl::StrCat("dlv_", ulid)));
  EXPECT_FALSE(EndpointId::Parse(absl::StrCat("evt_", ulid)));
  EXPECT_FALSE(DeliveryId::Parse(absl::StrCat("att_", ulid)));
  EXPECT_FALSE(AttemptId::Parse(absl::StrCat("ep_", ulid)));
}

TEST(IdTest, ParseRefusesEveryOtherForm) {
  const std::string ulid = kUlid;
  for (const std::string& text :
       {std::string(), std::string("evt_"), std::string("evt"), ulid, absl::StrCat("evt", ulid),
        absl::StrCat("EVT_", ulid), absl::StrCat("Evt_", ulid), absl::StrCat(" evt_", ulid),
        absl::StrCat("evt_", ulid, " "), absl::StrCat("evt_", ulid.substr(1)),
        absl::StrCat("evt_", ulid, "0"), absl::StrCat("evt__", ulid.substr(1)),
        absl::StrCat("evt_evt_", ulid), absl::StrCat("evt-", ulid),
        std::string("evt_01aryz6s41008j4ct4ank7f24s")}) {
    EXPECT_FALSE(EventId::Parse(text)) << "'" << text << "'";
  }
}

TEST(IdTest, TypesOfResourcesDoNotMix) {
  EXPECT_FALSE((std::is_convertible_v<EndpointId, DeliveryId>));
  EXPECT_FALSE((std::is_convertible_v<EventId, EndpointId>));
  EXPECT_FALSE((std::is_same_v<EventId, AttemptId>));
}

TEST(IdTest, OrderAndHashFollowTheUlid) {
  const EventId low{*Ulid::Parse("01ARYZ6S410000000000000000")};
  const EventId high{*Ulid::Parse(kUlid)};
  EXPECT_LT(low, high);
  EXPECT_EQ(absl::HashOf(high), absl::HashOf(EventId{high.ulid}));
  EXPECT_NE(absl::HashOf(low), absl::HashOf(high));
  EXPECT_TRUE(EventId{}.is_zero());
  EXPECT_FALSE(low.is_zero());
}

}  // namespace
}  // namespace postrider

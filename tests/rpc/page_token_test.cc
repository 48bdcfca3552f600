#include "server/rpc/page_token.h"

#include <random>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "postrider/v1/endpoint_service.pb.h"
#include "postrider/v1/event_service.pb.h"
#include "tests/rpc/fields.h"

namespace postrider::rpc {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const Ulid kLast = *Ulid::Parse("01ARYZ6S41008J4CT4ANK7F24S");

// What a list makes of a page size and a token.
struct Checked {
  PageRequest page;
  FieldErrors errors;
};
Checked Check(int32_t size, const std::string& token, const std::string& filter = "filter") {
  Checked checked;
  checked.page = CheckPage(size, token, filter, checked.errors);
  return checked;
}

TEST(PageTokenTest, ATokenGivesTheLastRowBack) {
  const Checked checked = Check(10, MakePageToken(kLast, "filter"));
  EXPECT_THAT(FieldsOf(checked.errors), IsEmpty());
  EXPECT_EQ(checked.page.after, kLast);
  EXPECT_EQ(checked.page.size, 10);
}

TEST(PageTokenTest, NoTokenIsTheFirstPage) {
  const Checked checked = Check(10, "");
  EXPECT_TRUE(checked.errors.empty());
  EXPECT_EQ(checked.page.after, std::nullopt);
}

TEST(PageTokenTest, ATokenIsSafeInUrls) {
  const std::string token = MakePageToken(*Ulid::Parse("7ZZZZZZZZZZZZZZZZZZZZZZZZZ"), "f");
  EXPECT_EQ(token.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                    "0123456789-_"),
            std::string::npos);
}

TEST(PageTokenTest, ATokenOfAnotherFilterIsRefused) {
  const Checked checked = Check(10, MakePageToken(kLast, "other"));
  EXPECT_THAT(FieldsOf(checked.errors), ElementsAre("page_token"));
  EXPECT_THAT(DescriptionOf(checked.errors, "page_token"), testing::HasSubstr("another filter"));
  EXPECT_EQ(checked.page.after, std::nullopt);
}

TEST(PageTokenTest, GarbageIsRefused) {
  const std::string token = MakePageToken(kLast, "filter");
  for (const std::string& bad :
       {std::string("x"), std::string("!!!!"), token.substr(1), token.substr(0, token.size() - 1),
        token + "A", token + token, std::string(1000, 'A'), std::string(3, '\0'), kLast.ToText(),
        std::string("\xff\xfe"), token.substr(0, 21)}) {
    const Checked checked = Check(10, bad);
    EXPECT_THAT(FieldsOf(checked.errors), ElementsAre("page_token")) << bad;
    EXPECT_EQ(checked.page.after, std::nullopt) << bad;
  }
}

TEST(PageTokenTest, ChangedTokensAreRefusedOrNameAnotherRow) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  const std::string token = MakePageToken(kLast, "filter");
  for (int i = 0; i < 2000; ++i) {
    std::string changed = token;
    changed[random() % changed.size()] = static_cast<char>(random());
    if (changed == token) continue;
    const Checked checked = Check(10, changed);
    EXPECT_TRUE(!checked.errors.empty() || checked.page.after != kLast) << changed;
  }
}

TEST(PageTokenTest, SizesAreCutToTheirRange) {
  EXPECT_EQ(Check(0, "").page.size, 50);
  EXPECT_EQ(Check(1, "").page.size, 1);
  EXPECT_EQ(Check(1000, "").page.size, 1000);
  EXPECT_EQ(Check(1001, "").page.size, 1000);
  EXPECT_EQ(Check(2147483647, "").page.size, 1000);
}

TEST(PageTokenTest, ANegativeSizeIsRefused) {
  EXPECT_THAT(FieldsOf(Check(-1, "").errors), ElementsAre("page_size"));
  EXPECT_THAT(FieldsOf(Check(-2147483648, "x").errors), ElementsAre("page_size", "page_token"));
}

TEST(FilterTest, PagingIsNoPartOfTheFilter) {
  v1::ListEventsRequest a;
  a.set_org_id("o");
  v1::ListEventsRequest b = a;
  b.set_page_size(7);
  b.set_page_token("t");
  EXPECT_EQ(FilterOf(a), FilterOf(b));
}

TEST(FilterTest, EverythingElseIs) {
  v1::ListEventsRequest a;
  a.set_org_id("o");
  v1::ListEventsRequest b = a;
  b.set_env_id("e");
  EXPECT_NE(FilterOf(a), FilterOf(b));
  // The same text in another field, and another list altogether.
  v1::ListEventsRequest c;
  c.set_env_id("o");
  EXPECT_NE(FilterOf(a), FilterOf(c));
  EXPECT_NE(FilterOf(v1::ListEventsRequest()), FilterOf(v1::ListEndpointsRequest()));
}

}  // namespace
}  // namespace postrider::rpc

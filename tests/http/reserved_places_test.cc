#include "server/http/reserved_places.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/http/url.h"

namespace postrider::http {
namespace {

IpAddress Ip(const std::string& text) { return *IpAddress::Parse(text); }

TEST(ReservedPlacesTest, APlaceIsHeldInEveryFormOfItsAddress) {
  ReservedPlaces places;
  places.Add({{Ip("203.0.113.9"), 8443}, {Ip("2a00::9"), 8443}});
  for (const char* address :
       {"203.0.113.9", "::ffff:203.0.113.9", "64:ff9b::203.0.113.9", "2a00::9"}) {
    EXPECT_TRUE(places.Holds(Ip(address), 8443)) << address;
    EXPECT_FALSE(places.Holds(Ip(address), 8444)) << address;
  }
  for (const char* address : {"203.0.113.8", "127.0.0.1", "2a00::8", "::1"}) {
    EXPECT_FALSE(places.Holds(Ip(address), 8443)) << address;
  }
}

TEST(ReservedPlacesTest, APlaceOnThisMachineIsHeldOnAllItsAddresses) {
  for (const char* listening : {"127.0.0.1", "::1", "0.0.0.0", "::", "10.0.0.5"}) {
    ReservedPlaces places;
    places.SetOwnAddresses({Ip("10.0.0.5"), Ip("fd00::5")});
    places.Add({{Ip(listening), 8443}});
    for (const char* address : {"127.0.0.1", "127.9.9.9", "0.0.0.0", "::1", "::", "10.0.0.5",
                                "fd00::5", "::ffff:127.0.0.1", "::ffff:10.0.0.5"}) {
      EXPECT_TRUE(places.Holds(Ip(address), 8443)) << listening << " " << address;
      EXPECT_FALSE(places.Holds(Ip(address), 8080)) << listening << " " << address;
    }
    EXPECT_FALSE(places.Holds(Ip("10.0.0.6"), 8443)) << listening;
  }
}

TEST(ReservedPlacesTest, TheNewestPlacesAreKept) {
  ReservedPlaces places;
  for (int port = 1; port <= 300; ++port) places.Add({{Ip("10.0.0.1"), port}});
  places.Add({{Ip("10.0.0.1"), 300}});
  EXPECT_FALSE(places.Holds(Ip("10.0.0.1"), 300 - 256));
  EXPECT_TRUE(places.Holds(Ip("10.0.0.1"), 300 - 255));
  EXPECT_TRUE(places.Holds(Ip("10.0.0.1"), 300));
}

TEST(ReservedPlacesTest, PlacesAreReadFromWhatAServerListensOn) {
  EXPECT_EQ(PlacesOf("127.0.0.1:50051"), (std::vector<Place>{{Ip("127.0.0.1"), 50051}}));
  EXPECT_EQ(PlacesOf("[::1]:50051"), (std::vector<Place>{{Ip("::1"), 50051}}));
  EXPECT_EQ(PlacesOf("0.0.0.0:1"), (std::vector<Place>{{Ip("0.0.0.0"), 1}}));
  EXPECT_FALSE(PlacesOf("localhost:50051").empty());
  for (const char* none : {"unix:/run/postrider:1", "127.0.0.1:0", "", "nothing", ":x"}) {
    EXPECT_TRUE(PlacesOf(none).empty()) << none;
  }
}

TEST(ReservedPlacesTest, ThisMachineHasLoopback) {
  const std::vector<IpAddress> own = AddressesOfThisMachine();
  EXPECT_NE(std::find(own.begin(), own.end(), Ip("127.0.0.1")), own.end());
}

TEST(ReservedPlacesTest, NoAllowListOpensThem) {
  auto places = std::make_shared<ReservedPlaces>();
  places->Add({{Ip("127.0.0.1"), 8443}});
  const DestinationPolicy policy({*ParseCidr("127.0.0.0/8"), *ParseCidr("::1")}, true, places);
  for (const char* host :
       {"127.0.0.1", "127.0.0.2", "localhost", "a.localhost", "[::1]", "[::ffff:127.0.0.1]"}) {
    EXPECT_FALSE(CheckUrl(absl::StrCat("http://", host, ":8443/"), policy).ok()) << host;
    EXPECT_TRUE(CheckUrl(absl::StrCat("http://", host, ":8444/"), policy).ok()) << host;
  }
}

}  // namespace
}  // namespace postrider::http

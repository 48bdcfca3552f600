#include "storage/model/ulid.h"

#include <algorithm>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace postrider {
namespace {

// Bytes from their hexadecimal form.
Ulid FromHex(const std::string& hex) {
  Ulid id;
  for (size_t i = 0; i < id.bytes.size(); ++i) {
    id.bytes[i] = static_cast<uint8_t>(std::stoi(hex.substr(2 * i, 2), nullptr, 16));
  }
  return id;
}

// Random bits that count up from a first value.
std::function<uint64_t()> CountingFrom(uint64_t first) {
  return [next = first]() mutable { return next++; };
}

std::function<uint64_t()> Always(uint64_t value) {
  return [value] { return value; };
}

struct Vector {
  const char* hex;
  const char* text;
};
// 01ARYZ6S41 is the millisecond 1469918176385 of the ULID specification.
constexpr Vector kVectors[] = {
    {"00000000000000000000000000000000", "00000000000000000000000000"},
    {"00000000000000000000000000000001", "00000000000000000000000001"},
    {"0000000000000000000000000000001f", "0000000000000000000000000Z"},
    {"00000000000000000000000000000020", "00000000000000000000000010"},
    {"000102030405060708090a0b0c0d0e0f", "00041061050R3GG28A1C60T3GF"},
    {"0123456789abcdeffedcba9876543210", "014D2PF2DBSQQZXQ5TK1V58CGG"},
    {"01563df3648100112233445566778899", "01ARYZ6S41008J4CT4ANK7F24S"},
    {"80000000000000000000000000000000", "40000000000000000000000000"},
    {"ffffffffffffffffffffffffffffffff", "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"},
};

TEST(UlidTest, TextIsCrockfordsBase32OfTheBytes) {
  for (const Vector& v : kVectors) EXPECT_EQ(FromHex(v.hex).ToText(), v.text) << v.hex;
}

TEST(UlidTest, ParseGivesTheBytesBack) {
  for (const Vector& v : kVectors) EXPECT_EQ(Ulid::Parse(v.text), FromHex(v.hex)) << v.text;
}

TEST(UlidTest, EverythingButTheOneTextIsRefused) {
  const std::string good = "01ARYZ6S41008J4CT4ANK7F24S";
  ASSERT_TRUE(Ulid::Parse(good));
  std::vector<std::string> bad = {
      "",
      "0",
      good.substr(1),                     // 25 characters
      good + "0",                         // 27
      absl::StrCat(" ", good.substr(1)),  // space
      good.substr(0, 25) + " ",
      good.substr(0, 25) + "\n",
      absl::StrCat("8", good.substr(1)),  // more than 128 bits
      absl::StrCat("9", good.substr(1)),
      absl::StrCat("Z", good.substr(1)),
      "-1ARYZ6S41008J4CT4ANK7F24S",
      "01aryz6s41008j4ct4ank7f24s",  // lower case
      "01ARYZ6S41008J4CT4ANK7F24s",
      std::string(26, '\0'),
      std::string(26, '\xff'),
      absl::StrCat("evt_", good),
  };
  // What Crockford's alphabet leaves out, its aliases included, and bytes around its ranges.
  for (char c : std::string("ILOUilou/:@[`{~-_.\x7f\x80\xff")) {
    std::string text = good;
    text[13] = c;
    bad.push_back(text);
  }
  for (const std::string& text : bad) EXPECT_FALSE(Ulid::Parse(text)) << text;
}

TEST(UlidTest, TextAndBytesSortAlike) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (int i = 0; i < 2000; ++i) {
    Ulid a, b;
    for (uint8_t& byte : a.bytes) byte = static_cast<uint8_t>(random());
    b = a;  // often equal in front, so that late bytes decide
    for (size_t k = random() % 16; k < 16; ++k) b.bytes[k] = static_cast<uint8_t>(random());
    EXPECT_EQ(a < b, a.ToText() < b.ToText());
    EXPECT_EQ(a == b, a.ToText() == b.ToText());
    EXPECT_EQ(Ulid::Parse(a.ToText()), a);
  }
}

TEST(UlidTest, FloorIsTheSmallestOfItsMillisecond) {
  EXPECT_EQ(Ulid::FloorOf(absl::FromUnixMillis(1469918176385)).ToText(),
            "01ARYZ6S410000000000000000");
  // Finer than a millisecond is cut.
  EXPECT_EQ(Ulid::FloorOf(absl::FromUnixMicros(1469918176385999)).ToText(),
            "01ARYZ6S410000000000000000");
  EXPECT_EQ(Ulid::FloorOf(absl::UnixEpoch()), Ulid());
}

TEST(UlidTest, FloorIsBoundedByWhatFits) {
  EXPECT_EQ(Ulid::FloorOf(absl::UnixEpoch() - absl::Seconds(1)), Ulid());
  EXPECT_EQ(Ulid::FloorOf(absl::InfinitePast()), Ulid());
  EXPECT_EQ(Ulid::FloorOf(absl::InfiniteFuture()).ToText(), "7ZZZZZZZZZ0000000000000000");
}

TEST(UlidTest, TimeIsTheMillisecondInWhichItWasMade) {
  EXPECT_EQ(FromHex("01563df3648100112233445566778899").time(),
            absl::FromUnixMillis(1469918176385));
  EXPECT_EQ(Ulid().time(), absl::UnixEpoch());
}

TEST(UlidTest, OnlyAllZeroesIsZero) {
  EXPECT_TRUE(Ulid().is_zero());
  EXPECT_FALSE(FromHex("00000000000000000000000000000001").is_zero());
  EXPECT_FALSE(FromHex("80000000000000000000000000000000").is_zero());
}

TEST(UlidGeneratorTest, TakesTheMillisecondAndEightyRandomBits) {
  UlidGenerator generator(CountingFrom(0x1122334455667788));
  const Ulid id = generator.Next(absl::FromUnixMillis(1469918176385));
  EXPECT_EQ(id.time(), absl::FromUnixMillis(1469918176385));
  EXPECT_EQ(id, FromHex("01563df3648188776655443322118977"));
}

TEST(UlidGeneratorTest, WithinAMillisecondTheNextIsOneMore) {
  UlidGenerator generator(Always(0x00000000000000ff));
  const absl::Time now = absl::FromUnixMillis(1469918176385);
  EXPECT_EQ(generator.Next(now), FromHex("01563df36481ff00000000000000ff00"));
  EXPECT_EQ(generator.Next(now), FromHex("01563df36481ff00000000000000ff01"));
  EXPECT_EQ(generator.Next(now + absl::Microseconds(900)),
            FromHex("01563df36481ff00000000000000ff02"));
}

TEST(UlidGeneratorTest, WhenTimeStepsBackTheNextIsOneMore) {
  UlidGenerator generator(Always(0));
  const absl::Time now = absl::FromUnixMillis(1469918176385);
  generator.Next(now);
  EXPECT_EQ(generator.Next(now - absl::Milliseconds(1)),
            FromHex("01563df3648100000000000000000001"));
  EXPECT_EQ(generator.Next(now - absl::Hours(5)), FromHex("01563df3648100000000000000000002"));
  EXPECT_EQ(generator.Next(now), FromHex("01563df3648100000000000000000003"));
  EXPECT_EQ(generator.Next(now + absl::Milliseconds(1)),
            FromHex("01563df3648200000000000000000000"));
}

TEST(UlidGeneratorTest, RandomBitsThatRunOverMoveIntoTheTime) {
  UlidGenerator generator(Always(0xffffffffffffffff));
  const absl::Time now = absl::FromUnixMillis(1469918176385);
  EXPECT_EQ(generator.Next(now), FromHex("01563df36481ffffffffffffffffffff"));
  EXPECT_EQ(generator.Next(now), FromHex("01563df3648200000000000000000000"));
  // The millisecond that was run into has come: still one more.
  EXPECT_EQ(generator.Next(now + absl::Milliseconds(1)),
            FromHex("01563df3648200000000000000000001"));
}

TEST(UlidGeneratorTest, IncreasesWhateverTheClockDoes) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  UlidGenerator generator([&random] { return random(); });
  absl::Time now = absl::FromUnixMillis(1469918176385);
  Ulid last;
  for (int i = 0; i < 20000; ++i) {
    now += absl::Microseconds(static_cast<int64_t>(random() % 4001) - 1900);
    const Ulid id = generator.Next(now);
    ASSERT_LT(last, id) << i;
    ASSERT_LT(last.ToText(), id.ToText()) << i;
    last = id;
  }
}

TEST(UlidGeneratorTest, ThreadsNeverGetTheSame) {
  UlidGenerator generator(Always(0));
  const absl::Time now = absl::FromUnixMillis(1469918176385);
  std::vector<std::vector<Ulid>> made(4);
  std::vector<std::thread> threads;
  for (std::vector<Ulid>& ids : made) {
    threads.emplace_back([&generator, &ids, now] {
      for (int i = 0; i < 5000; ++i) ids.push_back(generator.Next(now));
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<Ulid> all;
  for (const std::vector<Ulid>& ids : made) {
    EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
    all.insert(all.end(), ids.begin(), ids.end());
  }
  std::sort(all.begin(), all.end());
  EXPECT_EQ(std::unique(all.begin(), all.end()) - all.begin(), 20000);
}

}  // namespace
}  // namespace postrider

// Parameters and results in PostgreSQL's binary format: what goes in comes out.

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/storage/postgres/store_test_base.h"

namespace postrider {
namespace {

using ::testing::ElementsAre;

TEST_F(StoreTest, ScalarsComeBackAsTheyWere) {
  const Ulid ulid = *Ulid::Parse("01ARYZ6S41008J4CT4ANK7F24S");
  const absl::Time time = absl::FromUnixMicros(1772980200123456);
  const std::string bytes("a\0\xff\n", 4);
  const auto rows = session_.Run(
      {"scalars",
       "SELECT $1::bool, $2::int, $3::bigint, $4::float8, $5::text, $6::bytea, $7::uuid, "
       "$8::timestamptz"},
      Params()
          .Bool(true)
          .Int4(-7)
          .Int8(std::numeric_limits<int64_t>::min())
          .Float8(0.1)
          .Text("ä'\"\\")
          .Bytes(bytes)
          .Uuid(ulid)
          .Time(time));
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_TRUE(rows->Bool(0, 0));
  EXPECT_EQ(rows->Int(0, 1), -7);
  EXPECT_EQ(rows->Int(0, 2), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(rows->Float8(0, 3), 0.1);
  EXPECT_EQ(rows->Text(0, 4), "ä'\"\\");
  EXPECT_EQ(rows->Text(0, 5), bytes);
  EXPECT_EQ(rows->Uuid(0, 6), ulid);
  EXPECT_EQ(rows->Time(0, 7), time);
}

TEST_F(StoreTest, PostgresReadsWhatWasMeant) {
  const auto rows = session_.Run(
      {"texts", "SELECT $1::timestamptz::text, $2::uuid::text, $3::float8::text, $4::bytea::text"},
      Params()
          .Time(absl::FromUnixMicros(1772980200123456))
          .Uuid(*Ulid::Parse("01ARYZ6S41008J4CT4ANK7F24S"))
          .Float8(-2.5)
          .Bytes("ab"));
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(rows->Text(0, 0), "2026-03-08 14:30:00.123456+00");
  EXPECT_EQ(rows->Text(0, 1), "01563df3-6481-0011-2233-445566778899");
  EXPECT_EQ(rows->Text(0, 2), "-2.5");
  EXPECT_EQ(rows->Text(0, 3), "\\x6162");
}

TEST_F(StoreTest, NothingIsNull) {
  const auto rows = session_.Run(
      {"nulls",
       "SELECT $1::int, $2::float8, $3::text, $4::bytea, $5::timestamptz, NULL::timestamptz"},
      Params()
          .Int4(std::optional<int32_t>())
          .Float8(std::optional<double>())
          .OptionalText("")
          .OptionalBytes(std::nullopt)
          .Time(std::optional<absl::Time>()));
  ASSERT_TRUE(rows.ok()) << rows.status();
  for (int column = 0; column < 6; ++column) EXPECT_TRUE(rows->IsNull(0, column)) << column;
  EXPECT_EQ(rows->OptionalTime(0, 4), std::nullopt);
}

TEST_F(StoreTest, TimesBeforeAndAfterTheEpochsKeepTheirMicroseconds) {
  for (int64_t micros :
       {int64_t{0}, int64_t{-1}, int64_t{946684800000000}, int64_t{946684799999999},
        int64_t{-62135596800000000}, int64_t{253402300799999999}}) {
    const auto rows = session_.Run({"time", "SELECT $1::timestamptz"},
                                   Params().Time(absl::FromUnixMicros(micros)));
    ASSERT_TRUE(rows.ok()) << rows.status();
    EXPECT_EQ(rows->Time(0, 0), absl::FromUnixMicros(micros)) << micros;
  }
}

TEST_F(StoreTest, ArraysAreUnnestedInOrderWithTheirNulls) {
  const std::vector<int> elements = {1, 2, 3};
  const auto rows = session_.Run(
      {"arrays",
       "SELECT a, b, c, d FROM unnest($1::int[], $2::text[], $3::bool[], $4::timestamptz[]) "
       "WITH ORDINALITY AS x(a, b, c, d, n) ORDER BY n"},
      Params()
          .Int4Array(elements, [](int i) { return i * 10; })
          .OptionalTextArray(elements,
                             [](int i) -> std::optional<std::string_view> {
                               if (i == 2) return std::nullopt;
                               return "text";
                             })
          .BoolArray(elements, [](int i) { return i == 3; })
          .TimeArray(elements, [](int i) -> std::optional<absl::Time> {
            if (i == 1) return std::nullopt;
            return absl::FromUnixSeconds(i);
          }));
  ASSERT_TRUE(rows.ok()) << rows.status();
  ASSERT_EQ(rows->rows(), 3);
  EXPECT_EQ(rows->Int(2, 0), 30);
  EXPECT_EQ(rows->Text(0, 1), "text");
  EXPECT_TRUE(rows->IsNull(1, 1));
  EXPECT_FALSE(rows->Bool(1, 2));
  EXPECT_TRUE(rows->Bool(2, 2));
  EXPECT_TRUE(rows->IsNull(0, 3));
  EXPECT_EQ(rows->Time(1, 3), absl::FromUnixSeconds(2));
}

TEST_F(StoreTest, EmptyArraysAreEmptyNotNull) {
  const std::vector<int> none;
  const auto rows = session_.Run(
      {"empty", "SELECT cardinality($1::int[]), cardinality($2::uuid[]), cardinality($3::bytea[])"},
      Params()
          .Int4Array(none, [](int i) { return i; })
          .UuidArray(none, [](int) { return Ulid(); })
          .BytesArray(none, [](int) { return std::string_view(); }));
  ASSERT_TRUE(rows.ok()) << rows.status();
  for (int column : {0, 1, 2}) {
    EXPECT_FALSE(rows->IsNull(0, column));
    EXPECT_EQ(rows->Int(0, column), 0);
  }
}

TEST_F(StoreTest, ArraysComeBackAsTheyAre) {
  const auto rows =
      session_.Run({"lists", "SELECT ARRAY['a', '', 'ä'], '{}'::text[], ARRAY[1, -2]::bigint[]"});
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_THAT(rows->TextArray(0, 0), ElementsAre("a", "", "ä"));
  EXPECT_THAT(rows->TextArray(0, 1), ::testing::IsEmpty());
  EXPECT_THAT(rows->IntArray(0, 2), ElementsAre(1, -2));
}

TEST_F(StoreTest, AffectedRowsAreCounted) {
  Execute("CREATE TABLE things (id int)");
  const auto inserted = session_.Run({"three", "INSERT INTO things SELECT generate_series(1, 3)"});
  ASSERT_TRUE(inserted.ok());
  EXPECT_EQ(inserted->affected(), 3);
}

TEST_F(StoreTest, UlidsSortInTheDatabaseAsTheyDoHere) {
  const absl::Time time = absl::FromUnixMillis(1772980200123);
  const auto rows = session_.Run({"floor", "SELECT ulid_floor($1)"}, Params().Time(time));
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(rows->Uuid(0, 0), Ulid::FloorOf(time));
}

TEST(HeadersTest, HeadersSurviveTheirStoredForm) {
  const HeaderList headers = {{"Server", "x"},
                              {"Set-Cookie", "a: b"},
                              {"X-Empty", ""},
                              {"Set-Cookie", "c"},
                              {"X-Latin", "\xe4"}};
  EXPECT_EQ(HeadersFromBytes(HeadersToBytes(headers)), headers);
  EXPECT_EQ(HeadersToBytes({}), "");
  EXPECT_TRUE(HeadersFromBytes("").empty());
}

}  // namespace
}  // namespace postrider

#include "server/rpc/times.h"

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/time/civil_time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "postrider/v1/event_service.pb.h"
#include "server/rpc/fields.h"
#include "tests/rpc/fields.h"

namespace postrider::rpc {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr int64_t kFirst = -62135596800;  // 0001-01-01T00:00:00Z
constexpr int64_t kLast = 253402300799;   // 9999-12-31T23:59:59Z
constexpr int64_t kLongest = 315576000000;

google::protobuf::Timestamp Stamp(int64_t seconds, int32_t nanos) {
  google::protobuf::Timestamp stamp;
  stamp.set_seconds(seconds);
  stamp.set_nanos(nanos);
  return stamp;
}

google::protobuf::Duration Span(int64_t seconds, int32_t nanos) {
  google::protobuf::Duration span;
  span.set_seconds(seconds);
  span.set_nanos(nanos);
  return span;
}

TEST(TimesTest, TimesFromYearOneToYear9999AreRead) {
  EXPECT_EQ(FromProto(Stamp(0, 0)), absl::UnixEpoch());
  EXPECT_EQ(FromProto(Stamp(1772980200, 250000001)),
            absl::FromUnixSeconds(1772980200) + absl::Nanoseconds(250000001));
  EXPECT_EQ(FromProto(Stamp(-1, 999999999)), absl::UnixEpoch() - absl::Nanoseconds(1));
  EXPECT_EQ(FromProto(Stamp(kFirst, 0)),
            absl::FromCivil(absl::CivilSecond(1, 1, 1), absl::UTCTimeZone()));
  EXPECT_EQ(
      FromProto(Stamp(kLast, 999999999)),
      absl::FromCivil(absl::CivilSecond(10000, 1, 1), absl::UTCTimeZone()) - absl::Nanoseconds(1));
}

TEST(TimesTest, TimesOutsideAreNone) {
  const std::pair<int64_t, int32_t> kTable[] = {{kFirst - 1, 0}, {kLast + 1, 0}, {0, -1},
                                                {0, 1000000000}, {INT64_MAX, 0}, {INT64_MIN, 0},
                                                {0, INT32_MAX},  {0, INT32_MIN}};
  for (const auto& [seconds, nanos] : kTable) {
    EXPECT_EQ(FromProto(Stamp(seconds, nanos)), std::nullopt) << seconds << " " << nanos;
  }
}

TEST(TimesTest, SpansAreRead) {
  EXPECT_EQ(FromProto(Span(0, 0)), absl::ZeroDuration());
  EXPECT_EQ(FromProto(Span(30, 500000000)), absl::Seconds(30.5));
  EXPECT_EQ(FromProto(Span(-30, -500000000)), absl::Seconds(-30.5));
  EXPECT_EQ(FromProto(Span(0, -1)), absl::Nanoseconds(-1));
  EXPECT_EQ(FromProto(Span(kLongest, 0)), absl::Seconds(kLongest));
  EXPECT_EQ(FromProto(Span(-kLongest, 0)), absl::Seconds(-kLongest));
}

TEST(TimesTest, SpansOutsideOrOfTwoSignsAreNone) {
  const std::pair<int64_t, int32_t> kTable[] = {
      {kLongest + 1, 0}, {-kLongest - 1, 0}, {0, 1000000000}, {0, -1000000000}, {1, -1},
      {-1, 1},           {INT64_MAX, 0},     {INT64_MIN, 0}};
  for (const auto& [seconds, nanos] : kTable) {
    EXPECT_EQ(FromProto(Span(seconds, nanos)), std::nullopt) << seconds << " " << nanos;
  }
}

TEST(TimesTest, TimesAreWrittenAsTheyAreRead) {
  for (const auto& [seconds, nanos] :
       std::vector<std::pair<int64_t, int32_t>>{{0, 0},
                                                {1772980200, 250000001},
                                                {-1, 999999999},
                                                {-5, 1},
                                                {kFirst, 0},
                                                {kLast, 999999999}}) {
    google::protobuf::Timestamp out;
    ToProto(*FromProto(Stamp(seconds, nanos)), &out);
    EXPECT_EQ(out.seconds(), seconds);
    EXPECT_EQ(out.nanos(), nanos);
  }
}

TEST(TimesTest, SpansAreWrittenAsTheyAreRead) {
  for (const auto& [seconds, nanos] : std::vector<std::pair<int64_t, int32_t>>{
           {0, 0}, {30, 500000000}, {-30, -500000000}, {0, -1}, {86400, 0}}) {
    google::protobuf::Duration out;
    ToProto(*FromProto(Span(seconds, nanos)), &out);
    EXPECT_EQ(out.seconds(), seconds);
    EXPECT_EQ(out.nanos(), nanos);
  }
}

struct Range {
  std::optional<absl::Time> start;
  std::optional<absl::Time> end;
  FieldErrors errors;
};
Range Check(const v1::ListEventsRequest& request) {
  Range range;
  CheckTimes(request, range.start, range.end, range.errors);
  return range;
}

TEST(RangeTest, BothEndsAreOptional) {
  const Range range = Check({});
  EXPECT_EQ(range.start, std::nullopt);
  EXPECT_EQ(range.end, std::nullopt);
  EXPECT_TRUE(range.errors.empty());
}

TEST(RangeTest, AnEndBeforeTheStartIsRefused) {
  v1::ListEventsRequest request;
  *request.mutable_start_time() = Stamp(100, 1);
  *request.mutable_end_time() = Stamp(100, 0);
  EXPECT_THAT(FieldsOf(Check(request).errors), ElementsAre("end_time"));
  *request.mutable_end_time() = Stamp(100, 1);  // empty, but no error
  EXPECT_THAT(FieldsOf(Check(request).errors), IsEmpty());
}

TEST(RangeTest, EveryEndOutOfRangeIsNamed) {
  v1::ListEventsRequest request;
  *request.mutable_start_time() = Stamp(0, -1);
  *request.mutable_end_time() = Stamp(kLast + 1, 0);
  EXPECT_THAT(FieldsOf(Check(request).errors), ElementsAre("start_time", "end_time"));
}

}  // namespace
}  // namespace postrider::rpc

// SEMANTICS, "The event": what `data` may be and how it is sent, and the limits of requests and
// pages.

#include <cmath>
#include <limits>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/support/engine_test.h"
#include "tests/support/expect.h"
#include "tests/support/json_fields.h"

namespace postrider::testing {
namespace {

using ::google::protobuf::Struct;
using ::google::protobuf::Value;

constexpr size_t kMaxDataBytes = 262144;

// {"a":{"a":…{}…}} with so many objects.
std::string NestedJson(int levels) {
  std::string text;
  for (int i = 1; i < levels; ++i) text += R"({"a":)";
  return text + "{}" + std::string(levels - 1, '}');
}

Struct NestedStruct(int levels) {
  Struct top;
  Struct* at = &top;
  for (int i = 1; i < levels; ++i) at = (*at->mutable_fields())["a"].mutable_struct_value();
  return top;
}

// An object of so many bytes.
std::string JsonOfSize(size_t bytes) {
  const std::string empty = R"({"x":""})";
  return absl::StrCat(R"({"x":")", std::string(bytes - empty.size(), 'x'), R"("})");
}

class EventDataTest : public EngineTest {
 protected:
  v1::PublishRequest EventWith(const Struct& data) {
    v1::PublishRequest request = Event();
    *request.mutable_data() = data;
    return request;
  }

  // `data` as it is stored.
  std::string Stored(const v1::PublishRequest& request) {
    const v1::PublishResponse response = Publish(request);
    return response.event_id().empty() ? "" : GetEvent(response.event_id()).data_json();
  }

  grpc::Status Refusal(const v1::PublishRequest& request) { return api().Publish(request).status; }
};

TEST_F(EventDataTest, JsonIsKeptByteForByteInsideItsOuterBraces) {
  CreateAt(receiver_.Url());
  const std::string inner =
      R"({ "z" : 1.0000000000000000000001, "a": 1E400,"big":123456789012345678901234567890,)"
      "\t\"e\\u0301\\/\" : [ ] ,\n \"\xC3\xA9\": -0.0 }";
  Publish(Event("message.received", absl::StrCat(" \t\r\n", inner, "\n ")));
  const std::vector<ReceivedRequest> requests = receiver_.WaitForRequests(1);
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(EnvelopeData(requests[0].body), inner);
  EXPECT_EQ(Stored(Event("message.received", inner)), inner);
}

TEST_F(EventDataTest, StructIsPrintedWithSortedKeysAndShortestNumbers) {
  CreateAt(receiver_.Url());
  Struct data;
  auto& fields = *data.mutable_fields();
  fields["b"].set_number_value(0.1);
  fields["a"].set_number_value(5);
  fields["B"].set_number_value(1e21);
  fields["\xC3\xA9"].set_string_value("\xC3\xA9 \"\\\n");               // U+00E9: C3 A9
  fields["\xF0\x9F\x98\x80"].set_bool_value(true);                      // U+1F600: F0 …
  fields["\xEF\xBF\xBD"].set_null_value(google::protobuf::NULL_VALUE);  // U+FFFD: EF …
  fields["aa"].mutable_list_value()->add_values()->set_number_value(-1.5e-7);
  (*fields["s"].mutable_struct_value()->mutable_fields())["y"].set_number_value(1.0 / 3);
  (*fields["s"].mutable_struct_value()->mutable_fields())["x"].set_number_value(9007199254740993.0);
  const v1::PublishRequest request = EventWith(data);
  Publish(request);
  const std::vector<ReceivedRequest> requests = receiver_.WaitForRequests(1);
  ASSERT_EQ(requests.size(), 1u);
  const std::string printed = absl::StrCat(
      R"({"B":1e+21,"a":5,"aa":[-1.5e-7],"b":0.1,)",
      R"("s":{"x":9007199254740992,"y":0.3333333333333333},)",
      "\"\xC3\xA9\":\"\xC3\xA9 \\\"\\\\\\n\",\"\xEF\xBF\xBD\":null,\"\xF0\x9F\x98\x80\":true}");
  EXPECT_EQ(EnvelopeData(requests[0].body), printed);
  EXPECT_EQ(Stored(request), printed);
}

TEST_F(EventDataTest, EmptyObjectsAreObjects) {
  EXPECT_EQ(Stored(Event("a.b", "{}")), "{}");
  EXPECT_EQ(Stored(EventWith(Struct())), "{}");
}

TEST_F(EventDataTest, JsonMayBe64LevelsDeepAndNotMore) {
  EXPECT_EQ(Stored(Event("a.b", NestedJson(64))), NestedJson(64));
  const grpc::Status status = Refusal(Event("a.b", NestedJson(65)));
  EXPECT_BAD_FIELDS(status, "data_json");
  EXPECT_TRUE(absl::StrContains(DescriptionOf(status, "data_json"), "64")) << ToText(status);
}

TEST_F(EventDataTest, StructMayBe64LevelsDeepAndNotMore) {
  EXPECT_EQ(Stored(EventWith(NestedStruct(64))), NestedJson(64));
  const grpc::Status status = Refusal(EventWith(NestedStruct(65)));
  EXPECT_BAD_FIELDS(status, "data");
  EXPECT_TRUE(absl::StrContains(DescriptionOf(status, "data"), "64")) << ToText(status);
}

TEST_F(EventDataTest, JsonMayHave256KiBAndNotMore) {
  CreateAt(receiver_.Url());
  const std::string largest = JsonOfSize(kMaxDataBytes);
  Publish(Event("a.b", largest + "  "));  // Outer white space does not count.
  const std::vector<ReceivedRequest> requests = receiver_.WaitForRequests(1);
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_TRUE(EnvelopeData(requests[0].body) == largest);
  const grpc::Status status = Refusal(Event("a.b", JsonOfSize(kMaxDataBytes + 1)));
  EXPECT_BAD_FIELDS(status, "data_json");
  EXPECT_TRUE(absl::StrContains(DescriptionOf(status, "data_json"), "262144")) << ToText(status);
}

TEST_F(EventDataTest, StructMayPrintTo256KiBAndNotMore) {
  Struct data;
  std::string* text = (*data.mutable_fields())["x"].mutable_string_value();
  *text = std::string(kMaxDataBytes - 8, 'x');
  EXPECT_EQ(Stored(EventWith(data)).size(), kMaxDataBytes);
  text->push_back('x');
  const grpc::Status status = Refusal(EventWith(data));
  EXPECT_BAD_FIELDS(status, "data");
  EXPECT_TRUE(absl::StrContains(DescriptionOf(status, "data"), "262144")) << ToText(status);
}

TEST_F(EventDataTest, DuplicateKeysAreRefused) {
  EXPECT_BAD_FIELDS(Refusal(Event("a.b", R"({"a":1,"a":1})")), "data_json");
  EXPECT_BAD_FIELDS(Refusal(Event("a.b", R"({"x":[{"a":1,"\u0061":2}]})")), "data_json");
}

TEST_F(EventDataTest, AByteOrderMarkIsRefused) {
  EXPECT_BAD_FIELDS(Refusal(Event("a.b", "\xEF\xBB\xBF{}")), "data_json");
}

TEST_F(EventDataTest, LoneSurrogatesAreRefused) {
  EXPECT_BAD_FIELDS(Refusal(Event("a.b", R"({"a":"\ud83d"})")), "data_json");
  EXPECT_BAD_FIELDS(Refusal(Event("a.b", R"({"\ude00":1})")), "data_json");
  EXPECT_EQ(Stored(Event("a.b", R"({"a":"\ud83d\ude00"})")), R"({"a":"\ud83d\ude00"})");
}

TEST_F(EventDataTest, AnythingButOneObjectIsRefused) {
  for (const char* text :
       {"", " ", "[]", "1", "null", "\"x\"", "{}{}", "{} x", "{", "{\"a\":}", "{'a':1}",
        "{\"a\":1,}", "{\"a\":01}", "{\"a\":NaN}", "{a:1}", "{\"a\":\"\t\"}", "// c\n{}"}) {
    EXPECT_BAD_FIELDS(Refusal(Event("a.b", text)), "data_json") << text;
  }
}

TEST_F(EventDataTest, NanAndInfinitiesInAStructAreRefused) {
  for (const double number : {std::nan(""), std::numeric_limits<double>::infinity(),
                              -std::numeric_limits<double>::infinity()}) {
    Struct data;
    (*data.mutable_fields())["a"].mutable_list_value()->add_values()->set_number_value(number);
    EXPECT_BAD_FIELDS(Refusal(EventWith(data)), "data");
  }
}

TEST_F(EventDataTest, ValuesOfAStructThatAreNotSetAreRefused) {
  Struct data;
  (*data.mutable_fields())["a"] = Value();
  EXPECT_BAD_FIELDS(Refusal(EventWith(data)), "data");
}

TEST_F(EventDataTest, DataIsLeftOutOfListsUnlessAskedFor) {
  PublishEvent();
  v1::ListEventsRequest request;
  request.set_org_id(org());
  const Reply<v1::ListEventsResponse> without = api().ListEvents(request);
  ASSERT_EQ(without->events_size(), 1) << ToText(without.status);
  EXPECT_EQ(without->events(0).data_json(), "");
  request.set_include_data(true);
  const Reply<v1::ListEventsResponse> with = api().ListEvents(request);
  ASSERT_EQ(with->events_size(), 1) << ToText(with.status);
  EXPECT_EQ(with->events(0).data_json(), R"({"n":1})");
}

TEST_F(EventDataTest, APageOfAListStopsAt3MiB) {
  constexpr int kEvents = 30;  // 7.5 MiB
  constexpr size_t kMaxPageBytes = 3 * 1024 * 1024;
  v1::BatchPublishRequest batch;
  for (int i = 0; i < kEvents; ++i) {
    *batch.add_requests() = Event("a.b", JsonOfSize(kMaxDataBytes));
  }
  const Reply<v1::BatchPublishResponse> published = api().BatchPublish(batch);
  ASSERT_TRUE(published.ok()) << ToText(published.status);
  v1::ListEventsRequest request;
  request.set_org_id(org());
  request.set_include_data(true);
  request.set_page_size(1000);
  int count = 0;
  int pages = 0;
  do {
    const Reply<v1::ListEventsResponse> page = api().ListEvents(request);
    ASSERT_TRUE(page.ok()) << ToText(page.status);
    ASSERT_GT(page->events_size(), 0);
    EXPECT_LE(page->ByteSizeLong(), kMaxPageBytes);
    count += page->events_size();
    ++pages;
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(count, kEvents);
  EXPECT_GE(pages, 3);
  EXPECT_LE(pages, 5);
}

TEST_F(EventDataTest, ARequestMayBe16MiBAndNotMore) {
  v1::BatchPublishRequest batch;
  for (int i = 0; i < 63; ++i) *batch.add_requests() = Event("a.b", JsonOfSize(kMaxDataBytes));
  ASSERT_LT(batch.ByteSizeLong(), 16u * 1024 * 1024);
  ASSERT_GT(batch.ByteSizeLong(), 15u * 1024 * 1024);
  const Reply<v1::BatchPublishResponse> published = api().BatchPublish(batch);
  EXPECT_TRUE(published.ok()) << ToText(published.status);
  for (int i = 0; i < 2; ++i) *batch.add_requests() = Event("a.b", JsonOfSize(kMaxDataBytes));
  EXPECT_EQ(api().BatchPublish(batch).status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(database().Value(absl::StrCat("SELECT count(*) FROM events JOIN environments USING "
                                          "(env_no) WHERE org_id = '",
                                          org(), "'")),
            "63");
}

}  // namespace
}  // namespace postrider::testing

#include "server/rpc/publish_request.h"

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/rpc/fields.h"

namespace postrider::rpc {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

v1::PublishRequest Good() {
  v1::PublishRequest request;
  request.set_org_id("acme");
  request.set_env_id("live");
  request.set_type("message.received");
  request.set_data_json(R"( {"b":1.50,"a":"é"} )");
  return request;
}

struct Checked {
  NewEvent event;
  std::string data;
  FieldErrors errors;
};
Checked Check(const v1::PublishRequest& request, const std::string& prefix = "",
              const Caller& caller = {}) {
  Checked checked;
  CheckPublish(request, caller, {}, prefix, checked.event, checked.data, checked.errors);
  return checked;
}

TEST(PublishCheckTest, AGoodRequestBecomesAnEvent) {
  v1::PublishRequest request = Good();
  request.set_idempotency_key("k 1");
  request.mutable_event_time()->set_seconds(1772980200);
  const Checked checked = Check(request);
  EXPECT_THAT(FieldsOf(checked.errors), IsEmpty());
  EXPECT_EQ(checked.event.tenant, (Tenant{"acme", "live"}));
  EXPECT_EQ(checked.event.type, "message.received");
  EXPECT_EQ(checked.event.idempotency_key, "k 1");
  EXPECT_EQ(checked.event.given_event_time, absl::FromUnixSeconds(1772980200));
  // Byte for byte inside its braces.
  EXPECT_EQ(checked.data, R"({"b":1.50,"a":"é"})");
}

TEST(PublishCheckTest, AStructIsPrintedWithSortedKeys) {
  v1::PublishRequest request = Good();
  auto& fields = *request.mutable_data()->mutable_fields();
  fields["b"].set_number_value(1.5);
  fields["a"].set_string_value("x");
  fields["Z"].set_bool_value(true);
  EXPECT_EQ(Check(request).data, R"({"Z":true,"a":"x","b":1.5})");
}

TEST(PublishCheckTest, EveryBadFieldIsNamed) {
  struct Row {
    const char* what;
    std::function<void(v1::PublishRequest&)> spoil;
    std::vector<std::string> fields;
  };
  const std::vector<Row> table = {
      {"no org", [](auto& r) { r.clear_org_id(); }, {"org_id"}},
      {"long org", [](auto& r) { r.set_org_id(std::string(65, 'a')); }, {"org_id"}},
      {"dotted org", [](auto& r) { r.set_org_id("a.b"); }, {"org_id"}},
      {"no env", [](auto& r) { r.clear_env_id(); }, {"env_id"}},
      {"env with a space", [](auto& r) { r.set_env_id("a b"); }, {"env_id"}},
      {"no type", [](auto& r) { r.clear_type(); }, {"type"}},
      {"upper-case type", [](auto& r) { r.set_type("Message"); }, {"type"}},
      {"type with an empty word", [](auto& r) { r.set_type("a..b"); }, {"type"}},
      {"pattern for a type", [](auto& r) { r.set_type("message.*"); }, {"type"}},
      {"long type", [](auto& r) { r.set_type(std::string(129, 'a')); }, {"type"}},
      {"our own type", [](auto& r) { r.set_type("postrider.x"); }, {"type"}},
      {"no payload", [](auto& r) { r.clear_payload(); }, {"data"}},
      {"array", [](auto& r) { r.set_data_json("[1]"); }, {"data_json"}},
      {"two objects", [](auto& r) { r.set_data_json("{}{}"); }, {"data_json"}},
      {"nothing", [](auto& r) { r.set_data_json(""); }, {"data_json"}},
      {"duplicate keys", [](auto& r) { r.set_data_json(R"({"a":1,"a":2})"); }, {"data_json"}},
      {"byte order mark", [](auto& r) { r.set_data_json("\xef\xbb\xbf{}"); }, {"data_json"}},
      {"lone surrogate", [](auto& r) { r.set_data_json(R"({"a":"\ud800"})"); }, {"data_json"}},
      {"too large",
       [](auto& r) { r.set_data_json(R"({"a":")" + std::string(262144, 'x') + R"("})"); },
       {"data_json"}},
      {"too deep",
       [](auto& r) {
         r.set_data_json(R"({"a":)" + std::string(64, '[') + std::string(64, ']') + "}");
       },
       {"data_json"}},
      {"NaN",
       [](auto& r) {
         (*r.mutable_data()->mutable_fields())["x"].set_number_value(
             std::numeric_limits<double>::quiet_NaN());
       },
       {"data"}},
      {"value that is not set",
       [](auto& r) { (*r.mutable_data()->mutable_fields())["x"]; },
       {"data"}},
      {"long key",
       [](auto& r) { r.set_idempotency_key(std::string(256, 'k')); },
       {"idempotency_key"}},
      {"key with a line end", [](auto& r) { r.set_idempotency_key("a\n"); }, {"idempotency_key"}},
      {"key with an umlaut", [](auto& r) { r.set_idempotency_key("ä"); }, {"idempotency_key"}},
      {"time after 9999",
       [](auto& r) { r.mutable_event_time()->set_seconds(253402300800); },
       {"event_time"}},
      {"nanos too many",
       [](auto& r) { r.mutable_event_time()->set_nanos(1000000000); },
       {"event_time"}},
      {"all of it",
       [](auto& r) {
         r = v1::PublishRequest();
         r.set_idempotency_key("\x01");
         r.mutable_event_time()->set_nanos(-1);
       },
       {"org_id", "env_id", "type", "data", "idempotency_key", "event_time"}},
  };
  for (const Row& row : table) {
    v1::PublishRequest request = Good();
    row.spoil(request);
    EXPECT_EQ(FieldsOf(Check(request).errors), row.fields) << row.what;
  }
}

TEST(PublishCheckTest, FieldsOfABatchAreNamedByTheirPlace) {
  v1::PublishRequest request = Good();
  request.clear_type();
  request.set_data_json("[]");
  EXPECT_THAT(FieldsOf(Check(request, "requests[3].").errors),
              ElementsAre("requests[3].type", "requests[3].data_json"));
}

TEST(PublishCheckTest, LimitsThemselvesAreAllowed) {
  v1::PublishRequest request = Good();
  request.set_org_id(std::string(64, 'A'));
  request.set_type(std::string(128, 'a'));
  request.set_idempotency_key(std::string(255, '~'));
  request.set_data_json(R"({"a":")" + std::string(262144 - 8, 'x') + R"("})");
  request.mutable_event_time()->set_seconds(-62135596800);
  EXPECT_THAT(FieldsOf(Check(request).errors), IsEmpty());
}

TEST(PublishCheckTest, TheCallersTenantStandsInForAnEmptyOne) {
  v1::PublishRequest request = Good();
  request.clear_org_id();
  request.clear_env_id();
  Caller caller;
  caller.limit = Tenant{"mine", "test"};
  const Checked checked = Check(request, "", caller);
  EXPECT_TRUE(checked.errors.empty());
  EXPECT_EQ(checked.event.tenant, (Tenant{"mine", "test"}));
}

TEST(PublishCheckTest, EventTimesAreCutToMilliseconds) {
  v1::PublishRequest request = Good();
  request.mutable_event_time()->set_seconds(1772980200);
  request.mutable_event_time()->set_nanos(123999999);
  EXPECT_EQ(Check(request).event.given_event_time, absl::FromUnixMillis(1772980200123));
  // Toward the past, before 1970 as well.
  request.mutable_event_time()->set_seconds(-1);
  request.mutable_event_time()->set_nanos(999999);
  EXPECT_EQ(Check(request).event.given_event_time, absl::FromUnixMillis(-1000));
}

TEST(SealEventTest, TheBodyIsTheEnvelope) {
  Checked checked = Check(Good());
  const EventId id{*Ulid::Parse("01ARYZ6S41008J4CT4ANK7F24S")};
  SealEvent(id, absl::FromUnixMicros(1772980200123456), checked.data, checked.event);
  EXPECT_EQ(checked.event.id, id);
  EXPECT_EQ(checked.event.create_time, absl::FromUnixMicros(1772980200123456));
  EXPECT_EQ(checked.event.event_time, absl::FromUnixMillis(1772980200123));
  EXPECT_EQ(*checked.event.body,
            R"({"id":"evt_01ARYZ6S41008J4CT4ANK7F24S","type":"message.received",)"
            R"("timestamp":"2026-03-08T14:30:00.123Z","org_id":"acme","env_id":"live",)"
            R"("data":{"b":1.50,"a":"é"}})");
}

TEST(SealEventTest, TheGivenTimeIsTheTimestamp) {
  v1::PublishRequest request = Good();
  request.mutable_event_time()->set_seconds(0);
  Checked checked = Check(request);
  SealEvent(EventId{}, absl::FromUnixMicros(1772980200123456), checked.data, checked.event);
  EXPECT_EQ(checked.event.event_time, absl::UnixEpoch());
  EXPECT_THAT(*checked.event.body, testing::HasSubstr(R"("timestamp":"1970-01-01T00:00:00.000Z")"));
}

std::string DigestOf(const v1::PublishRequest& request) {
  const Checked checked = Check(request);
  return ContentDigest(checked.event, checked.data);
}

TEST(ContentDigestTest, TypeAndDataBytesDecide) {
  const v1::PublishRequest good = Good();
  v1::PublishRequest other = good;
  other.set_idempotency_key("another");
  other.mutable_event_time()->set_seconds(5);
  EXPECT_EQ(DigestOf(other), DigestOf(good));
  other = good;
  other.set_type("message.sent");
  EXPECT_NE(DigestOf(other), DigestOf(good));
  other = good;
  other.set_data_json(R"({"b":1.5,"a":"é"})");
  EXPECT_NE(DigestOf(other), DigestOf(good));
  // Outer white space is no part of the data.
  other.set_data_json(R"({"b":1.50,"a":"é"})");
  EXPECT_EQ(DigestOf(other), DigestOf(good));
}

}  // namespace
}  // namespace postrider::rpc

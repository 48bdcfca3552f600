#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/integration/bad_requests.h"

namespace postrider::testing {
namespace {

using ::grpc::StatusCode;
using Change = std::function<void(v1::PublishRequest&)>;
using BatchChange = std::function<void(v1::BatchPublishRequest&)>;

v1::PublishRequest GoodEvent(const Stage& stage) {
  v1::PublishRequest request;
  request.set_org_id(stage.org);
  request.set_env_id(stage.env);
  request.set_type("message.received");
  request.set_data_json(R"({"n":1})");
  return request;
}

// A good event but for one change.
BadRequest Publish(std::string name, Change change, std::set<std::string> fields,
                   StatusCode code = StatusCode::INVALID_ARGUMENT) {
  return {std::move(name),
          [change = std::move(change)](const Stage& stage) {
            v1::PublishRequest request = GoodEvent(stage);
            change(request);
            return stage.api->Publish(request).status;
          },
          code, std::move(fields)};
}

BadRequest Type(std::string name, std::string type) {
  return Publish(std::move(name), [type = std::move(type)](auto& r) { r.set_type(type); },
                 {"type"});
}

BadRequest Json(std::string name, std::string json) {
  return Publish(std::move(name), [json = std::move(json)](auto& r) { r.set_data_json(json); },
                 {"data_json"});
}

BadRequest InStruct(std::string name, std::function<void(google::protobuf::Value&)> change) {
  return Publish(
      std::move(name),
      [change = std::move(change)](auto& r) { change((*r.mutable_data()->mutable_fields())["a"]); },
      {"data"});
}

BadRequest EventTime(std::string name, int64_t seconds, int32_t nanos) {
  return Publish(std::move(name),
                 [=](auto& r) {
                   r.mutable_event_time()->set_seconds(seconds);
                   r.mutable_event_time()->set_nanos(nanos);
                 },
                 {"event_time"});
}

// Three good events but for one change.
BadRequest Batch(std::string name, BatchChange change, std::set<std::string> fields,
                 StatusCode code = StatusCode::INVALID_ARGUMENT) {
  return {std::move(name),
          [change = std::move(change)](const Stage& stage) {
            v1::BatchPublishRequest request;
            for (int i = 0; i < 3; ++i) *request.add_requests() = GoodEvent(stage);
            change(request);
            return stage.api->BatchPublish(request).status;
          },
          code, std::move(fields)};
}

std::string Nested(int levels) {
  std::string text;
  for (int i = 1; i < levels; ++i) text += R"({"a":)";
  return text + "{}" + std::string(levels - 1, '}');
}

}  // namespace

std::vector<BadRequest> BadPublishRequests() {
  return {
      Publish("NoOrg", [](auto& r) { r.clear_org_id(); }, {"org_id"}),
      Publish("NoEnvironment", [](auto& r) { r.clear_env_id(); }, {"env_id"}),
      Publish("OrgTooLong", [](auto& r) { r.set_org_id(std::string(65, 'o')); }, {"org_id"}),
      Publish("OrgWithADot", [](auto& r) { r.set_org_id("a.b"); }, {"org_id"}),
      Publish("OrgNotAscii", [](auto& r) { r.set_org_id("\xC3\xA9"); }, {"org_id"}),
      Publish("EnvironmentTooLong", [](auto& r) { r.set_env_id(std::string(65, 'e')); },
              {"env_id"}),
      Publish("EnvironmentWithASpace", [](auto& r) { r.set_env_id("a b"); }, {"env_id"}),
      Publish("NoType", [](auto& r) { r.clear_type(); }, {"type"}),
      Type("TypeInUpperCase", "Message.received"),
      Type("TypeWithAnEmptyWord", "message..received"),
      Type("TypeBeginningWithADot", ".message"),
      Type("TypeEndingInADot", "message."),
      Type("TypeWithADash", "message-received"),
      Type("TypeTooLong", std::string(129, 'x')),
      Type("TypeThatIsAPattern", "message.*"),
      Type("TypeWithALineEnd", "message\n"),
      Type("TypeReserved", "postrider.test"),
      Publish("NoPayload", [](auto& r) { r.clear_payload(); }, {"data"}),
      Publish("KeyTooLong", [](auto& r) { r.set_idempotency_key(std::string(256, 'k')); },
              {"idempotency_key"}),
      Publish("KeyWithATab", [](auto& r) { r.set_idempotency_key("a\tb"); }, {"idempotency_key"}),
      Publish("KeyNotAscii", [](auto& r) { r.set_idempotency_key("caf\xC3\xA9"); },
              {"idempotency_key"}),
      Publish("KeyWithANul", [](auto& r) { r.set_idempotency_key(std::string("a\0b", 3)); },
              {"idempotency_key"}),
      Publish(
          "KeyTakenByAnotherEvent",
          [](auto& r) {
            r.set_idempotency_key("taken");
            r.set_data_json("{}");
          },
          {}, StatusCode::ALREADY_EXISTS),
      EventTime("EventTimeAfterTheYear9999", 253402300800, 0),
      EventTime("EventTimeBeforeTheYear1", -62135596801, 0),
      EventTime("EventTimeWithNegativeNanos", 0, -1),
      EventTime("EventTimeWithTooManyNanos", 0, 1000000000),
      Publish("EverythingAtOnce",
              [](auto& r) {
                r.set_org_id("a.b");
                r.set_env_id("");
                r.set_type("A");
                r.set_data_json("[]");
                r.set_idempotency_key("\n");
                r.mutable_event_time()->set_nanos(-1);
              },
              {"org_id", "env_id", "type", "data_json", "idempotency_key", "event_time"}),
      Publish("ABadDryRun",
              [](auto& r) {
                r.set_validate_only(true);
                r.set_type("A");
                r.set_env_id("");
              },
              {"type", "env_id"}),
      Publish(
          "ADryRunOfATakenKey",
          [](auto& r) {
            r.set_validate_only(true);
            r.set_idempotency_key("taken");
            r.set_data_json("{}");
          },
          {}, StatusCode::ALREADY_EXISTS),
  };
}

std::vector<BadRequest> BadDataRequests() {
  return {
      Json("JsonEmpty", ""),
      Json("JsonWhiteSpaceAlone", " \n"),
      Json("JsonArray", "[]"),
      Json("JsonNumber", "1"),
      Json("JsonNull", "null"),
      Json("JsonCutShort", R"({"a":)"),
      Json("JsonTwoObjects", "{}{}"),
      Json("JsonTextBehind", "{} x"),
      Json("JsonTrailingComma", R"({"a":1,})"),
      Json("JsonSingleQuotes", "{'a':1}"),
      Json("JsonComment", "{/**/}"),
      Json("JsonLeadingZero", R"({"a":01})"),
      Json("JsonNotANumber", R"({"a":NaN})"),
      Json("JsonControlCharacter", "{\"a\":\"\n\"}"),
      Json("JsonBadEscape", R"({"a":"\x41"})"),
      Json("JsonLoneSurrogate", R"({"a":"\ud800"})"),
      Json("JsonDuplicateKey", R"({"a":1,"a":2})"),
      Json("JsonByteOrderMark", "\xEF\xBB\xBF{}"),
      Json("JsonNulByte", std::string("{\0}", 3)),
      Json("JsonTooDeep", Nested(65)),
      Json("JsonMuchTooDeep", Nested(50000)),
      Json("JsonTooLarge", absl::StrCat("{\"a\":\"", std::string(262144, 'x'), "\"}")),
      InStruct("StructNotANumber", [](auto& v) { v.set_number_value(std::nan("")); }),
      InStruct("StructInfinity",
               [](auto& v) { v.set_number_value(std::numeric_limits<double>::infinity()); }),
      InStruct("StructValueNotSet", [](auto& v) { v.clear_kind(); }),
      InStruct("StructValueNotSetInAList", [](auto& v) { v.mutable_list_value()->add_values(); }),
      InStruct("StructTooDeep",
               [](auto& v) {
                 google::protobuf::Value* at = &v;
                 for (int i = 0; i < 64; ++i) at = at->mutable_list_value()->add_values();
                 at->set_bool_value(true);
               }),
      InStruct("StructTooLarge", [](auto& v) { v.set_string_value(std::string(262144, 'x')); }),
  };
}

std::vector<BadRequest> BadBatchRequests() {
  return {
      Batch("Empty", [](auto& r) { r.clear_requests(); }, {"requests"}),
      Batch("AThousandAndOne",
            [](auto& r) {
              const v1::PublishRequest event = r.requests(0);
              while (r.requests_size() < 1001) *r.add_requests() = event;
            },
            {"requests"}),
      Batch("AnItemWithoutAnything", [](auto& r) { r.mutable_requests(1)->Clear(); },
            {"requests[1].org_id", "requests[1].env_id", "requests[1].type", "requests[1].data"}),
      Batch("ABadType", [](auto& r) { r.mutable_requests(2)->set_type("postrider.x"); },
            {"requests[2].type"}),
      Batch("EveryItemHasSomething",
            [](auto& r) {
              r.mutable_requests(0)->set_org_id("?");
              r.mutable_requests(1)->set_data_json("{");
              r.mutable_requests(2)->set_idempotency_key("\t");
            },
            {"requests[0].org_id", "requests[1].data_json", "requests[2].idempotency_key"}),
      Batch("DryRunInSomeItemsOnly",
            [](auto& r) { r.mutable_requests(1)->set_validate_only(true); },
            {"requests[1].validate_only"}),
      Batch(
          "AKeyTakenByAnotherEvent",
          [](auto& r) {
            r.mutable_requests(1)->set_idempotency_key("taken");
            r.mutable_requests(1)->set_data_json("{}");
          },
          {}, StatusCode::ALREADY_EXISTS),
      Batch(
          "AKeyTwiceWithOtherContent",
          [](auto& r) {
            r.mutable_requests(0)->set_idempotency_key("twice");
            r.mutable_requests(2)->set_idempotency_key("twice");
            r.mutable_requests(2)->set_type("message.sent");
          },
          {}, StatusCode::ALREADY_EXISTS),
      Batch("OneItemTooLarge",
            [](auto& r) {
              r.mutable_requests(0)->set_data_json(
                  absl::StrCat("{\"a\":\"", std::string(300000, 'x'), "\"}"));
            },
            {"requests[0].data_json"}),
  };
}

}  // namespace postrider::testing

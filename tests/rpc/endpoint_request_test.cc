#include "server/rpc/endpoint_request.h"

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/rpc/fields.h"

namespace postrider::rpc {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;
using testing::UnorderedElementsAre;

struct Checked {
  EndpointConfig config;
  HeaderPairs headers;
  FieldErrors errors;
};
Checked Check(const v1::Endpoint& endpoint, const SettingNames& names = AllSettings()) {
  Checked checked;
  CheckSettings(endpoint, names, {}, checked.config, checked.headers, checked.errors);
  return checked;
}

v1::Endpoint Good() {
  v1::Endpoint endpoint;
  endpoint.set_url("https://example.com/hook");
  return endpoint;
}

TEST(SettingsTest, AUrlIsEnough) {
  const Checked checked = Check(Good());
  EXPECT_THAT(FieldsOf(checked.errors), IsEmpty());
  EXPECT_EQ(checked.config.url, "https://example.com/hook");
  EXPECT_THAT(checked.config.events, IsEmpty());
  EXPECT_THAT(checked.config.retry_schedule, IsEmpty());
  EXPECT_EQ(checked.config.disable_threshold, std::nullopt);
  EXPECT_EQ(checked.config.timeout, std::nullopt);
  EXPECT_EQ(checked.config.max_in_flight, std::nullopt);
  EXPECT_EQ(checked.config.rate_limit_per_second, std::nullopt);
}

TEST(SettingsTest, EverythingGivenIsKept) {
  v1::Endpoint endpoint = Good();
  endpoint.set_url("https://EXAMPLE.com:443");
  endpoint.add_events("message.*");
  endpoint.add_events("postrider.endpoint.disabled");
  endpoint.set_description("ours");
  (*endpoint.mutable_metadata())["team"] = "mail";
  (*endpoint.mutable_headers())["X-B"] = "2";
  (*endpoint.mutable_headers())["Authorization"] = "Bearer x";
  endpoint.add_retry_schedule()->set_seconds(5);
  endpoint.add_retry_schedule()->set_seconds(86400);
  endpoint.set_retries_disabled(true);
  endpoint.set_disable_threshold(0);
  endpoint.mutable_timeout()->set_seconds(15);
  endpoint.set_max_in_flight(1000);
  endpoint.set_rate_limit_per_second(0.001);
  const Checked checked = Check(endpoint);
  EXPECT_THAT(FieldsOf(checked.errors), IsEmpty());
  EXPECT_EQ(checked.config.url, "https://example.com/");  // canonical
  EXPECT_THAT(checked.config.events, ElementsAre("message.*", "postrider.endpoint.disabled"));
  EXPECT_EQ(checked.config.description, "ours");
  EXPECT_THAT(checked.config.metadata, ElementsAre(Pair("team", "mail")));
  EXPECT_THAT(checked.headers, ElementsAre(Pair("authorization", "Bearer x"), Pair("x-b", "2")));
  EXPECT_THAT(checked.config.retry_schedule, ElementsAre(absl::Seconds(5), absl::Hours(24)));
  EXPECT_TRUE(checked.config.retries_disabled);
  EXPECT_EQ(checked.config.disable_threshold, 0);
  EXPECT_EQ(checked.config.timeout, absl::Seconds(15));
  EXPECT_EQ(checked.config.max_in_flight, 1000);
  EXPECT_EQ(checked.config.rate_limit_per_second, 0.001);
}

TEST(SettingsTest, EveryBadSettingIsNamed) {
  using E = v1::Endpoint;
  struct Row {
    const char* what;
    std::function<void(E&)> spoil;
    std::vector<std::string> fields;
  };
  const auto header = [](std::string name, std::string value) {
    return [name = std::move(name), value = std::move(value)](E& e) {
      (*e.mutable_headers())[name] = value;
    };
  };
  const double kNan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<Row> table = {
      {"no url", [](E& e) { e.clear_url(); }, {"endpoint.url"}},
      {"http", [](E& e) { e.set_url("http://example.com/"); }, {"endpoint.url"}},
      {"private address", [](E& e) { e.set_url("https://10.0.0.1/"); }, {"endpoint.url"}},
      {"bare star", [](E& e) { e.add_events("*"); }, {"endpoint.events[0]"}},
      {"bad patterns",
       [](E& e) {
         e.add_events("ok.*");
         e.add_events("a.*.b");
         e.add_events("");
         e.add_events("A");
       },
       {"endpoint.events[1]", "endpoint.events[2]", "endpoint.events[3]"}},
      {"101 patterns",
       [](E& e) {
         for (int i = 0; i < 101; ++i) e.add_events(absl::StrCat("a", i));
       },
       {"endpoint.events"}},
      {"long description",
       [](E& e) { e.set_description(std::string(1025, 'x')); },
       {"endpoint.description"}},
      {"NUL in it",
       [](E& e) { e.set_description(std::string("a\0b", 3)); },
       {"endpoint.description"}},
      {"51 labels",
       [](E& e) {
         for (int i = 0; i < 51; ++i) (*e.mutable_metadata())[absl::StrCat(i)] = "x";
       },
       {"endpoint.metadata"}},
      {"label without a name",
       [](E& e) { (*e.mutable_metadata())[""] = "x"; },
       {"endpoint.metadata"}},
      {"long label name",
       [](E& e) { (*e.mutable_metadata())[std::string(65, 'n')] = "x"; },
       {"endpoint.metadata"}},
      {"long label value",
       [](E& e) { (*e.mutable_metadata())["n"] = std::string(513, 'v'); },
       {"endpoint.metadata"}},
      {"our header", header("Webhook-Id", "x"), {"endpoint.headers"}},
      {"framing header", header("content-length", "5"), {"endpoint.headers"}},
      {"host", header("Host", "x"), {"endpoint.headers"}},
      {"trace context", header("traceparent", "x"), {"endpoint.headers"}},
      {"bad header name", header("a b", "x"), {"endpoint.headers"}},
      {"long header name", header(std::string(129, 'a'), "x"), {"endpoint.headers"}},
      {"header with a line end", header("x-a", "a\r\nb: c"), {"endpoint.headers"}},
      {"a name in two cases",
       [](E& e) {
         (*e.mutable_headers())["X-A"] = "1";
         (*e.mutable_headers())["x-a"] = "2";
       },
       {"endpoint.headers"}},
      {"21 delays",
       [](E& e) {
         for (int i = 0; i < 21; ++i) e.add_retry_schedule()->set_seconds(5);
       },
       {"endpoint.retry_schedule"}},
      {"bad delays",
       [](E& e) {
         e.add_retry_schedule()->set_nanos(999999999);
         e.add_retry_schedule()->set_seconds(1);
         e.add_retry_schedule()->set_seconds(86401);
         e.add_retry_schedule()->set_seconds(-5);
         e.add_retry_schedule()->set_nanos(1000000000);
       },
       {"endpoint.retry_schedule[0]", "endpoint.retry_schedule[2]", "endpoint.retry_schedule[3]",
        "endpoint.retry_schedule[4]"}},
      {"negative threshold",
       [](E& e) { e.set_disable_threshold(-1); },
       {"endpoint.disable_threshold"}},
      {"huge threshold",
       [](E& e) { e.set_disable_threshold(1000001); },
       {"endpoint.disable_threshold"}},
      {"short timeout",
       [](E& e) { e.mutable_timeout()->set_nanos(999999999); },
       {"endpoint.timeout"}},
      {"timeout over the server's",
       [](E& e) {
         e.mutable_timeout()->set_seconds(15);
         e.mutable_timeout()->set_nanos(1);
       },
       {"endpoint.timeout"}},
      {"timeout that is none",
       [](E& e) { e.mutable_timeout()->set_nanos(-1000000000); },
       {"endpoint.timeout"}},
      {"none in flight", [](E& e) { e.set_max_in_flight(0); }, {"endpoint.max_in_flight"}},
      {"too many in flight", [](E& e) { e.set_max_in_flight(1001); }, {"endpoint.max_in_flight"}},
      {"rate 0", [](E& e) { e.set_rate_limit_per_second(0); }, {"endpoint.rate_limit_per_second"}},
      {"rate below",
       [](E& e) { e.set_rate_limit_per_second(0.0009); },
       {"endpoint.rate_limit_per_second"}},
      {"rate above",
       [](E& e) { e.set_rate_limit_per_second(100000.1); },
       {"endpoint.rate_limit_per_second"}},
      {"rate NaN",
       [kNan](E& e) { e.set_rate_limit_per_second(kNan); },
       {"endpoint.rate_limit_per_second"}},
  };
  for (const Row& row : table) {
    v1::Endpoint endpoint = Good();
    row.spoil(endpoint);
    EXPECT_EQ(FieldsOf(Check(endpoint).errors), row.fields) << row.what;
  }
}

TEST(SettingsTest, LimitsThemselvesAreAllowed) {
  v1::Endpoint endpoint = Good();
  for (int i = 0; i < 100; ++i) endpoint.add_events(absl::StrCat("a", i));
  endpoint.set_description(std::string(1024, 'x'));
  for (int i = 0; i < 49; ++i) (*endpoint.mutable_metadata())[absl::StrCat(i)] = "";
  (*endpoint.mutable_metadata())[std::string(64, 'n')] = std::string(512, 'v');
  (*endpoint.mutable_headers())[std::string(128, 'h')] = "v";
  for (int i = 0; i < 20; ++i) endpoint.add_retry_schedule()->set_seconds(1);
  endpoint.set_disable_threshold(1000000);
  endpoint.mutable_timeout()->set_seconds(1);
  endpoint.set_max_in_flight(1);
  endpoint.set_rate_limit_per_second(100000);
  EXPECT_THAT(FieldsOf(Check(endpoint).errors), IsEmpty());
}

TEST(SettingsTest, OnlyTheNamedSettingsAreLookedAt) {
  v1::Endpoint endpoint;  // no URL, and bad numbers
  endpoint.set_max_in_flight(0);
  endpoint.set_description("new");
  Checked checked;
  checked.config.url = "https://kept.example/";
  checked.config.max_in_flight = 7;
  CheckSettings(endpoint, {"description"}, {}, checked.config, checked.headers, checked.errors);
  EXPECT_TRUE(checked.errors.empty());
  EXPECT_EQ(checked.config.description, "new");
  EXPECT_EQ(checked.config.url, "https://kept.example/");
  EXPECT_EQ(checked.config.max_in_flight, 7);
}

TEST(SettingsTest, ANamedSettingThatIsNotSetGoesBackToTheDefault) {
  Checked checked;
  EndpointConfig& config = checked.config;
  config.events = {"a"};
  config.retry_schedule = {absl::Seconds(1)};
  config.retries_disabled = true;
  config.disable_threshold = 5;
  config.timeout = absl::Seconds(5);
  config.max_in_flight = 5;
  config.rate_limit_per_second = 5;
  config.metadata = {{"a", "b"}};
  checked.headers = {{"a", "b"}};
  CheckSettings(Good(), AllSettings(), {}, config, checked.headers, checked.errors);
  EXPECT_TRUE(checked.errors.empty());
  EXPECT_THAT(config.events, IsEmpty());
  EXPECT_THAT(config.retry_schedule, IsEmpty());
  EXPECT_FALSE(config.retries_disabled);
  EXPECT_EQ(config.disable_threshold, std::nullopt);
  EXPECT_EQ(config.timeout, std::nullopt);
  EXPECT_EQ(config.max_in_flight, std::nullopt);
  EXPECT_EQ(config.rate_limit_per_second, std::nullopt);
  EXPECT_THAT(config.metadata, IsEmpty());
  EXPECT_THAT(checked.headers, IsEmpty());
}

TEST(SettingsTest, HeaderValuesAreNotRepeatedInErrors) {
  v1::Endpoint endpoint = Good();
  (*endpoint.mutable_headers())["x-token"] = "geheim\x01";
  const Checked checked = Check(endpoint);
  EXPECT_THAT(checked.errors.ToStatus().error_message(), Not(HasSubstr("geheim")));
  EXPECT_THAT(checked.errors.ToStatus().error_details(), Not(HasSubstr("geheim")));
}

google::protobuf::FieldMask Mask(const std::vector<std::string>& paths) {
  google::protobuf::FieldMask mask;
  for (const std::string& path : paths) mask.add_paths(path);
  return mask;
}

TEST(MaskTest, NamesAreTakenAsTheyAre) {
  FieldErrors errors;
  EXPECT_THAT(MaskedSettings(Mask({"url", "events", "url"}), errors),
              UnorderedElementsAre("url", "events"));
  EXPECT_TRUE(errors.empty());
}

TEST(MaskTest, AStarIsEverySetting) {
  FieldErrors errors;
  EXPECT_EQ(MaskedSettings(Mask({"*"}), errors), AllSettings());
  EXPECT_TRUE(errors.empty());
}

TEST(MaskTest, EverySettingCanBeNamed) {
  for (const std::string& name : AllSettings()) {
    FieldErrors errors;
    EXPECT_THAT(MaskedSettings(Mask({name}), errors), ElementsAre(name));
    EXPECT_TRUE(errors.empty()) << name;
    EXPECT_NE(v1::Endpoint::descriptor()->FindFieldByName(name), nullptr) << name;
  }
}

TEST(MaskTest, WhatOnlyTheServerWritesIsRefused) {
  for (const char* path : {"id", "org_id", "env_id", "signature_scheme", "state", "disabled_reason",
                           "disable_time", "consecutive_failures", "public_key", "secret_hint",
                           "etag", "create_time", "update_time"}) {
    FieldErrors errors;
    EXPECT_THAT(MaskedSettings(Mask({path}), errors), IsEmpty());
    EXPECT_EQ(DescriptionOf(errors, "update_mask"),
              absl::StrCat("names ", path, ", which cannot be updated"));
  }
}

TEST(MaskTest, UnknownPathsAreRefusedAndQuotedOnlyWhenPlain) {
  FieldErrors errors;
  MaskedSettings(Mask({"color", "metadata.team", "endpoint.url", "", "a b", std::string(65, 'x')}),
                 errors);
  const auto details = DetailOf<google::rpc::BadRequest>(errors.ToStatus());
  ASSERT_EQ(details.field_violations_size(), 6);
  EXPECT_EQ(details.field_violations(0).description(),
            "names color, which is no field of an endpoint");
  EXPECT_EQ(details.field_violations(1).description(),
            "names metadata.team, which is no field of an endpoint");
  for (int i : {4, 5}) {
    EXPECT_EQ(details.field_violations(i).description(),
              "names something, which is no field of an endpoint");
  }
}

TEST(SetSettingsTest, AnUpdateWithoutAMaskChangesWhatIsSet) {
  EXPECT_THAT(SetSettings({}), IsEmpty());
  v1::Endpoint endpoint;
  endpoint.set_id("ep_x");
  endpoint.set_etag("5");
  EXPECT_THAT(SetSettings(endpoint), IsEmpty());
  endpoint.set_description("x");
  endpoint.set_disable_threshold(0);  // set, though zero
  endpoint.mutable_timeout();
  EXPECT_THAT(SetSettings(endpoint),
              UnorderedElementsAre("description", "disable_threshold", "timeout"));
}

}  // namespace
}  // namespace postrider::rpc

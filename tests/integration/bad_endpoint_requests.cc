#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "tests/integration/bad_requests.h"

namespace postrider::testing {
namespace {

using ::grpc::StatusCode;

// A good endpoint but for one change.
BadRequest Create(std::string name, std::function<void(v1::CreateEndpointRequest&)> change,
                  std::set<std::string> fields) {
  return {std::move(name),
          [change = std::move(change)](const Stage& stage) {
            v1::CreateEndpointRequest request;
            request.mutable_endpoint()->set_org_id(stage.org);
            request.mutable_endpoint()->set_env_id(stage.env);
            request.mutable_endpoint()->set_url("https://example.com/hook");
            change(request);
            return stage.api->CreateEndpoint(request).status;
          },
          StatusCode::INVALID_ARGUMENT, std::move(fields)};
}

// One bad setting; `field` within the endpoint.
BadRequest Setting(std::string name, const std::string& field,
                   std::function<void(v1::Endpoint&)> change) {
  return Create(std::move(name),
                [change = std::move(change)](auto& r) { change(*r.mutable_endpoint()); },
                {"endpoint." + field});
}

BadRequest Url(std::string name, std::string url) {
  return Setting(std::move(name), "url", [url = std::move(url)](auto& e) { e.set_url(url); });
}

BadRequest Header(std::string name, std::string header, std::string value = "x") {
  return Setting(std::move(name), "headers",
                 [header = std::move(header), value = std::move(value)](auto& e) {
                   (*e.mutable_headers())[header] = value;
                 });
}

BadRequest Delay(std::string name, int64_t seconds, int32_t nanos = 0) {
  return Setting(std::move(name), "retry_schedule[1]", [=](auto& e) {
    e.add_retry_schedule()->set_seconds(1);
    google::protobuf::Duration* delay = e.add_retry_schedule();
    delay->set_seconds(seconds);
    delay->set_nanos(nanos);
  });
}

BadRequest Timeout(std::string name, int64_t seconds, int32_t nanos = 0) {
  return Setting(std::move(name), "timeout", [=](auto& e) {
    e.mutable_timeout()->set_seconds(seconds);
    e.mutable_timeout()->set_nanos(nanos);
  });
}

// An update of the stage's endpoint.
BadRequest Update(std::string name, std::function<void(v1::UpdateEndpointRequest&)> change,
                  std::set<std::string> fields, StatusCode code = StatusCode::INVALID_ARGUMENT) {
  return {std::move(name),
          [change = std::move(change)](const Stage& stage) {
            v1::UpdateEndpointRequest request;
            request.mutable_endpoint()->set_id(stage.endpoint);
            change(request);
            return stage.api->UpdateEndpoint(request).status;
          },
          code, std::move(fields)};
}

BadRequest Mask(std::string name, std::string path) {
  return Update(std::move(name),
                [path = std::move(path)](auto& r) { r.mutable_update_mask()->add_paths(path); },
                {"update_mask"});
}

BadRequest Rotate(std::string name, std::function<void(v1::RotateEndpointSecretRequest&)> change,
                  std::set<std::string> fields) {
  return {std::move(name),
          [change = std::move(change)](const Stage& stage) {
            v1::RotateEndpointSecretRequest request;
            request.set_endpoint_id(stage.endpoint);
            change(request);
            return stage.api->RotateEndpointSecret(request).status;
          },
          StatusCode::INVALID_ARGUMENT, std::move(fields)};
}

std::string SecretOf(size_t bytes) {
  return absl::StrCat("whsec_", absl::Base64Escape(std::string(bytes, 'k')));
}

}  // namespace

std::vector<BadRequest> BadCreateRequests() {
  return {
      Create("NoEndpoint", [](auto& r) { r.clear_endpoint(); }, {"endpoint"}),
      Create("NoOrgNorEnvironment",
             [](auto& r) {
               r.mutable_endpoint()->clear_org_id();
               r.mutable_endpoint()->clear_env_id();
             },
             {"endpoint.org_id", "endpoint.env_id"}),
      Create("NoUrl", [](auto& r) { r.mutable_endpoint()->clear_url(); }, {"endpoint.url"}),
      Url("UrlWithoutScheme", "example.com/hook"),
      Url("UrlOfAnotherScheme", "ftp://example.com/hook"),
      Url("UrlOfAFile", "file:///etc/passwd"),
      Url("UrlWithoutHost", "https:///hook"),
      Url("UrlWithUserAndPassword", "https://me:secret@example.com/"),
      Url("UrlWithAFragment", "https://example.com/#here"),
      Url("UrlWithASpace", "https://example.com/a b"),
      Url("UrlWithALineEnd", "https://example.com/\r\nx: y"),
      Url("UrlNotAscii", "https://ex\xC3\xA4mple.com/"),
      Url("UrlWithPortZero", "https://example.com:0/"),
      Url("UrlWithPortTooLarge", "https://example.com:65536/"),
      Url("UrlOfAMailServersPort", "http://example.com:25/"),
      Url("UrlTooLong", absl::StrCat("https://example.com/", std::string(2029, 'p'))),
      Url("UrlOfAPrivateAddress", "https://10.0.0.1/"),
      Url("UrlOfTheMetadataService", "http://169.254.169.254/latest/"),
      Url("UrlOfAnIpv6LoopbackAddress", "http://[::1]/"),
      Url("UrlOfAnAddressAsANumber", "http://2130706433/"),
      Url("UrlOfAnAddressInOctal", "http://0177.0.0.1/"),
      Url("UrlWithATrailingDot", "https://example.com./"),
      Url("UrlWithDotSegments", "https://example.com/a/../b"),
      Create("SecretTooShort", [](auto& r) { r.set_secret(SecretOf(23)); }, {"secret"}),
      Create("SecretTooLong", [](auto& r) { r.set_secret(SecretOf(65)); }, {"secret"}),
      Create("SecretEmpty", [](auto& r) { r.set_secret(""); }, {"secret"}),
      Create("SecretWithoutPrefix",
             [](auto& r) { r.set_secret(absl::Base64Escape(std::string(32, 'k'))); }, {"secret"}),
      Create("SecretNotBase64", [](auto& r) { r.set_secret("whsec_" + std::string(44, '!')); },
             {"secret"}),
      Create("RequestIdTooLong", [](auto& r) { r.set_request_id(std::string(129, 'r')); },
             {"request_id"}),
      Create("RequestIdNotPrintable", [](auto& r) { r.set_request_id("a\nb"); }, {"request_id"}),
      Create("SchemeUnknown",
             [](auto& r) {
               r.mutable_endpoint()->set_signature_scheme(static_cast<v1::SignatureScheme>(9));
             },
             {"endpoint.signature_scheme"}),
      Create("EverythingAtOnce",
             [](auto& r) {
               r.mutable_endpoint()->set_org_id("a b");
               r.mutable_endpoint()->set_url("nowhere");
               r.mutable_endpoint()->add_events("*");
               r.mutable_endpoint()->set_max_in_flight(0);
               r.mutable_endpoint()->add_retry_schedule();
               r.mutable_endpoint()->set_description(std::string(1025, 'd'));
               r.set_secret("x");
               r.set_request_id("\n");
             },
             {"endpoint.org_id", "endpoint.url", "endpoint.events[0]", "endpoint.max_in_flight",
              "endpoint.retry_schedule[0]", "endpoint.description", "secret", "request_id"}),
  };
}

std::vector<BadRequest> BadSettingRequests() {
  return {
      Setting("EventsBareStar", "events[1]",
              [](auto& e) {
                e.add_events("a.b");
                e.add_events("*");
              }),
      Setting("EventsEmptyEntry", "events[0]", [](auto& e) { e.add_events(""); }),
      Setting("EventsStarInTheMiddle", "events[0]", [](auto& e) { e.add_events("a.*.b"); }),
      Setting("EventsStarWithinAWord", "events[0]", [](auto& e) { e.add_events("mess*"); }),
      Setting("EventsUpperCase", "events[0]", [](auto& e) { e.add_events("A.b"); }),
      Setting("EventsTooLong", "events[0]", [](auto& e) { e.add_events(std::string(129, 'a')); }),
      Setting("EventsTooMany", "events",
              [](auto& e) {
                for (int i = 0; i < 101; ++i) e.add_events(absl::StrCat("a.b", i));
              }),
      Setting("DescriptionTooLong", "description",
              [](auto& e) { e.set_description(std::string(1025, 'd')); }),
      Setting("MetadataTooMany", "metadata",
              [](auto& e) {
                for (int i = 0; i < 51; ++i) (*e.mutable_metadata())[absl::StrCat(i)] = "v";
              }),
      Setting("MetadataWithoutName", "metadata",
              [](auto& e) { (*e.mutable_metadata())[""] = "v"; }),
      Setting("MetadataNameTooLong", "metadata",
              [](auto& e) { (*e.mutable_metadata())[std::string(65, 'n')] = "v"; }),
      Setting("MetadataValueTooLong", "metadata",
              [](auto& e) { (*e.mutable_metadata())["n"] = std::string(513, 'v'); }),
      Header("HeaderHost", "Host"),
      Header("HeaderContentLength", "content-length", "1"),
      Header("HeaderContentType", "Content-Type", "text/plain"),
      Header("HeaderTransferEncoding", "transfer-encoding", "chunked"),
      Header("HeaderConnection", "connection", "close"),
      Header("HeaderUserAgent", "User-Agent"),
      Header("HeaderWebhookId", "Webhook-Id"),
      Header("HeaderOfOurs", "postrider-anything"),
      Header("HeaderTraceparent", "traceparent"),
      Header("HeaderWithoutName", ""),
      Header("HeaderNameWithASpace", "x y"),
      Header("HeaderNameTooLong", std::string(129, 'h')),
      Header("HeaderValueWithALineEnd", "x-a", "b\r\nx-c: d"),
      Header("HeaderValueNotAscii", "x-a", "caf\xC3\xA9"),
      Header("HeaderValueTooLong", "x-a", std::string(4097, 'v')),
      Header("HeaderThreeStarsForANewEndpoint", "x-a", "***"),
      Setting("HeadersTheSameInOtherLetters", "headers",
              [](auto& e) {
                (*e.mutable_headers())["x-a"] = "1";
                (*e.mutable_headers())["X-A"] = "2";
              }),
      Setting("HeadersTooMany", "headers",
              [](auto& e) {
                for (int i = 0; i < 21; ++i) (*e.mutable_headers())[absl::StrCat("x-", i)] = "v";
              }),
      Delay("DelayOfZero", 0),
      Delay("DelayBelowASecond", 0, 999999999),
      Delay("DelayOverADay", 86400, 1),
      Delay("DelayNegative", -1),
      Delay("DelayWithSignsThatDiffer", 2, -1),
      Setting("TwentyOneDelays", "retry_schedule",
              [](auto& e) {
                for (int i = 0; i < 21; ++i) e.add_retry_schedule()->set_seconds(1);
              }),
      Setting("ThresholdNegative", "disable_threshold",
              [](auto& e) { e.set_disable_threshold(-1); }),
      Setting("ThresholdTooLarge", "disable_threshold",
              [](auto& e) { e.set_disable_threshold(1000001); }),
      Timeout("TimeoutOfZero", 0),
      Timeout("TimeoutBelowASecond", 0, 999000000),
      Timeout("TimeoutOverTheServers", 15, 1),
      Setting("MaxInFlightOfZero", "max_in_flight", [](auto& e) { e.set_max_in_flight(0); }),
      Setting("MaxInFlightTooLarge", "max_in_flight", [](auto& e) { e.set_max_in_flight(1001); }),
      Setting("RateOfZero", "rate_limit_per_second",
              [](auto& e) { e.set_rate_limit_per_second(0); }),
      Setting("RateNotANumber", "rate_limit_per_second",
              [](auto& e) { e.set_rate_limit_per_second(std::nan("")); }),
      Setting("RateTooLarge", "rate_limit_per_second",
              [](auto& e) { e.set_rate_limit_per_second(100001); }),
  };
}

std::vector<BadRequest> BadUpdateRequests() {
  return {
      Update("NoEndpoint", [](auto& r) { r.Clear(); }, {"endpoint.id"}),
      Update("NoId",
             [](auto& r) {
               r.mutable_endpoint()->clear_id();
               r.mutable_endpoint()->set_description("x");
             },
             {"endpoint.id"}),
      Update("IdMalformed",
             [](auto& r) {
               r.mutable_endpoint()->set_id("ep_1");
               r.mutable_endpoint()->set_description("x");
             },
             {"endpoint.id"}),
      Update(
          "IdUnknown",
          [](auto& r) {
            r.mutable_endpoint()->set_id(kUnknownEndpoint);
            r.mutable_endpoint()->set_description("x");
          },
          {}, StatusCode::NOT_FOUND),
      Mask("MaskOfAnUnknownField", "colour"),
      Mask("MaskWithTheResourcesName", "endpoint.url"),
      Mask("MaskOfAnEmptyPath", ""),
      Mask("MaskOfTheState", "state"),
      Mask("MaskOfTheFailureCounter", "consecutive_failures"),
      Mask("MaskOfTheId", "id"),
      Mask("MaskOfTheOrg", "org_id"),
      Mask("MaskOfTheEtag", "etag"),
      Mask("MaskOfTheCreateTime", "create_time"),
      Mask("MaskBelowAField", "timeout.seconds"),
      Update("UrlTakenAway", [](auto& r) { r.mutable_update_mask()->add_paths("url"); },
             {"endpoint.url"}),
      Update("SettingsBad",
             [](auto& r) {
               r.mutable_endpoint()->set_max_in_flight(-5);
               r.mutable_endpoint()->add_events("a b");
               r.mutable_endpoint()->add_retry_schedule()->set_seconds(100000);
             },
             {"endpoint.max_in_flight", "endpoint.events[0]", "endpoint.retry_schedule[0]"}),
      Update("MaskAndSettingsBad",
             [](auto& r) {
               r.mutable_endpoint()->set_disable_threshold(-5);
               r.mutable_update_mask()->add_paths("disable_threshold");
               r.mutable_update_mask()->add_paths("state");
             },
             {"endpoint.disable_threshold", "update_mask"}),
      Update(
          "EtagNotThePresentOne",
          [](auto& r) {
            r.mutable_endpoint()->set_etag("\"0\"");
            r.mutable_endpoint()->set_description("x");
          },
          {}, StatusCode::ABORTED),
      Update("SchemeOfAnotherKind",
             [](auto& r) {
               r.mutable_endpoint()->set_signature_scheme(v1::SIGNATURE_SCHEME_ED25519);
               r.mutable_endpoint()->set_description("x");
             },
             {"endpoint.signature_scheme"}),
  };
}

std::vector<BadRequest> BadRotateRequests() {
  return {
      Rotate("NoId", [](auto& r) { r.clear_endpoint_id(); }, {"endpoint_id"}),
      Rotate("OverlapNegative", [](auto& r) { r.mutable_overlap()->set_seconds(-1); }, {"overlap"}),
      Rotate("OverlapOverSevenDays",
             [](auto& r) {
               r.mutable_overlap()->set_seconds(7 * 86400);
               r.mutable_overlap()->set_nanos(1);
             },
             {"overlap"}),
      Rotate("OverlapNotADuration",
             [](auto& r) {
               r.mutable_overlap()->set_seconds(1);
               r.mutable_overlap()->set_nanos(-1);
             },
             {"overlap"}),
      Rotate("SecretTooShort", [](auto& r) { r.set_secret(SecretOf(16)); }, {"secret"}),
      Rotate("SecretOfAnotherScheme",
             [](auto& r) { r.set_secret("whpk_" + absl::Base64Escape(std::string(32, 'k'))); },
             {"secret"}),
      Rotate("SchemeUnknown",
             [](auto& r) { r.set_signature_scheme(static_cast<v1::SignatureScheme>(-1)); },
             {"signature_scheme"}),
      Rotate("RequestIdTooLong", [](auto& r) { r.set_request_id(std::string(129, 'r')); },
             {"request_id"}),
      Rotate("EverythingAtOnce",
             [](auto& r) {
               r.set_endpoint_id("evt_01ARZ3NDEKTSV4RRFFQ69G5FAV");
               r.mutable_overlap()->set_seconds(-1);
               r.set_secret("x");
               r.set_request_id("\x7f");
             },
             {"endpoint_id", "overlap", "secret", "request_id"}),
  };
}

}  // namespace postrider::testing

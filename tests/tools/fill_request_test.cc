#include "tools/postrider/fill_request.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "postrider/v1/api_key_service.pb.h"
#include "postrider/v1/delivery_service.pb.h"
#include "postrider/v1/endpoint_service.pb.h"
#include "postrider/v1/event_service.pb.h"
#include "tools/postrider/commands.h"

namespace postrider::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

template <class Request>
absl::StatusOr<Request> Fill(const std::vector<std::string>& words) {
  const auto line = ParseLine(Commands(), GlobalFlags(), words,
                              [](const char*) -> const char* { return nullptr; });
  if (!line.ok()) return line.status();
  Request request;
  if (absl::Status status = FillRequest(*line->command, line->args, &request); !status.ok()) {
    return status;
  }
  return request;
}

std::string ErrorOfCreate(const std::string& flag) {
  return std::string(
      Fill<v1::CreateEndpointRequest>({"endpoint", "create", "--url=https://a.example/", flag})
          .status()
          .message());
}

TEST(FillRequestTest, FillsEverySettingOfAnEndpoint) {
  const auto request = Fill<v1::CreateEndpointRequest>({"endpoint",
                                                        "create",
                                                        "--org=org1",
                                                        "--env",
                                                        "env1",
                                                        "--url=https://example.com/hooks",
                                                        "--event=message.*",
                                                        "--event",
                                                        "domain.created",
                                                        "--description=For the shop",
                                                        "--header=Authorization: Bearer a:b=c",
                                                        "--header=x-empty:",
                                                        "--retry-schedule=30s, 2m,1h",
                                                        "--no-retries",
                                                        "--disable-threshold=0",
                                                        "--timeout=5s",
                                                        "--max-in-flight=4",
                                                        "--rate-limit=2.5",
                                                        "--ordered",
                                                        "--metadata=team=a=b",
                                                        "--secret=whsec_x",
                                                        "--request-id=r1"});
  ASSERT_TRUE(request.ok()) << request.status();
  const v1::Endpoint& endpoint = request->endpoint();
  EXPECT_EQ(endpoint.org_id(), "org1");
  EXPECT_EQ(endpoint.env_id(), "env1");
  EXPECT_EQ(endpoint.url(), "https://example.com/hooks");
  EXPECT_THAT(endpoint.events(), ElementsAre("message.*", "domain.created"));
  EXPECT_EQ(endpoint.description(), "For the shop");
  EXPECT_THAT(endpoint.headers(),
              UnorderedElementsAre(Pair("Authorization", "Bearer a:b=c"), Pair("x-empty", "")));
  ASSERT_EQ(endpoint.retry_schedule_size(), 3);
  EXPECT_EQ(endpoint.retry_schedule(1).seconds(), 120);
  EXPECT_TRUE(endpoint.retries_disabled());
  EXPECT_TRUE(endpoint.has_disable_threshold());
  EXPECT_EQ(endpoint.disable_threshold(), 0);
  EXPECT_EQ(endpoint.timeout().seconds(), 5);
  EXPECT_EQ(endpoint.max_in_flight(), 4);
  EXPECT_EQ(endpoint.rate_limit_per_second(), 2.5);
  EXPECT_TRUE(endpoint.ordered());
  EXPECT_THAT(endpoint.metadata(), ElementsAre(Pair("team", "a=b")));
  EXPECT_EQ(request->secret(), "whsec_x");
  EXPECT_EQ(request->request_id(), "r1");
}

TEST(FillRequestTest, LeavesUnsetWhatIsNotGiven) {
  const auto request =
      Fill<v1::CreateEndpointRequest>({"endpoint", "create", "--url=https://a.example/"});
  ASSERT_TRUE(request.ok());
  v1::CreateEndpointRequest expected;
  expected.mutable_endpoint()->set_url("https://a.example/");
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(*request, expected));
}

TEST(FillRequestTest, MasksWhatAnUpdateGives) {
  const auto request = Fill<v1::UpdateEndpointRequest>(
      {"endpoint", "update", "ep_1", "--url=https://b.example/", "--no-retries=false", "--etag=e7",
       "--event=a.b", "--event=c.d"});
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->endpoint().id(), "ep_1");
  EXPECT_EQ(request->endpoint().etag(), "e7");
  EXPECT_FALSE(request->endpoint().retries_disabled());
  EXPECT_THAT(request->update_mask().paths(), ElementsAre("url", "events", "retries_disabled"));
}

TEST(FillRequestTest, ResetsASettingByAnEmptyValueInAnUpdate) {
  const auto request = Fill<v1::UpdateEndpointRequest>(
      {"endpoint", "update", "ep_1", "--timeout=", "--event", "", "--retry-schedule="});
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_FALSE(request->endpoint().has_timeout());
  EXPECT_EQ(request->endpoint().events_size(), 0);
  EXPECT_THAT(request->update_mask().paths(), ElementsAre("events", "retry_schedule", "timeout"));
}

TEST(FillRequestTest, RefusesAnUpdateOfNothing) {
  EXPECT_EQ(std::string(
                Fill<v1::UpdateEndpointRequest>({"endpoint", "update", "ep_1"}).status().message()),
            "no flag says what to change");
  EXPECT_FALSE(Fill<v1::UpdateEndpointRequest>({"endpoint", "update", "ep_1", "--etag=e"}).ok());
}

TEST(FillRequestTest, RefusesAnEmptyValueElsewhere) {
  EXPECT_EQ(
      std::string(
          Fill<v1::ListDeliveriesRequest>({"delivery", "list", "--endpoint="}).status().message()),
      "--endpoint has an empty value");
}

TEST(FillRequestTest, ReadsEnumsThatAreGivenSeveralTimes) {
  const auto request = Fill<v1::CreateApiKeyRequest>(
      {"key", "create", "--scope=publish", "--scope=READ", "--org=org_1"});
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_THAT(request->api_key().scopes(), ElementsAre(v1::SCOPE_PUBLISH, v1::SCOPE_READ));
}

TEST(FillRequestTest, ReadsEnumsInAnyCaseAndTimes) {
  const auto request = Fill<v1::ListDeliveriesRequest>(
      {"delivery", "list", "--state=in-progress", "--start-time=2023-11-14T22:13:20Z"});
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->state(), v1::DELIVERY_STATE_IN_PROGRESS);
  EXPECT_EQ(request->start_time().seconds(), 1700000000);
}

TEST(FillRequestTest, FillsOneSideOfALookup) {
  EXPECT_EQ(Fill<v1::GetEventRequest>({"event", "get", "evt_1"})->event_id(), "evt_1");
  EXPECT_EQ(Fill<v1::GetEventRequest>({"event", "get", "--idempotency-key=k"})->lookup_case(),
            v1::GetEventRequest::kIdempotencyKey);
}

TEST(FillRequestTest, NamesTheFlagOfAWrongValue) {
  EXPECT_EQ(ErrorOfCreate("--timeout=5"),
            "--timeout: '5' is not a time span: write it as 30s, 2m, 1h30m or 7d");
  EXPECT_EQ(ErrorOfCreate("--retry-schedule=30s,,2m"),
            "--retry-schedule: '' is not a time span: write it as 30s, 2m, 1h30m or 7d");
  EXPECT_EQ(ErrorOfCreate("--max-in-flight=many"), "--max-in-flight: 'many' is not a whole number");
  EXPECT_EQ(ErrorOfCreate("--max-in-flight=3000000000"),
            "--max-in-flight: '3000000000' is not a whole number");
  EXPECT_EQ(ErrorOfCreate("--rate-limit=fast"), "--rate-limit: 'fast' is not a number");
  EXPECT_EQ(ErrorOfCreate("--header=Authorization"),
            "--header: 'Authorization' has no name before a ':'");
  EXPECT_EQ(ErrorOfCreate("--metadata==v"), "--metadata: '=v' has no name before a '='");
  EXPECT_EQ(ErrorOfCreate("--description=\xff"), "--description is not UTF-8");
  EXPECT_EQ(
      std::string(
          Fill<v1::ListEndpointsRequest>({"endpoint", "list", "--state=on"}).status().message()),
      "--state: 'on' is none of ENABLED, DISABLED");
}

}  // namespace
}  // namespace postrider::cli

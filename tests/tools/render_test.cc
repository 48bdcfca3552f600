#include "tools/postrider/render.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "postrider/v1/delivery_service.pb.h"
#include "postrider/v1/endpoint_service.pb.h"
#include "postrider/v1/publisher_service.pb.h"

namespace postrider::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(RenderListTest, AlignsDeliveriesUnderTheirHeadings) {
  v1::ListDeliveriesResponse response;
  v1::Delivery* waiting = response.add_deliveries();
  waiting->set_id("dlv_1");
  waiting->set_event_id("evt_1");
  waiting->set_endpoint_id("ep_1");
  waiting->set_event_type("message.received");
  waiting->set_state(v1::DELIVERY_STATE_PENDING);
  waiting->set_attempt_count(2);
  waiting->mutable_next_attempt_time()->set_seconds(1700000120);
  waiting->mutable_create_time()->set_seconds(1700000000);
  v1::Delivery* failed = response.add_deliveries();
  *failed = *waiting;
  failed->set_id("dlv_2");
  failed->set_state(v1::DELIVERY_STATE_FAILED);
  failed->set_state_reason(v1::DELIVERY_STATE_REASON_EXHAUSTED);
  failed->clear_next_attempt_time();
  failed->set_attempt_count(0);
  response.set_next_page_token("t1");
  EXPECT_EQ(RenderList(response),
            "ID     STATE             ATTEMPTS  NEXT ATTEMPT              CREATED                "
            "   EVENT  ENDPOINT  TYPE\n"
            "dlv_1  PENDING           2         2023-11-14T22:15:20.000Z  2023-11-14T22:13:20.000Z"
            "  evt_1  ep_1      message.received\n"
            "dlv_2  FAILED EXHAUSTED  0         -                         2023-11-14T22:13:20.000Z"
            "  evt_1  ep_1      message.received\n"
            "More: repeat with --page-token t1\n");
}

TEST(RenderListTest, ShowsWhatBecameOfAttempts) {
  v1::ListAttemptsResponse response;
  v1::Attempt* attempt = response.add_attempts();
  attempt->set_delivery_id("dlv_1");
  attempt->set_number(3);
  attempt->mutable_start_time()->set_seconds(1700000000);
  attempt->mutable_duration()->set_nanos(12'345'678);
  attempt->set_outcome(v1::ATTEMPT_OUTCOME_CONNECTION);
  attempt->set_error("refused\nby peer");
  EXPECT_EQ(RenderList(response),
            "STARTED                   DELIVERY  NUMBER  OUTCOME     STATUS  DURATION  ADDRESS  "
            "ERROR\n"
            "2023-11-14T22:13:20.000Z  dlv_1     3       CONNECTION  -       12.3ms    -        "
            "refused\\x0aby peer\n");
}

TEST(RenderListTest, SaysThatThereIsNothing) {
  EXPECT_EQ(RenderList(v1::ListEndpointsResponse()), "None.\n");
}

TEST(RenderFieldsTest, ShowsAnEndpointAndItsSecretOneFieldALine) {
  v1::CreateEndpointResponse response;
  v1::Endpoint* endpoint = response.mutable_endpoint();
  endpoint->set_id("ep_1");
  endpoint->set_url("https://example.com/");
  endpoint->add_events("message.*");
  endpoint->add_events("domain.created");
  (*endpoint->mutable_headers())["b"] = "***";
  (*endpoint->mutable_headers())["a"] = "***";
  endpoint->add_retry_schedule()->set_seconds(30);
  endpoint->add_retry_schedule()->set_seconds(120);
  endpoint->set_disable_threshold(0);
  endpoint->set_ordered(true);
  endpoint->set_state(v1::ENDPOINT_STATE_ENABLED);
  response.set_secret("whsec_x");
  EXPECT_EQ(RenderFields(response),
            "id                    ep_1\n"
            "url                   https://example.com/\n"
            "events                message.*, domain.created\n"
            "headers               a=***, b=***\n"
            "retry_schedule        30s, 2m\n"
            "disable_threshold     0\n"
            "ordered               yes\n"
            "state                 ENABLED\n"
            "consecutive_failures  0\n"
            "secret                whsec_x\n");
}

TEST(RenderFieldsTest, ShowsACountOfNothing) {
  v1::PublishResponse response;
  response.set_event_id("evt_1");
  EXPECT_EQ(RenderFields(response), "event_id        evt_1\ndelivery_count  0\n");
}

TEST(RenderJsonTest, KeepsTheNamesOfTheContractAndZeroes) {
  v1::GetEndpointResponse response;
  response.mutable_endpoint()->set_id("ep_1");
  response.mutable_endpoint()->mutable_timeout()->set_seconds(5);
  const std::string json = RenderJson(response);
  EXPECT_THAT(json, HasSubstr("\"consecutive_failures\": 0"));
  EXPECT_THAT(json, HasSubstr("\"org_id\": \"\""));
  EXPECT_THAT(json, HasSubstr("\"timeout\": \"5s\""));
  EXPECT_THAT(json, Not(HasSubstr("disable_threshold")));
  EXPECT_EQ(json.back(), '\n');
}

}  // namespace
}  // namespace postrider::cli

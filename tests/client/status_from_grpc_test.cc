#include "client/status_from_grpc.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "client/status_details.h"
#include "google/rpc/error_details.pb.h"
#include "tests/client/fake_server.h"

namespace postrider::client {
namespace {

using postrider::testing::ErrorWith;
using postrider::testing::RefusedFor;

TEST(StatusFromGrpcTest, NamesEveryRefusedField) {
  google::rpc::BadRequest bad_request;
  auto* url = bad_request.add_field_violations();
  url->set_field("endpoint.url");
  url->set_description("must begin with https://.");
  auto* event = bad_request.add_field_violations();
  event->set_field("endpoint.events[2]");
  event->set_description("must not be a bare *");
  auto* request_id = bad_request.add_field_violations();
  request_id->set_field("request_id");
  request_id->set_description("is malformed");
  google::rpc::ErrorInfo error;
  error.set_reason("BAD_FIELDS");
  const absl::Status status = StatusFromGrpc(
      ErrorWith(grpc::StatusCode::INVALID_ARGUMENT, "3 fields are wrong.", {&bad_request, &error}));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::string(status.message()),
            "endpoint.url must begin with https://; endpoint.events[2] must not be a bare *; "
            "request_id is malformed [BAD_FIELDS]");
}

TEST(StatusFromGrpcTest, TakesTheTextOfTheServerWhereNoFieldIsNamed) {
  const absl::Status status = StatusFromGrpc(
      RefusedFor(grpc::StatusCode::NOT_FOUND, "There is no endpoint ep_1.", "ENDPOINT_NOT_FOUND"));
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(std::string(status.message()), "There is no endpoint ep_1 [ENDPOINT_NOT_FOUND]");
  EXPECT_EQ(ErrorReason(status), "ENDPOINT_NOT_FOUND");
}

TEST(StatusFromGrpcTest, SaysSomethingWhereTheServerSaysNothing) {
  const absl::Status status = StatusFromGrpc(grpc::Status(grpc::StatusCode::UNIMPLEMENTED, ""));
  EXPECT_EQ(std::string(status.message()),
            "the call ended as UNIMPLEMENTED without an explanation");
}

TEST(StatusFromGrpcTest, PassesOverDetailsThatAreNotReadable) {
  const absl::Status status =
      StatusFromGrpc(grpc::Status(grpc::StatusCode::INTERNAL, "broken", "\xff\xff garbage"));
  EXPECT_EQ(std::string(status.message()), "broken");
  EXPECT_EQ(ErrorReason(status), "");
  EXPECT_EQ(RetryDelay(status), std::nullopt);
}

TEST(RetryDelayTest, IsWhatTheServerNamedButNeverNegative) {
  EXPECT_EQ(RetryDelay(StatusFromGrpc(RefusedFor(grpc::StatusCode::RESOURCE_EXHAUSTED, "full",
                                                 "BACKLOG", absl::Seconds(7)))),
            absl::Seconds(7));
  EXPECT_EQ(RetryDelay(StatusFromGrpc(RefusedFor(grpc::StatusCode::RESOURCE_EXHAUSTED, "full",
                                                 "BACKLOG", -absl::Seconds(7)))),
            absl::ZeroDuration());
  EXPECT_EQ(RetryDelay(StatusFromGrpc(
                RefusedFor(grpc::StatusCode::RESOURCE_EXHAUSTED, "full", "BACKLOG"))),
            std::nullopt);
}

}  // namespace
}  // namespace postrider::client

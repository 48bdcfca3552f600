#include "server/rpc/errors.h"

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/rpc/fields.h"
#include "server/rpc/publish_request.h"
#include "tests/rpc/fields.h"

namespace postrider::rpc {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(FieldErrorsTest, EveryFieldIsNamedInTheMessageAndInTheDetails) {
  FieldErrors errors;
  EXPECT_TRUE(errors.empty());
  errors.Add("type", "must be set");
  errors.Add("requests[3].data_json", "must be one object");
  EXPECT_FALSE(errors.empty());
  const grpc::Status status = errors.ToStatus();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "type must be set; requests[3].data_json must be one object");
  EXPECT_THAT(FieldsOf(errors), ElementsAre("type", "requests[3].data_json"));
  EXPECT_EQ(DescriptionOf(errors, "type"), "must be set");
  const auto info = DetailOf<google::rpc::ErrorInfo>(status);
  EXPECT_EQ(info.reason(), "INVALID_REQUEST");
  EXPECT_EQ(info.domain(), "postrider");
}

TEST(FieldErrorsTest, AFloodIsCut) {
  FieldErrors errors;
  for (int i = 0; i < 5000; ++i) errors.Add(absl::StrCat("requests[", i, "].type"), "must be set");
  EXPECT_LT(FieldsOf(errors).size(), 200u);
  EXPECT_THAT(errors.ToStatus().error_message(), testing::EndsWith("; and more"));
  const grpc::Status status = errors.ToStatus();
  EXPECT_LT(status.error_message().size(), 2200u);
  // Metadata of an answer: gRPC refuses more than 8 KiB by default.
  EXPECT_LT(status.error_details().size() + status.error_message().size(), 8192u);
}

TEST(FieldErrorsTest, AWholeBatchOfBadItemsFitsIntoTheMetadataOfAnAnswer) {
  FieldErrors errors;
  for (int i = 0; i < 1000; ++i) {
    v1::PublishRequest request;
    request.set_org_id("a b");
    request.set_env_id("a b");
    request.set_type("Message");
    request.set_data_json("[]");
    NewEvent event;
    std::string data;
    CheckPublish(request, {}, {}, absl::StrCat("requests[", i, "]."), event, data, errors);
  }
  // gRPC's default limit of 8 KiB: a caller that gets more sees RESOURCE_EXHAUSTED instead.
  const grpc::Status status = errors.ToStatus();
  EXPECT_LT(status.error_details().size() + status.error_message().size(), 8000u);
  EXPECT_THAT(FieldsOf(errors), testing::Contains("requests[0].data_json"));
}

TEST(ErrorsTest, TheDetailsRepeatCodeAndMessage) {
  const grpc::Status status =
      Error(grpc::StatusCode::NOT_FOUND, reason::kNotFound, "no such event");
  google::rpc::Status details;
  ASSERT_TRUE(details.ParseFromString(status.error_details()));
  EXPECT_EQ(details.code(), 5);
  EXPECT_EQ(details.message(), "no such event");
  EXPECT_EQ(status.error_message(), "no such event");
}

TEST(ErrorsTest, RetryLaterSaysWhen) {
  const grpc::Status status = RetryLater(grpc::StatusCode::RESOURCE_EXHAUSTED, reason::kOverloaded,
                                         "full", absl::Milliseconds(1250));
  const auto retry = DetailOf<google::rpc::RetryInfo>(status);
  EXPECT_EQ(retry.retry_delay().seconds(), 1);
  EXPECT_EQ(retry.retry_delay().nanos(), 250000000);
  EXPECT_EQ(DetailOf<google::rpc::ErrorInfo>(status).reason(), "OVERLOADED");
}

TEST(ErrorsTest, WhatIsNotThereYetSaysSo) {
  const grpc::Status status = Unimplemented("WatchEvents");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(status.error_message(),
            "WatchEvents is not available in this version of postriderd yet");
}

TEST(ErrorsTest, MalformedMessagesAreTheCallersMistake) {
  EXPECT_EQ(Malformed().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(DetailOf<google::rpc::ErrorInfo>(Malformed()).reason(), "MALFORMED_MESSAGE");
}

TEST(FromStoreTest, CodesOfStoresHaveTheirCounterparts) {
  EXPECT_TRUE(FromStore(absl::OkStatus()).ok());
  struct Row {
    absl::Status status;
    grpc::StatusCode code;
    const char* reason;
  };
  const Row kTable[] = {
      {absl::NotFoundError("m"), grpc::StatusCode::NOT_FOUND, "NOT_FOUND"},
      {absl::FailedPreconditionError("m"), grpc::StatusCode::FAILED_PRECONDITION,
       "FAILED_PRECONDITION"},
      {absl::AlreadyExistsError("m"), grpc::StatusCode::ALREADY_EXISTS, "REQUEST_ID_REUSED"},
      {absl::AbortedError("m"), grpc::StatusCode::ABORTED, "CONCURRENT_CHANGE"},
      {absl::ResourceExhaustedError("m"), grpc::StatusCode::RESOURCE_EXHAUSTED, "OVERLOADED"},
      {absl::DeadlineExceededError("m"), grpc::StatusCode::DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED"},
      {absl::UnavailableError("m"), grpc::StatusCode::UNAVAILABLE, "DATABASE_UNAVAILABLE"},
      {absl::InternalError("m"), grpc::StatusCode::INTERNAL, "INTERNAL"},
      {absl::UnknownError("m"), grpc::StatusCode::INTERNAL, "INTERNAL"},
  };
  for (const Row& row : kTable) {
    const grpc::Status status = FromStore(row.status);
    EXPECT_EQ(status.error_code(), row.code) << row.status;
    EXPECT_EQ(DetailOf<google::rpc::ErrorInfo>(status).reason(), row.reason);
    EXPECT_EQ(DetailOf<google::rpc::ErrorInfo>(status).domain(), "postrider");
  }
}

TEST(FromStoreTest, WhatTheDatabaseSaysIsNotForCallers) {
  const std::string secret = "relation events_20260308 at 10.0.0.5";
  for (const absl::Status& status :
       {absl::AbortedError(secret), absl::UnavailableError(secret), absl::InternalError(secret)}) {
    EXPECT_THAT(FromStore(status).error_message(), Not(HasSubstr("events_2026")));
    EXPECT_THAT(FromStore(status).error_details(), Not(HasSubstr("events_2026")));
  }
}

TEST(FromStoreTest, OverloadAndOutagesSayWhenToComeBack) {
  for (const absl::Status& status :
       {absl::ResourceExhaustedError("m"), absl::UnavailableError("m")}) {
    const auto retry = DetailOf<google::rpc::RetryInfo>(FromStore(status));
    EXPECT_EQ(retry.retry_delay().seconds(), 1);
  }
}

TEST(CheckIdTest, IdsAreReadOrNamed) {
  FieldErrors errors;
  EXPECT_EQ(CheckId<EventId>("evt_01ARYZ6S41008J4CT4ANK7F24S", "id", errors).ToText(),
            "evt_01ARYZ6S41008J4CT4ANK7F24S");
  EXPECT_TRUE(errors.empty());
  EXPECT_TRUE(CheckId<EventId>("", "id", errors).is_zero());
  EXPECT_TRUE(CheckId<EventId>("ep_01ARYZ6S41008J4CT4ANK7F24S", "event_id", errors).is_zero());
  EXPECT_THAT(FieldsOf(errors), ElementsAre("id", "event_id"));
  EXPECT_EQ(DescriptionOf(errors, "id"), "must be set");
  EXPECT_THAT(DescriptionOf(errors, "event_id"), HasSubstr("evt_"));
}

TEST(CheckIdTest, AnOptionalIdMayBeEmpty) {
  FieldErrors errors;
  EXPECT_EQ(CheckOptionalId<EventId>("", "id", errors), std::nullopt);
  EXPECT_TRUE(errors.empty());
  CheckOptionalId<EventId>("x", "id", errors);
  EXPECT_THAT(FieldsOf(errors), ElementsAre("id"));
}

TEST(CheckRequestIdTest, UpTo128BytesOfPrintableAscii) {
  for (const std::string& good : {std::string(), std::string(" ~"), std::string(128, 'a')}) {
    FieldErrors errors;
    CheckRequestId(good, errors);
    EXPECT_TRUE(errors.empty()) << good;
  }
  for (const std::string& bad : {std::string(129, 'a'), std::string("a\n"), std::string("\x7f"),
                                 std::string("\xc3\xa4"), std::string(1, '\0')}) {
    FieldErrors errors;
    CheckRequestId(bad, errors);
    EXPECT_THAT(FieldsOf(errors), ElementsAre("request_id")) << bad;
  }
}

}  // namespace
}  // namespace postrider::rpc

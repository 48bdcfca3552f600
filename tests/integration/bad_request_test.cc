// Bad requests, over all rpcs that are available: each gets its exact code and names exactly the
// fields that are wrong, and nothing of the database changes.

#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "tests/integration/bad_requests.h"
#include "tests/support/engine_test.h"
#include "tests/support/expect.h"

namespace postrider::testing {
namespace {

constexpr size_t kLeastRows = 80;

// The first line of `after` that is not so in `before`.
std::string FirstDifference(const std::string& before, const std::string& after) {
  const std::vector<std::string> old_lines = absl::StrSplit(before, '\n');
  const std::vector<std::string> new_lines = absl::StrSplit(after, '\n');
  for (size_t i = 0; i < new_lines.size(); ++i) {
    if (i >= old_lines.size() || new_lines[i] != old_lines[i]) return new_lines[i];
  }
  return "fewer lines";
}

// One server and one stage for all rows.
class BadRequestTest : public ::testing::TestWithParam<BadRequest> {
 protected:
  static void SetUpTestSuite() {
    database_ = TestCluster::OfProgram().NewDatabase();
    ServerProcess::Options options;
    options.database = database_->conninfo();
    absl::StatusOr<std::unique_ptr<ServerProcess>> server = ServerProcess::Start(options);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    BuildStage();
    stored_ = database_->DumpWithoutAudit();
  }

  static void TearDownTestSuite() {
    server_.reset();
    database_.reset();
  }

  static void BuildStage() {
    Receiver receiver;
    Caller caller(server_->api(), "org_1");
    stage_.api = &server_->api();
    stage_.org = caller.org();
    stage_.env = caller.env();
    v1::Endpoint endpoint = caller.EndpointAt(receiver.Url());
    *endpoint.add_retry_schedule() = ToProto(absl::Hours(24));
    stage_.endpoint = caller.Create(endpoint).id();
    v1::PublishRequest keyed = caller.Event();
    keyed.set_idempotency_key("taken");
    stage_.event = caller.Publish(keyed).event_id();
    stage_.succeeded_delivery = caller.DeliveryOf(stage_.event).id();
    caller.WaitForState(stage_.succeeded_delivery, v1::DELIVERY_STATE_SUCCEEDED);
    receiver.AlwaysAnswer(Answer{.status = 500});
    stage_.waiting_delivery = caller.DeliveryOf(caller.PublishEvent()).id();
    caller.WaitForAttempts(stage_.waiting_delivery, 1);
    stage_.deleted_endpoint = caller.CreateAt(receiver.Url()).id();
    caller.Delete(stage_.deleted_endpoint);
  }

  static inline std::unique_ptr<TestDatabase> database_;
  static inline std::unique_ptr<ServerProcess> server_;
  static inline Stage stage_;
  static inline std::string stored_;
};

TEST_P(BadRequestTest, IsRefusedExactlyAndStoresNothing) {
  const BadRequest& row = GetParam();
  const grpc::Status status = row.call(stage_);
  EXPECT_REFUSED(status, row.code);
  const ErrorDetails details = DetailsOf(status);
  EXPECT_EQ(details.fields, row.fields) << ToText(status);
  for (const auto& violation : details.bad_request.field_violations()) {
    EXPECT_NE(violation.description(), "") << violation.field();
    // People read the text alone, too.
    EXPECT_TRUE(absl::StrContains(status.error_message(), violation.field())) << ToText(status);
  }
  const std::string dump = database_->DumpWithoutAudit();
  EXPECT_TRUE(dump == stored_) << "stored: " << FirstDifference(stored_, dump);
  stored_ = dump;  // The rows that follow answer for themselves alone.
}

std::string NameOf(const ::testing::TestParamInfo<BadRequest>& row) { return row.param.name; }

INSTANTIATE_TEST_SUITE_P(Publish, BadRequestTest, ::testing::ValuesIn(BadPublishRequests()),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(Data, BadRequestTest, ::testing::ValuesIn(BadDataRequests()), NameOf);
INSTANTIATE_TEST_SUITE_P(BatchPublish, BadRequestTest, ::testing::ValuesIn(BadBatchRequests()),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(CreateEndpoint, BadRequestTest, ::testing::ValuesIn(BadCreateRequests()),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(Settings, BadRequestTest, ::testing::ValuesIn(BadSettingRequests()),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(UpdateEndpoint, BadRequestTest, ::testing::ValuesIn(BadUpdateRequests()),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(RotateSecret, BadRequestTest, ::testing::ValuesIn(BadRotateRequests()),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(Ids, BadRequestTest, ::testing::ValuesIn(BadIdRequests()), NameOf);
INSTANTIATE_TEST_SUITE_P(Lists, BadRequestTest, ::testing::ValuesIn(BadListRequests()), NameOf);

TEST(BadRequestTableTest, HoldsAtLeastEightyRowsWithNamesOfTheirOwn) {
  std::multiset<std::string> names;
  for (const auto& part : {BadPublishRequests(), BadDataRequests(), BadBatchRequests(),
                           BadCreateRequests(), BadSettingRequests(), BadUpdateRequests(),
                           BadRotateRequests(), BadIdRequests(), BadListRequests()}) {
    for (const BadRequest& row : part) names.insert(row.name);
  }
  EXPECT_GE(names.size(), kLeastRows);
  RecordProperty("rows", static_cast<int>(names.size()));
}

}  // namespace
}  // namespace postrider::testing

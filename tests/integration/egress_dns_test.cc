// A server among names that lead inside, with a name server of the test's own in a network of its
// own: what a tenant sees of a blocked attempt.
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/http/dns_test_base.h"
#include "tests/support/caller.h"
#include "tests/support/server_process.h"
#include "tests/support/test_database.h"

namespace postrider::testing {
namespace {

class EgressDnsTest : public http::DnsTest {
 protected:
  void SetUp() override {
    TestCluster::OfProgram();  // First, as what starts it may keep what is open now.
    DnsTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    database_ = TestCluster::OfProgram().NewDatabase();
    ServerProcess::Options options;
    options.database = database_->conninfo();
    options.allow_loopback = false;
    absl::StatusOr<std::unique_ptr<ServerProcess>> started = ServerProcess::Start(options);
    ASSERT_TRUE(started.ok()) << started.status();
    server_ = *std::move(started);
  }

  void TearDown() override {
    if (server_ != nullptr) {
      EXPECT_EQ(server_->Terminate(), 0);
    }
    DnsTest::TearDown();
  }

  v1::Attempt AttemptAt(const std::string& name, v1::DeliveryState end) {
    Caller caller(server_->api());
    v1::Endpoint endpoint = caller.EndpointAt(Url(name));
    endpoint.set_retries_disabled(true);
    caller.Create(endpoint);
    const v1::Delivery delivery = caller.DeliveryOf(caller.PublishEvent());
    caller.WaitForState(delivery.id(), end);
    const std::vector<v1::Attempt> attempts = caller.AttemptsOf(delivery.id());
    EXPECT_EQ(attempts.size(), 1u);
    return attempts.empty() ? v1::Attempt() : attempts[0];
  }

  std::unique_ptr<TestDatabase> database_;
  std::unique_ptr<ServerProcess> server_;
};

TEST_F(EgressDnsTest, ABlockedAttemptShowsNoInternalAddress) {
  names_->Set("good.test", {.answers = {{http::kPublic}}});
  EXPECT_EQ(AttemptAt("good.test", v1::DELIVERY_STATE_SUCCEEDED).http_status(), 200);
  const std::vector<std::string> kAnswers[] = {
      {"127.0.0.1"},     {"10.0.0.1"},        {"169.254.169.254"},           {"::1"},
      {"fd00:ec2::254"}, {"::ffff:10.0.0.1"}, {http::kPublic, "192.168.1.1"}};
  int number = 0;
  for (const std::vector<std::string>& answers : kAnswers) {
    SCOPED_TRACE(answers.back());
    const std::string name = absl::StrCat("inside", ++number, ".test");
    names_->Set(name, {.answers = {answers}});
    const v1::Attempt attempt = AttemptAt(name, v1::DELIVERY_STATE_FAILED);
    EXPECT_EQ(attempt.outcome(), v1::ATTEMPT_OUTCOME_BLOCKED);
    EXPECT_EQ(attempt.error(), "the destination's address is not allowed");
    EXPECT_EQ(attempt.remote_address(), "");
    EXPECT_EQ(attempt.send_count(), 0);
    EXPECT_FALSE(absl::StrContains(attempt.ShortDebugString(), answers.back()));
  }
  EXPECT_EQ(requests(), 1);
}

TEST_F(EgressDnsTest, OwnListenersAreOutOfBoundsUnderAnyName) {
  names_->Set("self.test", {.answers = {{http::kPublic}}});
  const std::string& address = server_->grpc_address();
  Caller caller(server_->api());
  v1::Endpoint endpoint =
      caller.EndpointAt(absl::StrCat("http://self.test:", address.substr(address.rfind(':') + 1)));
  endpoint.set_retries_disabled(true);
  caller.Create(endpoint);
  const v1::Delivery delivery = caller.DeliveryOf(caller.PublishEvent());
  caller.WaitForState(delivery.id(), v1::DELIVERY_STATE_FAILED);
  const std::vector<v1::Attempt> attempts = caller.AttemptsOf(delivery.id());
  ASSERT_EQ(attempts.size(), 1u);
  // A public address of this machine, where the port is the server's own.
  EXPECT_EQ(attempts[0].outcome(), v1::ATTEMPT_OUTCOME_BLOCKED);
}

}  // namespace
}  // namespace postrider::testing

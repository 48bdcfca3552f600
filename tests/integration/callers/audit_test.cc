// What is written down about calls that need ADMIN.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/credentials.h"
#include "tests/support/engine_test.h"
#include "tests/support/expect.h"

namespace postrider::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

class AuditTest : public OwnServersTest {
 protected:
  void SetUp() override {
    server_ = StartServer();
    ASSERT_NE(server_, nullptr);
  }
  Api& api() { return server_->api(); }

  // Oldest first.
  std::vector<v1::AuditRecord> Records(const v1::ListAuditRecordsRequest& request = {},
                                       const std::string& key = "") {
    const auto reply = CallAs<v1::ListAuditRecordsRequest, v1::ListAuditRecordsResponse>(
        api(), key, "postrider.v1.ApiKeyService/ListAuditRecords", request);
    EXPECT_TRUE(reply.ok()) << ToText(reply.status);
    return {reply->audit_records().rbegin(), reply->audit_records().rend()};
  }

  Reply<v1::CreateEndpointResponse> CreateEndpoint(const std::string& key, const std::string& org) {
    v1::CreateEndpointRequest request;
    request.mutable_endpoint()->set_url(receiver_.Url());
    request.mutable_endpoint()->set_org_id(org);
    request.mutable_endpoint()->set_env_id("env_1");
    (*request.mutable_endpoint()->mutable_headers())["x-token"] = "hush-hush";
    return CallAs<v1::CreateEndpointRequest, v1::CreateEndpointResponse>(
        api(), key, "postrider.v1.EndpointService/CreateEndpoint", request);
  }

  ServerProcess* server_ = nullptr;
};

TEST_F(AuditTest, EveryAdminCallSaysWhoDidWhatWhenAndWhatCameOfIt) {
  const NewKey key = MakeKey(api(), "", KeyFor({v1::SCOPE_ADMIN}, "org_a"));
  const absl::Time before = absl::Now() - absl::Seconds(1);
  const auto endpoint = CreateEndpoint(key.text, "org_a");
  ASSERT_TRUE(endpoint.ok()) << ToText(endpoint.status);
  v1::DeleteEndpointRequest erase;
  erase.set_endpoint_id(endpoint->endpoint().id());
  for (int i = 0; i < 2; ++i) {
    CallAs<v1::DeleteEndpointRequest, v1::DeleteEndpointResponse>(
        api(), key.text, "postrider.v1.EndpointService/DeleteEndpoint", erase);
  }
  const std::vector<v1::AuditRecord> records = Records();
  ASSERT_THAT(records, SizeIs(4));

  EXPECT_EQ(records[0].rpc(), "postrider.v1.ApiKeyService/CreateApiKey");
  EXPECT_EQ(records[0].api_key_id(), "") << "a local caller";
  EXPECT_EQ(records[0].resource_id(), key.id);
  EXPECT_EQ(records[0].code(), 0);

  EXPECT_EQ(records[1].rpc(), "postrider.v1.EndpointService/CreateEndpoint");
  EXPECT_EQ(records[1].api_key_id(), key.id);
  EXPECT_EQ(records[1].resource_id(), endpoint->endpoint().id());
  EXPECT_EQ(records[1].org_id(), "org_a");
  EXPECT_EQ(records[1].env_id(), "env_1");
  EXPECT_THAT(records[1].remote_address(), StartsWith("ipv4:127.0.0.1:"));
  EXPECT_GT(ToTime(records[1].create_time()), before);
  EXPECT_THAT(records[1].id(), StartsWith("aud_"));

  EXPECT_EQ(records[2].rpc(), "postrider.v1.EndpointService/DeleteEndpoint");
  EXPECT_EQ(records[2].code(), 0);
  EXPECT_EQ(records[3].code(), static_cast<int>(grpc::StatusCode::NOT_FOUND));
  EXPECT_EQ(records[3].resource_id(), endpoint->endpoint().id());

  for (const v1::AuditRecord& record : records) {
    EXPECT_THAT(record.DebugString(), Not(HasSubstr("hush-hush")));
    EXPECT_THAT(record.DebugString(), Not(HasSubstr(endpoint->secret())));
  }
}

TEST_F(AuditTest, LooksAndPublishesLeaveNone) {
  EXPECT_TRUE(TryKey(api(), "").ok());
  v1::PublishRequest publish;
  publish.set_org_id("org_a");
  publish.set_env_id("env_1");
  publish.set_type("a.b");
  publish.set_data_json("{}");
  EXPECT_TRUE(api().Publish(publish).ok());
  EXPECT_THAT(Records(), IsEmpty());
}

TEST_F(AuditTest, RecordsAreFilteredAndEachOrgSeesItsOwn) {
  const NewKey key_a = MakeKey(api(), "", KeyFor({v1::SCOPE_ADMIN}, "org_a"));
  const NewKey key_b = MakeKey(api(), "", KeyFor({v1::SCOPE_ADMIN}, "org_b"));
  const auto endpoint = CreateEndpoint(key_a.text, "org_a");
  CreateEndpoint(key_b.text, "org_b");
  v1::ListAuditRecordsRequest by_key;
  by_key.set_api_key_id(key_b.id);
  EXPECT_THAT(Records(by_key), SizeIs(1));
  v1::ListAuditRecordsRequest by_resource;
  by_resource.set_resource_id(endpoint->endpoint().id());
  EXPECT_THAT(Records(by_resource), SizeIs(1));
  v1::ListAuditRecordsRequest page;
  page.set_page_size(3);
  EXPECT_THAT(Records(page), SizeIs(3));
  // The making of its key, and what it did with it.
  const std::vector<v1::AuditRecord> of_b = Records({}, key_b.text);
  ASSERT_THAT(of_b, SizeIs(2));
  for (const v1::AuditRecord& record : of_b) EXPECT_EQ(record.org_id(), "org_b");
  // A stranger's attempt shows with the stranger, not with whom it named.
  EXPECT_REFUSED(CreateEndpoint(key_b.text, "org_a").status, grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_THAT(Records({}, key_b.text), SizeIs(3));
  EXPECT_THAT(Records({}, key_a.text), SizeIs(2));
}

}  // namespace
}  // namespace postrider::testing

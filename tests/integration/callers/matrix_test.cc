// Every rpc that the server describes, by everybody who must not call it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "google/protobuf/text_format.h"
#include "postrider/v1/publisher_service.pb.h"
#include "tests/integration/callers/contract.h"
#include "tests/support/credentials.h"
#include "tests/support/engine_test.h"
#include "tests/support/expect.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/wait.h"

namespace postrider::testing {
namespace {

using google::protobuf::Message;
using google::protobuf::MethodDescriptor;
using grpc::StatusCode;

constexpr char kOrg[] = "org_a";
constexpr char kEnv[] = "env_1";

// What a request must hold beside ids before the server looks at those.
const std::map<std::string, std::string>& Fillings() {
  static const auto* const fillings = new std::map<std::string, std::string>{
      {"UpdateEndpoint", "endpoint { description: 'changed' }"},
      {"CreateRecovery", "start_time { seconds: 1 } end_time { seconds: 2 } mode: 1"},
      {"PurgeOrg", "org_id: 'org_a'"},
      {"ExplainDelivery", ""},
  };
  return *fillings;
}

// One server that wants a credential from everybody, with keys of every kind.
class MatrixTest : public OwnServersTest {
 protected:
  void SetUp() override {
    const std::string key_file = ScratchFolder::NewFile("bootstrap-key");
    server_ = StartServer({"--require-auth", "--bootstrap-key", key_file});
    ASSERT_NE(server_, nullptr);
    const std::string content = FileContent(key_file);
    root_ = content.substr(0, content.find('\n'));
    contract_ = std::make_unique<Contract>(api());
    ASSERT_GE(contract_->rpcs().size(), 35u);
    admin_ = MakeKey(api(), root_, KeyFor({v1::SCOPE_ADMIN}, kOrg, kEnv)).text;
  }

  Api& api() { return server_->api(); }

  grpc::Status Call(const MethodDescriptor& rpc, const std::string& key, const Message& request) {
    return api().CallRaw(NameOf(rpc), request.SerializeAsString(), Bearer(key)).status;
  }
  grpc::Status CallEmpty(const MethodDescriptor& rpc, const Api::Metadata& metadata) {
    return api().CallRaw(NameOf(rpc), "", metadata).status;
  }

  // New resources of kOrg and kEnv, so that one rpc's test leaves nothing behind for the next.
  ResourceIds NewResources() {
    ResourceIds ids;
    v1::CreateEndpointRequest create;
    create.mutable_endpoint()->set_url(receiver_.Url());
    create.mutable_endpoint()->add_events("matrix.event");
    const auto endpoint = CallAs<v1::CreateEndpointRequest, v1::CreateEndpointResponse>(
        api(), admin_, "postrider.v1.EndpointService/CreateEndpoint", create);
    EXPECT_TRUE(endpoint.ok()) << ToText(endpoint.status);
    ids["endpoint_id"] = endpoint->endpoint().id();
    v1::PublishRequest publish;
    publish.set_type("matrix.event");
    publish.set_data_json("{}");
    const auto event = CallAs<v1::PublishRequest, v1::PublishResponse>(
        api(), admin_, "postrider.v1.PublisherService/Publish", publish);
    EXPECT_TRUE(event.ok()) << ToText(event.status);
    ids["event_id"] = event->event_id();
    v1::ListDeliveriesRequest list;
    list.set_event_id(event->event_id());
    list.set_endpoint_id(endpoint->endpoint().id());
    const auto deliveries = CallAs<v1::ListDeliveriesRequest, v1::ListDeliveriesResponse>(
        api(), admin_, "postrider.v1.DeliveryService/ListDeliveries", list);
    EXPECT_EQ(deliveries->deliveries_size(), 1) << ToText(deliveries.status);
    if (deliveries->deliveries_size() == 1) {
      ids["delivery_id"] = deliveries->deliveries(0).id();
    }
    ids["api_key_id"] = MakeKey(api(), admin_, KeyFor({v1::SCOPE_READ})).id;
    return ids;
  }

  ServerProcess* server_ = nullptr;
  std::string root_;   // ADMIN of the whole installation
  std::string admin_;  // ADMIN of kOrg and kEnv
  std::unique_ptr<Contract> contract_;
};

bool IsUnknown(const grpc::Status& status) {
  return status.error_code() == StatusCode::UNAUTHENTICATED;
}

TEST_F(MatrixTest, WithoutAGoodCredentialEveryRpcIsUnauthenticated) {
  const NewKey revoked = MakeKey(api(), root_, KeyFor({v1::SCOPE_ADMIN}));
  ASSERT_TRUE(RevokeKey(api(), root_, revoked.id).ok());
  v1::ApiKey short_lived = KeyFor({v1::SCOPE_ADMIN});
  *short_lived.mutable_expire_time() = ToProto(absl::Now() + absl::Seconds(2));
  const std::string expired = MakeKey(api(), root_, short_lived).text;
  ASSERT_TRUE(WaitUntil([&] { return IsUnknown(TryKey(api(), expired)); }));

  std::string wrong_secret = root_;
  wrong_secret.back() = wrong_secret.back() == '0' ? '1' : '0';
  std::string unknown_id = root_;
  unknown_id.replace(4, 26, std::string(26, '0'));
  std::string upper = root_;
  std::transform(upper.begin(), upper.end(), upper.begin(), ::toupper);
  const std::map<std::string, Api::Metadata> credentials = {
      {"none", {}},
      {"empty", {{"authorization", ""}}},
      {"scheme alone", {{"authorization", "Bearer "}}},
      {"key alone", {{"authorization", root_}}},
      {"another scheme", {{"authorization", "Basic " + root_}}},
      {"wrong secret", Bearer(wrong_secret)},
      {"unknown id", Bearer(unknown_id)},
      {"revoked", Bearer(revoked.text)},
      {"expired", Bearer(expired)},
      {"cut", Bearer(root_.substr(0, root_.size() - 1))},
      {"longer", Bearer(root_ + "0")},
      {"in upper case", Bearer(upper)},
      {"another prefix", Bearer("prx" + root_.substr(3))},
      {"in another header", {{"x-api-key", root_}}},
      {"given twice", {Bearer(root_)[0], Bearer(root_)[0]}},
  };
  for (const MethodDescriptor* rpc : contract_->rpcs()) {
    for (const auto& [what, metadata] : credentials) {
      EXPECT_REFUSED(CallEmpty(*rpc, metadata), StatusCode::UNAUTHENTICATED)
          << NameOf(*rpc) << " with " << what;
    }
  }
}

TEST_F(MatrixTest, EveryRpcSaysItsScopeAndHoldsToIt) {
  const std::map<v1::Scope, std::string> keys = {
      {v1::SCOPE_PUBLISH, MakeKey(api(), root_, KeyFor({v1::SCOPE_PUBLISH})).text},
      {v1::SCOPE_READ, MakeKey(api(), root_, KeyFor({v1::SCOPE_READ})).text},
      {v1::SCOPE_ADMIN, root_},
  };
  for (const MethodDescriptor* rpc : contract_->rpcs()) {
    const std::string name = rpc->name();
    const bool looks = absl::StartsWith(name, "Get") || absl::StartsWith(name, "List") ||
                       absl::StartsWith(name, "Watch") || absl::StartsWith(name, "Explain");
    const v1::Scope needed = rpc->service()->name() == "PublisherService" ? v1::SCOPE_PUBLISH
                             : looks && rpc->service()->name() != "ApiKeyService" ? v1::SCOPE_READ
                                                                                  : v1::SCOPE_ADMIN;
    // What a dynamic pool does not know it keeps as unknown fields: read again.
    google::protobuf::MethodOptions options;
    options.ParseFromString(rpc->options().SerializeAsString());
    EXPECT_EQ(options.GetExtension(v1::required_scope), needed) << NameOf(*rpc);
    for (const auto& [scope, key] : keys) {
      // A stream that is let in goes on until somebody ends it.
      if (scope == needed && rpc->server_streaming() && !rpc->client_streaming()) continue;
      const grpc::Status status = CallEmpty(*rpc, Bearer(key));
      if (scope == needed || scope == v1::SCOPE_ADMIN) {
        if (rpc->server_streaming() && !rpc->client_streaming()) continue;
        EXPECT_NE(status.error_code(), StatusCode::PERMISSION_DENIED) << NameOf(*rpc);
        EXPECT_NE(status.error_code(), StatusCode::UNAUTHENTICATED) << NameOf(*rpc);
      } else {
        EXPECT_REFUSED(status, StatusCode::PERMISSION_DENIED)
            << NameOf(*rpc) << " with " << v1::Scope_Name(scope);
      }
    }
  }
}

// Of a bidirectional stream it is each item that is answered.
grpc::Status ItemStatus(const Reply<std::vector<std::string>>& reply) {
  if (!reply.ok() || reply.value.empty()) return reply.status;
  v1::StreamPublishResponse response;
  response.ParseFromString(reply.value[0]);
  return grpc::Status(static_cast<StatusCode>(response.status().code()),
                      response.status().message(), response.status().SerializeAsString());
}

TEST_F(MatrixTest, NothingOfAnotherOrgOrEnvironmentIsReached) {
  const std::map<std::string, std::string> strangers = {
      {"foreign org", MakeKey(api(), root_, KeyFor({v1::SCOPE_ADMIN}, "org_b", kEnv)).text},
      {"whole foreign org", MakeKey(api(), root_, KeyFor({v1::SCOPE_ADMIN}, "org_b")).text},
      {"foreign env", MakeKey(api(), root_, KeyFor({v1::SCOPE_ADMIN}, kOrg, "env_2")).text},
  };
  for (const MethodDescriptor* rpc : contract_->rpcs()) {
    const std::string name = NameOf(*rpc);
    const std::unique_ptr<Message> naming_tenant = contract_->NewRequest(*rpc);
    const int tenants = NameTenant(*naming_tenant, kOrg, kEnv);
    const grpc::Status first = Call(*rpc, strangers.begin()->second, *naming_tenant);
    if (first.error_code() == StatusCode::UNIMPLEMENTED) continue;
    const ResourceIds ids = NewResources();
    const std::unique_ptr<Message> naming_ids = contract_->NewRequest(*rpc);
    if (const auto filling = Fillings().find(rpc->name()); filling != Fillings().end()) {
      ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(filling->second, naming_ids.get()));
    }
    const int resources = NameResources(*naming_ids, ids);
    EXPECT_GT(tenants + resources, 0) << name << " can be limited to nobody's";
    for (const auto& [who, key] : strangers) {
      if (tenants > 0) {
        // An env key's org is the right one, and the request names it beside the wrong env.
        const grpc::Status status =
            rpc->client_streaming()
                ? ItemStatus(api().StreamRaw(name, naming_tenant->SerializeAsString(), Bearer(key)))
                : Call(*rpc, key, *naming_tenant);
        EXPECT_EQ(status.error_code(), StatusCode::PERMISSION_DENIED)
            << name << " with a key of a " << who << ": " << ToText(status);
      }
      if (resources > 0) {
        const Reply<std::string> reply =
            api().CallRaw(name, naming_ids->SerializeAsString(), Bearer(key));
        // A list with a filter for what does not exist is empty.
        const bool empty_list = absl::StartsWith(rpc->name(), "List") && reply.ok();
        if (empty_list) {
          EXPECT_EQ(reply.value, "") << name << " with a key of a " << who;
        } else {
          EXPECT_EQ(reply.status.error_code(), StatusCode::NOT_FOUND)
              << name << " with a key of a " << who << ": " << ToText(reply.status);
        }
      }
    }
    // The owner reaches it: what was refused above was there.
    if (resources == 0 || rpc->server_streaming()) continue;
    const grpc::Status own = Call(*rpc, admin_, *naming_ids);
    EXPECT_TRUE(own.ok() || own.error_code() == StatusCode::FAILED_PRECONDITION)
        << name << " by the owner: " << ToText(own);
  }
}

TEST_F(MatrixTest, WhatARequestLeavesOutIsFilledFromTheKey) {
  const std::string org_wide = MakeKey(api(), root_, KeyFor({v1::SCOPE_ADMIN}, kOrg)).text;
  v1::CreateEndpointRequest create;
  create.mutable_endpoint()->set_url(receiver_.Url());
  const auto call = [&](const std::string& key) {
    return CallAs<v1::CreateEndpointRequest, v1::CreateEndpointResponse>(
        api(), key, "postrider.v1.EndpointService/CreateEndpoint", create);
  };
  const auto own = call(admin_);
  ASSERT_TRUE(own.ok()) << ToText(own.status);
  EXPECT_EQ(own->endpoint().org_id(), kOrg);
  EXPECT_EQ(own->endpoint().env_id(), kEnv);
  // A key of a whole org still has to say which environment.
  EXPECT_BAD_FIELDS(call(org_wide).status, "endpoint.env_id");
  create.mutable_endpoint()->set_env_id("env_9");
  const auto elsewhere = call(org_wide);
  ASSERT_TRUE(elsewhere.ok()) << ToText(elsewhere.status);
  EXPECT_EQ(elsewhere->endpoint().org_id(), kOrg);
  // And one of the installation says both.
  EXPECT_BAD_FIELDS(call(root_).status, "endpoint.org_id");
}

TEST_F(MatrixTest, HealthAndReflectionNeedNoCredential) {
  // The contract of this test was read without one.
  EXPECT_TRUE(IsUnknown(TryKey(api(), "")));
  EXPECT_FALSE(contract_->rpcs().empty());
}

}  // namespace
}  // namespace postrider::testing

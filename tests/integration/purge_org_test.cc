// PurgeOrg: nothing of an org is left, and nothing of another one is touched. GetOrgStats.

#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "postrider/v1/api_key_service.pb.h"
#include "tests/support/engine_test.h"
#include "tests/support/expect.h"

namespace postrider::testing {
namespace {

using ::grpc::StatusCode;

class PurgeOrgTest : public OwnServersTest {
 protected:
  // Events that succeeded, failed and wait; endpoints that are enabled, disabled and deleted; keys,
  // request ids, secrets, headers. Gives the ids of the endpoints.
  std::vector<std::string> FillOrg(Caller& caller) {
    receiver_.AnswerBy([](const ReceivedRequest& request) {
      return Answer{.status = request.target == "/fails" ? 500 : 200, .body = request.body};
    });
    std::vector<std::string> ids;
    for (const char* path : {"/hook?token=orgsecret", "/fails", "/disabled", "/deleted"}) {
      v1::CreateEndpointRequest request;
      *request.mutable_endpoint() = caller.EndpointAt(receiver_.Url(path));
      request.mutable_endpoint()->set_description("of the org");
      (*request.mutable_endpoint()->mutable_headers())["authorization"] = "Bearer orgsecret";
      (*request.mutable_endpoint()->mutable_metadata())["owner"] = "Olga";
      *request.mutable_endpoint()->add_retry_schedule() = ToProto(absl::Hours(1));
      request.set_request_id(absl::StrCat("create ", path));
      const Reply<v1::CreateEndpointResponse> created = caller.api().CreateEndpoint(request);
      EXPECT_TRUE(created.ok()) << ToText(created.status);
      ids.push_back(created->endpoint().id());
    }
    caller.Rotate(ids[0]);
    caller.Disable(ids[2]);
    caller.Delete(ids[3]);
    for (int i = 0; i < 3; ++i) {
      v1::PublishRequest event = caller.Event("message.received", R"({"body":"orgsecret"})");
      event.set_idempotency_key(absl::StrCat("key-", i));
      const std::string id = caller.Publish(event).event_id();
      for (const v1::Delivery& delivery : caller.DeliveriesOf(id)) {
        caller.WaitForAttempts(delivery.id(), 1);
      }
    }
    return ids;
  }

  static Reply<v1::PurgeOrgResponse> Purge(Api& api, const std::string& org) {
    v1::PurgeOrgRequest request;
    request.set_org_id(org);
    return api.PurgeOrg(request);
  }

  // Rows of each table that belong to an org, by whatever column says so; those without any left
  // out, and the audit: it says who purged the org, and stays.
  std::map<std::string, std::string> RowsOf(const std::string& org) {
    std::map<std::string, std::string> rows;
    const std::string environments =
        absl::StrCat("SELECT env_no FROM environments WHERE org_id = '", org, "'");
    const std::map<std::string, std::string> owners = {
        {"env_no", absl::StrCat("env_no IN (", environments, ")")},
        {"org_id", absl::StrCat("org_id = '", org, "'")},
        {"endpoint_id", absl::StrCat("endpoint_id IN (SELECT endpoint_id FROM endpoints WHERE "
                                     "env_no IN (",
                                     environments, "))")}};
    for (const std::vector<std::string>& column : database().Query(
             "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = "
             "c.oid WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = "
             "'public'::regnamespace AND c.relname <> 'audit_records' AND a.attname IN ('env_no', "
             "'org_id', 'endpoint_id')")) {
      const std::string count = database().Value(
          absl::StrCat("SELECT count(*) FROM ", column[0], " WHERE ", owners.at(column[1])));
      if (count != "0") rows[column[0]] = count;
    }
    return rows;
  }
};

TEST_F(PurgeOrgTest, NothingOfTheOrgIsLeftAndTheCountsSaySo) {
  ServerProcess* const server = StartServer();
  ASSERT_NE(server, nullptr);
  Caller first(server->api(), "org_purged", "env_1");
  Caller second(server->api(), "org_purged", "env_2");
  Caller other(server->api(), "org_other", "env_1");
  const std::vector<std::string> endpoints = FillOrg(first);
  FillOrg(second);
  const std::vector<std::string> others = FillOrg(other);
  const std::map<std::string, std::string> of_other = RowsOf("org_other");
  ASSERT_GT(RowsOf("org_purged").size(), 10u);
  const std::string event = first.DeliveriesTo(endpoints[0])[0].event_id();

  v1::CreateApiKeyRequest key;
  key.mutable_api_key()->set_org_id("org_purged");
  key.mutable_api_key()->set_description("of the org");
  key.mutable_api_key()->add_scopes(v1::SCOPE_READ);
  ASSERT_TRUE(server->api()
                  .CallRaw("postrider.v1.ApiKeyService/CreateApiKey", key.SerializeAsString())
                  .ok());

  const Reply<v1::PurgeOrgResponse> purged = Purge(server->api(), "org_purged");
  ASSERT_TRUE(purged.ok()) << ToText(purged.status);
  EXPECT_EQ(purged->api_key_count(), 1);
  EXPECT_EQ(purged->endpoint_count(), 8);
  EXPECT_EQ(purged->event_count(), 6);
  EXPECT_EQ(purged->delivery_count(), 12);
  EXPECT_EQ(purged->attempt_count(), 12);

  // What tells the nodes of it is left for a day, and the numbers of the environments.
  const std::map<std::string, std::string> left = RowsOf("org_purged");
  for (const auto& [table, count] : left) {
    EXPECT_TRUE(table == "environments" || table == "endpoints" || table == "endpoint_states" ||
                table == "endpoint_changes" || table == "endpoint_totals" || table == "api_keys")
        << table << ": " << count;
  }
  EXPECT_EQ(RowsOf("org_other"), of_other);
  Caller(server->api(), "org_other").GetEndpoint(others[0]);
  ASSERT_TRUE(Purge(server->api(), "org_other").ok());
  const std::string dump = database().Dump();
  for (const std::string& text :
       {std::string("orgsecret"), std::string("Olga"), std::string("of the org"),
        receiver_.Url("/fails"), absl::BytesToHexString("orgsecret")}) {
    EXPECT_FALSE(absl::StrContains(dump, text)) << text;
  }

  v1::GetEndpointRequest get;
  get.set_endpoint_id(endpoints[0]);
  EXPECT_REFUSED(server->api().GetEndpoint(get).status, StatusCode::NOT_FOUND);
  v1::GetEventRequest get_event;
  get_event.set_event_id(event);
  EXPECT_REFUSED(server->api().GetEvent(get_event).status, StatusCode::NOT_FOUND);
  v1::ListDeliveriesRequest deliveries;
  deliveries.set_org_id("org_purged");
  EXPECT_EQ(server->api().ListDeliveries(deliveries)->deliveries_size(), 0);
}

TEST_F(PurgeOrgTest, NothingOfTheOrgIsSentAnyMoreAndItCanBeginAnew) {
  ServerProcess* const server = StartServer({"--retry-schedule", "2s"});
  ASSERT_NE(server, nullptr);
  Caller caller(server->api(), "org_purged");
  receiver_.AlwaysAnswer(Answer{.status = 500});
  caller.CreateAt(receiver_.Url());
  caller.WaitForAttempts(caller.DeliveryOf(caller.PublishEvent()).id(), 1);
  ASSERT_TRUE(Purge(server->api(), "org_purged").ok());
  EXPECT_TRUE(receiver_.StaysAt(1, absl::Milliseconds(2500)));
  EXPECT_EQ(caller.Publish().delivery_count(), 0);
  receiver_.AlwaysAnswer(Answer{});
  caller.CreateAt(receiver_.Url());
  caller.WaitForState(caller.DeliveryOf(caller.PublishEvent()).id(), v1::DELIVERY_STATE_SUCCEEDED);
}

TEST_F(PurgeOrgTest, ACrashInTheMiddleLeavesTheRestForTheNextCall) {
  ServerProcess* const server = StartServer();
  ASSERT_NE(server, nullptr);
  Caller caller(server->api(), "org_purged");
  FillOrg(caller);
  // Somebody holds an event fast, so the purge stops in front of the events.
  TestDatabase holder(database().conninfo());
  holder.Query("BEGIN; SELECT event_id FROM events LIMIT 1 FOR UPDATE");
  grpc::Status status;
  std::thread call([&] { status = Purge(server->api(), "org_purged").status; });
  EXPECT_TRUE(WaitUntil([&] {
    return database().Value("SELECT count(*) FROM attempts") == "0" &&
           database().Value("SELECT count(*) FROM closed_deliveries") == "0";
  }));
  server->Kill();
  call.join();
  EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE);
  holder.Query("ROLLBACK");
  EXPECT_EQ(database().Value("SELECT count(*) FROM events"), "3");

  ServerProcess* const next = StartServer();
  ASSERT_NE(next, nullptr);
  const Reply<v1::PurgeOrgResponse> purged = Purge(next->api(), "org_purged");
  ASSERT_TRUE(purged.ok()) << ToText(purged.status);
  EXPECT_EQ(purged->endpoint_count(), 0);
  EXPECT_EQ(purged->event_count(), 3);
  EXPECT_EQ(purged->attempt_count(), 0);
  EXPECT_EQ(database().Value("SELECT count(*) FROM events"), "0");
  EXPECT_EQ(database().Value("SELECT count(*) FROM idempotency_keys"), "0");
}

TEST_F(PurgeOrgTest, LargeOrgsGoInSeveralTransactions) {
  ServerProcess* const server = StartServer();
  ASSERT_NE(server, nullptr);
  Caller caller(server->api(), "org_purged");
  v1::BatchPublishRequest batch;
  for (int i = 0; i < 1000; ++i) *batch.add_requests() = caller.Event();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(server->api().BatchPublish(batch).ok());
  const Reply<v1::PurgeOrgResponse> purged = Purge(server->api(), "org_purged");
  ASSERT_TRUE(purged.ok()) << ToText(purged.status);
  EXPECT_EQ(purged->event_count(), 5000);
  EXPECT_EQ(database().Value("SELECT count(*) FROM events"), "0");
}

TEST_F(PurgeOrgTest, HousekeepingRemovesWhatIsLeftOfDeletedEndpoints) {
  ServerProcess* const server = StartServer();
  ASSERT_NE(server, nullptr);
  Caller purged(server->api(), "org_purged");
  Caller kept(server->api(), "org_kept");
  FillOrg(purged);
  FillOrg(kept);
  ASSERT_TRUE(Purge(server->api(), "org_purged").ok());
  EXPECT_EQ(server->Terminate(), 0);
  // Two days later the purged ones go, with the rest of their org; one that was just deleted stays
  // until its log goes.
  database().Query("UPDATE endpoints SET delete_time = delete_time - interval '2 days'");
  ASSERT_NE(StartServer(), nullptr);
  EXPECT_TRUE(WaitUntil([&] { return database().Value("SELECT count(*) FROM endpoints") == "4"; }));
  const std::map<std::string, std::string> left = RowsOf("org_purged");
  EXPECT_EQ(left, (std::map<std::string, std::string>{{"environments", "1"}}));
  EXPECT_EQ(database().Value("SELECT count(*) FROM endpoint_states"), "4");
}

TEST_F(PurgeOrgTest, AnOrgThatIsNotThereIsOkAndABadNameIsRefused) {
  ServerProcess* const server = StartServer();
  ASSERT_NE(server, nullptr);
  const Reply<v1::PurgeOrgResponse> purged = Purge(server->api(), "org_unknown");
  ASSERT_TRUE(purged.ok()) << ToText(purged.status);
  EXPECT_EQ(purged->event_count(), 0);
  EXPECT_BAD_FIELDS(Purge(server->api(), "").status, "org_id");
  EXPECT_BAD_FIELDS(Purge(server->api(), "a b").status, "org_id");
}

TEST_F(PurgeOrgTest, StatsCountWhatAnOrgHas) {
  ServerProcess* const server = StartServer();
  ASSERT_NE(server, nullptr);
  Caller first(server->api(), "org_1", "env_1");
  Caller second(server->api(), "org_1", "env_2");
  FillOrg(first);
  FillOrg(second);
  v1::GetOrgStatsRequest request;
  EXPECT_BAD_FIELDS(server->api().GetOrgStats(request).status, "org_id");
  request.set_org_id("org_1");
  // Counts of attempts are written every few seconds.
  EXPECT_TRUE(
      WaitUntil([&] { return server->api().GetOrgStats(request)->outcome_counts_size() == 2; }));
  const Reply<v1::GetOrgStatsResponse> stats = server->api().GetOrgStats(request);
  ASSERT_TRUE(stats.ok()) << ToText(stats.status);
  EXPECT_EQ(stats->endpoint_count(), 6);
  EXPECT_EQ(stats->disabled_endpoint_count(), 2);
  EXPECT_EQ(stats->event_count(), 6);
  ASSERT_EQ(stats->delivery_counts_size(), 2);
  EXPECT_EQ(stats->delivery_counts(0).state(), v1::DELIVERY_STATE_PENDING);
  EXPECT_EQ(stats->delivery_counts(0).count(), 6);
  EXPECT_EQ(stats->delivery_counts(1).state(), v1::DELIVERY_STATE_SUCCEEDED);
  EXPECT_EQ(stats->delivery_counts(1).count(), 6);
  EXPECT_EQ(stats->outcome_counts(0).outcome(), v1::ATTEMPT_OUTCOME_SUCCEEDED);
  EXPECT_EQ(stats->outcome_counts(0).count(), 6);
  EXPECT_EQ(stats->outcome_counts(1).outcome(), v1::ATTEMPT_OUTCOME_HTTP_STATUS);
  EXPECT_EQ(stats->outcome_counts(1).count(), 6);
  request.set_env_id("env_2");
  EXPECT_EQ(server->api().GetOrgStats(request)->event_count(), 3);
  request.set_org_id("org_unknown");
  EXPECT_EQ(server->api().GetOrgStats(request)->event_count(), 0);
}

}  // namespace
}  // namespace postrider::testing

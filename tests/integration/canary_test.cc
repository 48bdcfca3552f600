// What a server keeps secret, tried by planting things that can be recognised: endpoint secrets of
// both schemes, API keys, header values, the master key, queries of URLs and payloads. After a wide
// mix of traffic, failures included, they are looked for in the logs of the server and of its
// private PostgreSQL (none of them), in every answer and error (payloads where they belong), in
// what the status server says (none) and in every row of the database (payloads alone, and URLs).

#include <signal.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "postrider/v1/api_key_service.pb.h"
#include "tests/support/engine_test.h"
#include "tests/support/expect.h"
#include "tests/support/scratch_folder.h"

namespace postrider::testing {
namespace {

constexpr char kPayload[] = "canary-payload-zwitschert";
constexpr char kHeader[] = "canary-header-tschilpt";
constexpr char kQuery[] = "canary-query-piept";
constexpr char kPassword[] = "canary-password-kraeht";
constexpr char kOwnSecret[] = "whsec_Y2FuYXJ5LXNlY3JldC1vZi10aGUtY2FsbGVyLXh4";
constexpr char kBadSecret[] =
    "whsec_canary+secret+that+is+too+long+by+far+canary+secret+that+is+t"
    "oo+long+by+far+canary+secret+that+is+too+long+by+far";

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// The middle of a key's text (its ends are hints) and, in hex as a dump prints them, its bytes.
std::vector<std::string> FormsOfKey(const std::string& text) {
  const std::string encoded = text.substr(text.find('_') + 1);
  std::string bytes;
  absl::Base64Unescape(encoded, &bytes);
  std::vector<std::string> forms = {encoded.substr(0, 32),
                                    absl::BytesToHexString(encoded.substr(0, 32))};
  if (!bytes.empty()) forms.push_back(absl::BytesToHexString(bytes.substr(0, 24)));
  return forms;
}

std::vector<std::string> FormsOfText(const std::string& text) {
  return {text, absl::BytesToHexString(text)};
}

class CanaryTest : public OwnServersTest {
 protected:
  void SetUp() override {
    options_.data_dir = ScratchFolder::NewFolder("server");
    options_.flags = {"--retry-schedule",  "1s", "--attempt-timeout", "2s",
                      "--connect-timeout", "1s"};
    ASSERT_NE(Restart(), nullptr);
  }

  ServerProcess* Restart() {
    server_ = StartServerWith(options_);
    if (server_ != nullptr) caller_ = std::make_unique<Caller>(server_->api(), "org_1", "env_1");
    return server_;
  }

  void Heard(const grpc::Status& status) {
    EXPECT_FALSE(status.ok());
    absl::StrAppend(&answers_, status.error_message(), "\n", status.error_details(), "\n");
  }
  template <typename Message>
  void Heard(const Message& message) {
    absl::StrAppend(&answers_, message.DebugString(), "\n");
  }

  // The endpoint, with a secret header and a secret in its query. What creation shows is noted as a
  // secret, and the rest of the answer is listened to.
  std::string CreateAt(const std::string& url,
                       v1::SignatureScheme scheme = v1::SIGNATURE_SCHEME_HMAC_SHA256,
                       const std::string& secret = "") {
    v1::CreateEndpointRequest request;
    *request.mutable_endpoint() = caller_->EndpointAt(absl::StrCat(url, "?token=", kQuery));
    (*request.mutable_endpoint()->mutable_headers())["authorization"] = kHeader;
    request.mutable_endpoint()->set_signature_scheme(scheme);
    if (!secret.empty()) request.set_secret(secret);
    const Reply<v1::CreateEndpointResponse> created = server_->api().CreateEndpoint(request);
    EXPECT_TRUE(created.ok()) << ToText(created.status);
    Heard(created->endpoint());
    secrets_.push_back(created->secret());
    return created->endpoint().id();
  }

  v1::PublishRequest Event() {
    return caller_->Event("message.received", absl::StrCat(R"({"c":")", kPayload, R"("})"));
  }

  void ExpectNone(const std::string& where, const std::string& text,
                  const std::vector<std::string>& forms) {
    for (const std::string& form : forms) {
      const size_t at = text.find(form);
      EXPECT_EQ(at, std::string::npos) << where << " holds " << form << ": "
                                       << text.substr(at < 200 ? 0 : at - 200, 400 + form.size());
    }
  }

  template <typename Response, typename Request>
  Response CallKeys(const std::string& method, const Request& request) {
    const Reply<std::string> reply = server_->api().CallRaw(
        absl::StrCat("postrider.v1.ApiKeyService/", method), request.SerializeAsString());
    EXPECT_TRUE(reply.ok()) << method << ": " << ToText(reply.status);
    Response response;
    EXPECT_TRUE(response.ParseFromString(reply.value));
    return response;
  }

  // Keys that are made, used, used wrongly, listed and revoked.
  void UseApiKeys() {
    v1::CreateApiKeyRequest create;
    create.mutable_api_key()->set_org_id("org_1");
    create.mutable_api_key()->add_scopes(v1::SCOPE_READ);
    for (const char* request_id : {"", "asked again", "asked again"}) {
      create.set_request_id(request_id);
      const auto made = CallKeys<v1::CreateApiKeyResponse>("CreateApiKey", create);
      Heard(made.api_key());
      api_keys_.push_back(made.key());
    }
    EXPECT_EQ(api_keys_[1], api_keys_[2]);
    Heard(CallKeys<v1::ListApiKeysResponse>("ListApiKeys", v1::ListApiKeysRequest()));
    const Reply<std::string> read =
        server_->api().CallRaw("postrider.v1.EndpointService/ListEndpoints", "",
                               {{"authorization", absl::StrCat("Bearer ", api_keys_[0])}});
    EXPECT_TRUE(read.ok()) << ToText(read.status);
    std::string wrong = api_keys_[0];
    wrong.back() = wrong.back() == '0' ? '1' : '0';
    for (const std::string& credential :
         {wrong, api_keys_[1] + "x", absl::StrCat("x", api_keys_[1])}) {
      Heard(server_->api()
                .CallRaw("postrider.v1.ApiKeyService/ListApiKeys", "",
                         {{"authorization", absl::StrCat("Bearer ", credential)}})
                .status);
    }
    v1::CreateEndpointRequest denied;  // needs another scope
    Heard(server_->api()
              .CallRaw("postrider.v1.EndpointService/CreateEndpoint", denied.SerializeAsString(),
                       {{"authorization", absl::StrCat("Bearer ", api_keys_[0])}})
              .status);
    v1::RevokeApiKeyRequest revoke;
    revoke.set_api_key_id(api_keys_[0].substr(0, 4) == "prk_"
                              ? absl::StrCat("key_", api_keys_[0].substr(4, 26))
                              : "");
    CallKeys<v1::RevokeApiKeyResponse>("RevokeApiKey", revoke);
    Heard(
        CallKeys<v1::ListAuditRecordsResponse>("ListAuditRecords", v1::ListAuditRecordsRequest()));
  }

  // Requests that are refused, each with something in it that must not come back.
  void SendBadRequests() {
    v1::CreateEndpointRequest create;
    *create.mutable_endpoint() = caller_->EndpointAt(
        absl::StrCat("https://user:", kPassword, "@example.com/?token=", kQuery));
    (*create.mutable_endpoint()->mutable_headers())["x-broken"] = absl::StrCat(kHeader, "\n");
    create.set_secret(kBadSecret);
    Heard(server_->api().CreateEndpoint(create).status);
    v1::PublishRequest publish = Event();
    for (const std::string& data :
         {absl::StrCat("{\"c\":\"", kPayload), absl::StrCat("[\"", kPayload, "\"]"),
          absl::StrCat("{\"", kPayload, "\":1,\"", kPayload, "\":2}"),
          absl::StrCat("{\"c\":", kPayload, "}")}) {
      publish.set_data_json(data);
      Heard(server_->api().Publish(publish).status);
    }
    v1::BatchPublishRequest batch;
    *batch.add_requests() = Event();
    *batch.add_requests() = publish;
    Heard(server_->api().BatchPublish(batch).status);
    publish = Event();
    publish.set_idempotency_key("once");
    EXPECT_TRUE(server_->api().Publish(publish).ok());
    publish.set_data_json("{}");
    Heard(server_->api().Publish(publish).status);
    Heard(server_->api()
              .CallRaw("postrider.v1.PublisherService/Publish",
                       absl::StrCat(publish.SerializeAsString(), "\xff", kPayload))
              .status);
  }

  // Every outcome that an attempt can have, and what callers do about it.
  void SendTraffic() {
    receiver_.AnswerBy([](const ReceivedRequest& request) {
      Answer answer{.body = request.body};  // repeats the payload, as receivers do
      if (absl::StartsWith(request.target, "/fails")) answer.status = 500;
      if (absl::StartsWith(request.target, "/gone")) answer.status = 410;
      if (absl::StartsWith(request.target, "/garbage")) answer.raw = "SSH-2.0-x\r\n\r\n";
      if (absl::StartsWith(request.target, "/drops")) answer.drop = true;
      if (absl::StartsWith(request.target, "/slow")) answer.delay = absl::Seconds(3);
      return answer;
    });
    const std::string works = CreateAt(receiver_.Url("/works"));
    CreateAt(receiver_.Url("/own"), v1::SIGNATURE_SCHEME_HMAC_SHA256, kOwnSecret);
    const std::string ed25519 = CreateAt(receiver_.Url("/keys"), v1::SIGNATURE_SCHEME_ED25519);
    std::vector<std::string> failing;
    for (const std::string& url :
         {receiver_.Url("/fails"), receiver_.Url("/garbage"), receiver_.Url("/drops"),
          receiver_.Url("/slow"), absl::StrCat("http://127.0.0.1:", RefusingPort(), "/refused"),
          absl::StrCat("https://127.0.0.1:", receiver_.port(), "/no-tls"),
          std::string("https://canary.invalid/no-such-name")}) {
      failing.push_back(CreateAt(url));
    }
    const std::string gone = CreateAt(receiver_.Url("/gone"));
    secrets_.push_back(caller_->Rotate(works));
    secrets_.push_back(caller_->Rotate(ed25519));
    for (int i = 0; i < 3; ++i) {
      v1::PublishRequest event = Event();
      event.set_idempotency_key(absl::StrCat("key-", i));
      Heard(caller_->Publish(event));
    }
    for (const std::string& id : failing) EXPECT_TRUE(caller_->WaitUntilIdle(id)) << id;
    caller_->WaitForEndpointState(gone, v1::ENDPOINT_STATE_DISABLED);
    const std::string deleted = CreateAt(receiver_.Url("/fails/and/goes"));
    caller_->PublishEvent();
    caller_->Disable(works);
    caller_->PublishEvent();
    caller_->Enable(works);
    v1::Endpoint endpoint;
    endpoint.set_id(works);
    (*endpoint.mutable_headers())["authorization"] = absl::StrCat(kHeader, "-changed");
    Heard(caller_->Update(endpoint, {"headers"}));
    const std::string delivery = caller_->DeliveriesTo(works)[0].id();
    caller_->WaitForState(caller_->Redeliver(delivery).id(), v1::DELIVERY_STATE_SUCCEEDED);
    caller_->Delete(deleted);
    v1::PurgeEventRequest purge;
    purge.set_event_id(caller_->Publish(Event()).event_id());
    Heard(server_->api().PurgeEvent(purge).value);
  }

  // The private PostgreSQL dies under publishing callers, then the server itself.
  void CrashEverything() {
    int64_t postmaster = 0;
    ASSERT_TRUE(absl::SimpleAtoi(FirstLine(options_.data_dir + "/postgres/data/postmaster.pid"),
                                 &postmaster));
    kill(static_cast<pid_t>(postmaster), SIGKILL);
    for (int i = 0; i < 20; ++i) {
      const grpc::Status status = server_->api().Publish(Event()).status;
      if (!status.ok()) Heard(status);
    }
    EXPECT_TRUE(WaitUntil([&] { return server_->api().Publish(Event()).ok(); }));
    log_ += server_->Log();
    server_->Kill();
    options_.flags.insert(options_.flags.end(), {"--log-format", "text"});
    ASSERT_NE(Restart(), nullptr);
    EXPECT_TRUE(server_->api().Publish(Event()).ok());
  }

  static std::string FirstLine(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
  }

  // Every Get and List.
  void ReadEverything() {
    const auto endpoints = server_->api().ListEndpoints({});
    Heard(endpoints.value);
    for (const v1::Endpoint& endpoint : endpoints->endpoints()) {
      Heard(caller_->GetEndpoint(endpoint.id()));
      for (const v1::Delivery& delivery : caller_->DeliveriesTo(endpoint.id())) Heard(delivery);
      for (v1::Attempt attempt : caller_->AttemptsTo(endpoint.id())) {
        attempt.clear_response_body();  // what the receiver said: here, the payload
        Heard(attempt);
      }
    }
    Heard(server_->api().ListEvents({}).value);
    v1::GetOrgStatsRequest stats;
    stats.set_org_id("org_1");
    Heard(server_->api().GetOrgStats(stats).value);
  }

  ServerProcess::Options options_;
  ServerProcess* server_ = nullptr;
  std::unique_ptr<Caller> caller_;
  std::vector<std::string> secrets_;
  std::vector<std::string> api_keys_;
  std::string answers_;
  std::string log_;
};

TEST_F(CanaryTest, WhatIsSecretIsFoundNowhereAndPayloadsOnlyWhereTheyBelong) {
  SendTraffic();
  UseApiKeys();
  SendBadRequests();
  CrashEverything();
  ReadEverything();
  log_ += server_->Log();
  std::string status;
  for (const char* path : {"/metrics", "/healthz", "/readyz", "/"}) {
    status += HttpGet(server_->http_address(), path);
  }
  TestDatabase database(
      absl::StrCat("host=", options_.data_dir, "/postgres/run user=postrider dbname=postrider"));
  const std::string dump = database.Dump();
  EXPECT_EQ(server_->Terminate(), 0);
  log_ += server_->Log();
  log_ += ReadAll(options_.data_dir + "/postgres/postgres.log");

  // The search can find: all of this is there to be found.
  ASSERT_GE(secrets_.size(), 13u);
  ASSERT_TRUE(absl::StrContains(log_, "draining"));
  ASSERT_TRUE(absl::StrContains(log_, "database system is ready")) << log_;
  ASSERT_TRUE(absl::StrContains(answers_, "org_1"));
  ASSERT_TRUE(absl::StrContains(status, "200"));
  ASSERT_TRUE(absl::StrContains(dump, absl::BytesToHexString(kPayload)));

  std::vector<std::string> secret_forms;
  for (const std::string& secret : secrets_) {
    for (const std::string& form : FormsOfKey(secret)) secret_forms.push_back(form);
  }
  for (const std::string& form : FormsOfKey(ReadAll(options_.data_dir + "/master-key"))) {
    secret_forms.push_back(form);
  }
  for (const std::string& key : api_keys_) {
    const std::string secret = key.substr(key.rfind('_') + 1);
    ASSERT_EQ(secret.size(), 64u);
    for (const std::string& form : FormsOfText(secret.substr(0, 60))) secret_forms.push_back(form);
  }
  for (const char* text : {kHeader, kPassword, kBadSecret}) {
    for (const std::string& form : FormsOfText(text)) secret_forms.push_back(form);
  }
  for (const auto& [where, text] : {std::pair<const char*, const std::string&>{"the log", log_},
                                    {"an answer", answers_},
                                    {"the status server", status},
                                    {"the database", dump}}) {
    ExpectNone(where, text, secret_forms);
  }
  for (const char* text : {kPayload, kQuery}) {
    ExpectNone("the log", log_, FormsOfText(text));
    ExpectNone("the status server", status, FormsOfText(text));
  }
  // Events were listed without their data, and no error quoted any.
  ExpectNone("an answer", answers_, FormsOfText(kPayload));
}

}  // namespace
}  // namespace postrider::testing

#include "tools/postrider/commands.h"

#include <initializer_list>

#include "tools/postrider/call.h"
#include "tools/postrider/list_call.h"
#include "tools/postrider/publish_command.h"
#include "tools/postrider/receive_command.h"
#include "tools/postrider/verify_command.h"

namespace postrider::cli {
namespace {

constexpr Flag kOrg = {"--org", "ORG", "only of this org", "org_id"};
constexpr Flag kEnv = {"--env", "ENV", "only of this environment", "env_id"};
constexpr Flag kStartTime = {"--start-time", "TIME", "only from this time on (RFC 3339)",
                             "start_time"};
constexpr Flag kEndTime = {"--end-time", "TIME", "only before this time (RFC 3339)", "end_time"};
constexpr Flag kRequestId = {
    "--request-id", "ID", "a key of your own that makes repeating this command safe", "request_id"};
constexpr Argument kEndpointId = {"ENDPOINT_ID", "endpoint_id"};
constexpr Argument kDeliveryId = {"DELIVERY_ID", "delivery_id"};
constexpr absl::string_view kSecretNote = "The secret is not shown again: keep it now.";
constexpr absl::string_view kSecretEnv = "POSTRIDER_WEBHOOK_SECRET";

using FlagList = std::vector<Flag>;

FlagList Joined(std::initializer_list<FlagList> lists) {
  FlagList all;
  for (const FlagList& list : lists) all.insert(all.end(), list.begin(), list.end());
  return all;
}

FlagList Paging() {
  return {{"--page-size", "N", "resources per call, at most 1000", "page_size"},
          {"--page-token", "TOKEN", "go on where an earlier list ended", "page_token"},
          {.name = "--limit",
           .value = "N",
           .help = "resources in all; as many calls as that needs",
           .default_value = "100"}};
}

// What create and update have in common.
FlagList EndpointSettings() {
  return {
      {"--event", "TYPE", "subscribe to a type, or to a prefix such as message.*; default all",
       "endpoint.events", FlagUse::kRepeated},
      {"--description", "TEXT", "what the endpoint is for", "endpoint.description"},
      {"--header", "'NAME: VALUE'", "send this header with every request", "endpoint.headers",
       FlagUse::kRepeated},
      {"--retry-schedule", "SPANS", "waits before each retry, such as 30s,2m,10m",
       "endpoint.retry_schedule"},
      {"--no-retries", "", "one attempt and no more", "endpoint.retries_disabled"},
      {"--disable-threshold", "N", "consecutive failures that disable it; 0 is never",
       "endpoint.disable_threshold"},
      {"--timeout", "SPAN", "for one attempt", "endpoint.timeout"},
      {"--max-in-flight", "N", "attempts at once", "endpoint.max_in_flight"},
      {"--rate-limit", "R", "attempts a second", "endpoint.rate_limit_per_second"},
      {"--ordered", "", "one delivery at a time, in the order of acceptance", "endpoint.ordered"},
      {"--metadata", "KEY=VALUE", "a label of your own", "endpoint.metadata", FlagUse::kRepeated},
  };
}

std::vector<Command> EndpointCommands() {
  using namespace v1;  // NOLINT: requests and responses of this contract only
  return {
      {"endpoint",
       "create",
       "Creates an endpoint and shows its secret",
       UnaryCall<CreateEndpointRequest, CreateEndpointResponse>,
       {},
       Joined({{{"--org", "ORG", "the org whose events it gets; default that of the key",
                 "endpoint.org_id"},
                {"--env", "ENV", "the environment in the org; default that of the key",
                 "endpoint.env_id"},
                {"--url", "URL", "where requests are sent", "endpoint.url", FlagUse::kRequired}},
               EndpointSettings(),
               {{"--scheme", "SCHEME", "sign by HMAC_SHA256 or ED25519; default HMAC_SHA256",
                 "endpoint.signature_scheme"},
                {"--secret", "SECRET",
                 "sign with this whsec_ secret, for ED25519 this whsk_; default a random one",
                 "secret"},
                kRequestId}}),
       kSecretNote},
      {"endpoint",
       "list",
       "Lists endpoints, newest first",
       ListCall<ListEndpointsRequest, ListEndpointsResponse>,
       {},
       Joined({{kOrg, kEnv, {"--state", "STATE", "only ENABLED or only DISABLED ones", "state"}},
               Paging()})},
      {"endpoint", "get", "Shows an endpoint", UnaryCall<GetEndpointRequest, GetEndpointResponse>,
       kEndpointId},
      {"endpoint",
       "update",
       "Changes the settings that are given; an empty value ('') resets one to its default",
       UnaryCall<UpdateEndpointRequest, UpdateEndpointResponse>,
       {"ENDPOINT_ID", "endpoint.id"},
       Joined({{{"--url", "URL", "where requests are sent", "endpoint.url"}},
               EndpointSettings(),
               {{.name = "--etag",
                 .value = "ETAG",
                 .help = "change it only if it still has this etag",
                 .field = "endpoint.etag",
                 .masked = false}}})},
      {"endpoint",
       "delete",
       "Deletes an endpoint and cancels what it still had to get",
       UnaryCall<DeleteEndpointRequest, DeleteEndpointResponse>,
       kEndpointId,
       {},
       "Deleted."},
      {"endpoint",
       "enable",
       "Enables an endpoint; what was held for it goes on",
       UnaryCall<EnableEndpointRequest, EnableEndpointResponse>,
       kEndpointId,
       {{"--discard-pending", "", "cancel what was held instead", "discard_pending"}}},
      {"endpoint", "disable", "Disables an endpoint; what it still has to get is held",
       UnaryCall<DisableEndpointRequest, DisableEndpointResponse>, kEndpointId},
      {"endpoint",
       "rotate-secret",
       "Gives an endpoint a new secret and shows it",
       UnaryCall<RotateEndpointSecretRequest, RotateEndpointSecretResponse>,
       kEndpointId,
       {{"--scheme", "SCHEME", "sign by HMAC_SHA256 or ED25519; default as before",
         "signature_scheme"},
        {"--secret", "SECRET", "the new whsec_ secret, for ED25519 whsk_; default a random one",
         "secret"},
        {"--overlap", "SPAN", "how long the old secret still signs, 0s to 7d; default 24h",
         "overlap"},
        kRequestId},
       kSecretNote},
      {"endpoint", "test", "Sends a test event to an endpoint"},
      {"endpoint", "stats", "Shows how attempts to an endpoint went"},
  };
}

std::vector<Command> EventCommands() {
  using namespace v1;  // NOLINT: as above
  return {
      {"event",
       "publish",
       "Publishes an event",
       PublishEvent,
       {.name = "-", .required = false},
       {{"--org", "ORG", "the org of the event; default that of the key", "org_id"},
        {"--env", "ENV", "the environment in the org; default that of the key", "env_id"},
        {"--type", "TYPE", "the event type, such as message.received", "type", FlagUse::kRequired},
        {"--data", "JSON", "the data, a JSON object"},
        {"--data-file", "FILE", "read the data from a file; - is standard input"},
        {"--idempotency-key", "KEY", "makes repeating safe; default a random one",
         "idempotency_key"},
        {"--event-time", "TIME", "when it happened (RFC 3339); default now", "event_time"},
        {"--validate-only", "", "check it and show who would get it, but send nothing",
         "validate_only"}}},
      {"event",
       "get",
       "Shows an event with its data",
       UnaryCall<GetEventRequest, GetEventResponse>,
       {.name = "EVENT_ID", .field = "event_id", .required = false},
       {{"--idempotency-key", "KEY", "find it by its key instead of its id", "idempotency_key"},
        {"--org", "ORG", "the org of the key", "org_id"},
        {"--env", "ENV", "the environment of the key", "env_id"}}},
      {"event",
       "list",
       "Lists events, newest first",
       ListCall<ListEventsRequest, ListEventsResponse>,
       {},
       Joined({{kOrg,
                kEnv,
                {"--type", "TYPE", "only of this type, or prefix such as message.*", "types",
                 FlagUse::kRepeated},
                kStartTime,
                kEndTime,
                {"--include-data", "", "show the data too", "include_data"}},
               Paging()})},
      {"event", "watch", "Shows events as they are accepted"},
  };
}

std::vector<Command> DeliveryCommands() {
  using namespace v1;  // NOLINT: as above
  return {
      {"delivery",
       "list",
       "Lists deliveries, newest first",
       ListCall<ListDeliveriesRequest, ListDeliveriesResponse>,
       {},
       Joined({{kOrg,
                kEnv,
                {"--endpoint", "ID", "only to this endpoint", "endpoint_id"},
                {"--event", "ID", "only of this event", "event_id"},
                {"--state", "STATE",
                 "only PENDING, IN_PROGRESS, SUCCEEDED, FAILED or CANCELED ones", "state"},
                kStartTime,
                kEndTime},
               Paging()})},
      {"delivery", "get", "Shows a delivery", UnaryCall<GetDeliveryRequest, GetDeliveryResponse>,
       kDeliveryId},
      {"delivery",
       "attempts",
       "Lists the attempts of a delivery or to an endpoint, newest first",
       ListCall<ListAttemptsRequest, ListAttemptsResponse>,
       {.name = "DELIVERY_ID", .field = "delivery_id", .required = false},
       Joined({{{"--endpoint", "ID", "those to this endpoint", "endpoint_id"},
                {"--outcome", "OUTCOME", "only with this outcome, such as TIMEOUT", "outcome"},
                kStartTime,
                kEndTime},
               Paging()})},
      {"delivery",
       "redeliver",
       "Sends the event of a delivery to its endpoint again",
       UnaryCall<RedeliverDeliveryRequest, RedeliverDeliveryResponse>,
       kDeliveryId,
       {kRequestId}},
      {"delivery", "cancel", "Ends a delivery that is still open",
       UnaryCall<CancelDeliveryRequest, CancelDeliveryResponse>, kDeliveryId},
      {"delivery", "explain", "Says what became of an event at an endpoint"},
      {"delivery", "watch", "Shows attempts as they finish"},
  };
}

std::vector<Command> KeyCommands() {
  using namespace v1;  // NOLINT: as above
  return {
      {"key",
       "create",
       "Creates an API key and shows it",
       UnaryCall<CreateApiKeyRequest, CreateApiKeyResponse>,
       {},
       {{"--scope", "SCOPE", "what it may do: PUBLISH, READ or ADMIN", "api_key.scopes",
         FlagUse::kRepeated},
        {"--description", "TEXT", "what it is for", "api_key.description"},
        {"--org", "ORG", "the org it is for; default that of your key", "api_key.org_id"},
        {"--env", "ENV", "the environment in the org; default that of your key", "api_key.env_id"},
        {"--expire-time", "TIME", "refused from this time on (RFC 3339); default never",
         "api_key.expire_time"},
        {"--certificate-san", "NAME",
         "a client certificate with this DNS name or URI has the rights of the key",
         "api_key.certificate_san"},
        kRequestId},
       "The key is not shown again: keep it now."},
      {"key",
       "list",
       "Lists API keys, newest first",
       ListCall<ListApiKeysRequest, ListApiKeysResponse>,
       {},
       Joined({{kOrg, kEnv}, Paging()})},
      {"key",
       "revoke",
       "Revokes an API key for good",
       UnaryCall<RevokeApiKeyRequest, RevokeApiKeyResponse>,
       {"KEY_ID", "api_key_id"},
       {},
       "Revoked: within 5 seconds no server takes it any more."},
      {"key",
       "audit",
       "Lists what callers with scope ADMIN did, newest first",
       ListCall<ListAuditRecordsRequest, ListAuditRecordsResponse>,
       {},
       Joined({{kOrg,
                kEnv,
                {"--key", "KEY_ID", "only calls with this key", "api_key_id"},
                {"--resource", "ID", "only calls about this resource", "resource_id"},
                kStartTime,
                kEndTime},
               Paging()})},
  };
}

std::vector<Command> LocalCommands() {
  return {
      {"verify",
       "",
       "Checks the signature of a request, without calling a server",
       VerifySignature,
       {},
       {{.name = "--secret",
         .value = "SECRET",
         .help = "the whsec_ secret or whpk_ public key of the endpoint",
         .use = FlagUse::kRequired,
         .env = kSecretEnv},
        {.name = "--id", .value = "ID", .help = "its webhook-id", .use = FlagUse::kRequired},
        {.name = "--timestamp",
         .value = "SECONDS",
         .help = "its webhook-timestamp",
         .use = FlagUse::kRequired},
        {.name = "--signature",
         .value = "SIGNATURE",
         .help = "its webhook-signature",
         .use = FlagUse::kRequired},
        {.name = "--body-file",
         .value = "FILE",
         .help = "its body, byte for byte; - is standard input",
         .default_value = "-"},
        {.name = "--tolerance",
         .value = "SPAN",
         .help = "how far the timestamp may lie from now",
         .default_value = "5m"},
        {"--no-tolerance", "", "take any timestamp"}}},
      {"receive",
       "",
       "Receives webhooks on this machine, verifies and prints them",
       ReceiveWebhooks,
       {},
       {{.name = "--port",
         .value = "N",
         .help = "port to listen on; 0 takes a free one",
         .default_value = "8080"},
        {.name = "--listen",
         .value = "ADDRESS",
         .help = "address to listen on",
         .default_value = "127.0.0.1"},
        {.name = "--secret",
         .value = "SECRET",
         .help = "verify with this whsec_ secret or whpk_ public key; without one nothing is "
                 "verified",
         .use = FlagUse::kRepeated,
         .env = kSecretEnv},
        {.name = "--status",
         .value = "CODE",
         .help = "answer accepted requests with this status, 200 to 599",
         .default_value = "200"},
        {"--count", "N", "end after this many accepted requests"},
        {"--show-body", "", "print bodies too"}}},
  };
}

std::vector<Command> LaterCommands() {
  return {
      {"recovery", "create", "Delivers what an endpoint did not get in a span of time"},
      {"recovery", "get", "Shows a recovery"},
      {"recovery", "list", "Lists recoveries"},
      {"recovery", "cancel", "Stops a recovery"},
      {"event-type", "create", "Adds an event type to the catalogue"},
      {"event-type", "get", "Shows an event type"},
      {"event-type", "list", "Lists event types"},
      {"event-type", "update", "Changes an event type"},
      {"event-type", "delete", "Deletes an event type"},
  };
}

}  // namespace

const std::vector<Command>& Commands() {
  static const auto* const kCommands = [] {
    auto* all = new std::vector<Command>();
    for (const auto& group : {EndpointCommands(), EventCommands(), DeliveryCommands(),
                              KeyCommands(), LocalCommands(), LaterCommands()}) {
      all->insert(all->end(), group.begin(), group.end());
    }
    return all;
  }();
  return *kCommands;
}

absl::Span<const Flag> GlobalFlags() {
  static constexpr Flag kFlags[] = {
      {.name = "--address",
       .value = "ADDRESS",
       .help = "the server, HOST:PORT or unix:PATH",
       .env = "POSTRIDER_ADDRESS",
       .default_value = "127.0.0.1:50051"},
      {.name = "--api-key", .value = "KEY", .help = "key to call with", .env = "POSTRIDER_API_KEY"},
      {.name = "--api-key-file",
       .value = "FILE",
       .help = "file that holds the key to call with",
       .env = "POSTRIDER_API_KEY_FILE"},
      {.name = "--tls", .value = "", .help = "encrypt the connection; the flags below do too"},
      {.name = "--tls-ca",
       .value = "FILE",
       .help = "authorities that vouch for the server; default the system's",
       .env = "POSTRIDER_TLS_CA"},
      {.name = "--tls-cert",
       .value = "FILE",
       .help = "client certificate to call with",
       .env = "POSTRIDER_CLIENT_CERT"},
      {.name = "--tls-key",
       .value = "FILE",
       .help = "key of the client certificate",
       .env = "POSTRIDER_CLIENT_KEY"},
      {.name = "--output", .value = "FORMAT", .help = "table or json", .default_value = "table"},
  };
  return kFlags;
}

}  // namespace postrider::cli

// The contract around the calls: what is not available yet, health, reflection, and messages that
// are not valid protobuf.

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.pb.h"
#include "tests/support/engine_test.h"
#include "tests/support/expect.h"
#include "tests/support/health.h"

namespace postrider::testing {
namespace {

using ::grpc::StatusCode;

class ProtocolTest : public EngineTest {};

TEST_F(ProtocolTest, WhatIsNotAvailableYetIsUnimplementedAndSaysSo) {
  for (const char* method :
       {"EndpointService/TestEndpoint", "EndpointService/GetEndpointStats",
        "EventService/WatchEvents", "DeliveryService/WatchAttempts",
        "DeliveryService/ExplainDelivery", "DeliveryService/CreateRecovery",
        "DeliveryService/GetRecovery", "DeliveryService/ListRecoveries",
        "DeliveryService/CancelRecovery", "EventTypeService/CreateEventType",
        "EventTypeService/GetEventType", "EventTypeService/ListEventTypes",
        "EventTypeService/UpdateEventType", "EventTypeService/DeleteEventType"}) {
    const grpc::Status status = api().CallRaw(absl::StrCat("postrider.v1.", method), "").status;
    EXPECT_REFUSED(status, StatusCode::UNIMPLEMENTED) << method;
    const std::string rpc = std::string(method).substr(std::string(method).find('/') + 1);
    EXPECT_TRUE(absl::StrContains(status.error_message(), rpc)) << ToText(status);
  }
}

TEST_F(ProtocolTest, HealthIsServing) {
  EXPECT_EQ(HealthOf(api()), Health::kServing);
  EXPECT_EQ(HealthOf(api(), "no.such.Service"), Health::kServiceUnknown);
}

TEST_F(ProtocolTest, ReflectionListsEveryService) {
  const absl::StatusOr<std::vector<std::string>> services = ReflectedServices(api());
  ASSERT_TRUE(services.ok()) << services.status();
  for (const char* service :
       {"postrider.v1.PublisherService", "postrider.v1.EndpointService",
        "postrider.v1.EventService", "postrider.v1.DeliveryService",
        "postrider.v1.EventTypeService", "postrider.v1.ApiKeyService", "postrider.v1.OrgService",
        "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}) {
    EXPECT_EQ(std::count(services->begin(), services->end(), service), 1) << service;
  }
}

TEST_F(ProtocolTest, ReflectionDescribesTheContract) {
  const absl::StatusOr<std::vector<std::string>> files =
      ReflectedFiles(api(), "postrider.v1.PublisherService");
  ASSERT_TRUE(files.ok()) << files.status();
  bool found = false;
  for (const std::string& bytes : *files) {
    google::protobuf::FileDescriptorProto file;
    ASSERT_TRUE(file.ParseFromString(bytes));
    for (const auto& service : file.service()) {
      found |= service.name() == "PublisherService" && service.method_size() == 3;
    }
  }
  EXPECT_TRUE(found);
}

TEST_F(ProtocolTest, TheHttpListenerAnswersProbes) {
  EXPECT_TRUE(absl::StartsWith(HttpGet(server().http_address(), "/healthz"), "HTTP/1.1 200"));
  EXPECT_TRUE(absl::StartsWith(HttpGet(server().http_address(), "/readyz"), "HTTP/1.1 200"));
  EXPECT_TRUE(absl::StartsWith(HttpGet(server().http_address(), "/nothing"), "HTTP/1.1 404"));
}

TEST_F(ProtocolTest, AnUnknownMethodIsUnimplemented) {
  EXPECT_EQ(api().CallRaw("postrider.v1.PublisherService/NoSuchMethod", "").status.error_code(),
            StatusCode::UNIMPLEMENTED);
}

// Bytes that are no message of the request's type.
struct Malformed {
  const char* name;
  std::string bytes;
};

const std::vector<Malformed>& AllMalformed() {
  static const auto* const all = new std::vector<Malformed>{
      {"a field cut short", std::string("\x0a\x05 ab", 5)},
      {"a number cut short", std::string("\x08\xff", 2)},
      {"a field of number zero", std::string("\x00\x01", 2)},
      {"a group that does not end", std::string("\xfb\x01", 2)},
      {"a wire type that does not exist", std::string("\x0e", 1)},
  };
  return *all;
}

// On a database of its own: nothing else is under way there.
class MalformedMessageTest : public OwnServersTest {};

TEST_F(MalformedMessageTest, IsInvalidArgumentInEveryMethodAndNothingIsStored) {
  ServerProcess* const server = StartServer();
  ASSERT_NE(server, nullptr);
  const std::string before = database().Dump();
  for (const char* method :
       {"PublisherService/Publish", "PublisherService/BatchPublish",
        "PublisherService/StreamPublish", "EndpointService/CreateEndpoint",
        "EndpointService/GetEndpoint", "EndpointService/ListEndpoints",
        "EndpointService/UpdateEndpoint", "EndpointService/DeleteEndpoint",
        "EndpointService/EnableEndpoint", "EndpointService/DisableEndpoint",
        "EndpointService/RotateEndpointSecret", "EventService/GetEvent", "EventService/ListEvents",
        "DeliveryService/GetDelivery", "DeliveryService/ListDeliveries",
        "DeliveryService/ListAttempts", "DeliveryService/RedeliverDelivery",
        "DeliveryService/CancelDelivery"}) {
    for (const Malformed& malformed : AllMalformed()) {
      EXPECT_REFUSED(
          server->api().CallRaw(absl::StrCat("postrider.v1.", method), malformed.bytes).status,
          StatusCode::INVALID_ARGUMENT)
          << method << ": " << malformed.name;
    }
  }
  EXPECT_EQ(database().Dump(), before);
}

TEST_F(ProtocolTest, TextThatIsNotUtf8IsInvalidArgumentInEveryMethod) {
  const std::string first("\x0a\x02\xc3\x28", 4);       // Field 1.
  const std::string second("\x12\x01\xff", 3);          // Field 2.
  const std::string nested("\x0a\x03\x12\x01\xff", 5);  // Field 2 of field 1.
  const std::vector<std::pair<const char*, std::string>> calls = {
      {"PublisherService/Publish", first},
      {"PublisherService/Publish", second},
      {"PublisherService/BatchPublish", nested},
      {"PublisherService/StreamPublish", std::string("\x12\x03\x0a\x01\xff", 5)},
      {"EndpointService/CreateEndpoint", nested},
      {"EndpointService/GetEndpoint", first},
      {"EndpointService/ListEndpoints", second},
      {"EndpointService/UpdateEndpoint", nested},
      {"EndpointService/DeleteEndpoint", first},
      {"EndpointService/EnableEndpoint", first},
      {"EndpointService/DisableEndpoint", first},
      {"EndpointService/RotateEndpointSecret", first},
      {"EventService/GetEvent", second},
      {"EventService/ListEvents", second},
      {"DeliveryService/GetDelivery", first},
      {"DeliveryService/ListDeliveries", second},
      {"DeliveryService/ListAttempts", second},
      {"DeliveryService/RedeliverDelivery", first},
      {"DeliveryService/CancelDelivery", first}};
  for (const auto& [method, bytes] : calls) {
    EXPECT_REFUSED(api().CallRaw(absl::StrCat("postrider.v1.", method), bytes).status,
                   StatusCode::INVALID_ARGUMENT)
        << method;
  }
}

TEST_F(ProtocolTest, AnEndlesslyNestedMessageIsInvalidArgumentAndDoesNoHarm) {
  // A Struct of 5,000 levels: Value.struct_value (field 5) of Struct.fields (field 1), value 2.
  google::protobuf::Struct data;
  (*data.mutable_fields())["a"].set_bool_value(true);
  v1::PublishRequest request = Event();
  *request.mutable_data() = data;
  std::string bytes = data.SerializeAsString();
  const auto wrap = [](int field, const std::string& inside) {
    std::string wrapped(1, static_cast<char>(field << 3 | 2));
    size_t size = inside.size();
    while (size >= 0x80) {
      wrapped.push_back(static_cast<char>((size & 0x7f) | 0x80));
      size >>= 7;
    }
    wrapped.push_back(static_cast<char>(size));
    return wrapped + inside;
  };
  for (int level = 0; level < 5000; ++level) {
    bytes = wrap(1, wrap(1, "a") + wrap(2, wrap(5, bytes)));
  }
  const std::string message = wrap(1, org()) + wrap(2, env()) + wrap(3, "a.b") + wrap(4, bytes);
  EXPECT_REFUSED(api().CallRaw("postrider.v1.PublisherService/Publish", message).status,
                 StatusCode::INVALID_ARGUMENT);
  Publish(Event());  // The server lives.
}

TEST_F(ProtocolTest, FieldsThatThisVersionDoesNotKnowArePassedOver) {
  std::string message = Event().SerializeAsString();
  message += std::string("\xfa\x3e\x03xyz", 6);  // Field 1007.
  const Reply<std::string> reply = api().CallRaw("postrider.v1.PublisherService/Publish", message);
  EXPECT_TRUE(reply.ok()) << ToText(reply.status);
}

}  // namespace
}  // namespace postrider::testing

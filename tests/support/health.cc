#include "tests/support/health.h"

#include "absl/strings/str_cat.h"
#include "google/protobuf/unknown_field_set.h"

namespace postrider::testing {
namespace {

using ::google::protobuf::UnknownField;
using ::google::protobuf::UnknownFieldSet;

constexpr char kReflection[] = "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

std::string MessageWith(int field, const std::string& value) {
  UnknownFieldSet message;
  message.AddLengthDelimited(field, value);
  std::string bytes;
  message.SerializeToString(&bytes);
  return bytes;
}

// The length-delimited values of a field.
std::vector<std::string> ValuesOf(const std::string& message, int field) {
  UnknownFieldSet fields;
  std::vector<std::string> values;
  if (!fields.ParseFromString(message)) return values;
  for (int i = 0; i < fields.field_count(); ++i) {
    const UnknownField& at = fields.field(i);
    if (at.number() == field && at.type() == UnknownField::TYPE_LENGTH_DELIMITED) {
      values.push_back(at.length_delimited());
    }
  }
  return values;
}

// The values of `inner` in every `outer` of every answer.
absl::StatusOr<std::vector<std::string>> Ask(Api& api, const std::string& request, int outer,
                                             int inner) {
  const Reply<std::vector<std::string>> reply = api.StreamRaw(kReflection, request);
  if (!reply.ok()) return absl::UnknownError(ToText(reply.status));
  std::vector<std::string> found;
  for (const std::string& message : reply.value) {
    for (const std::string& part : ValuesOf(message, outer)) {
      for (std::string& value : ValuesOf(part, inner)) found.push_back(std::move(value));
    }
  }
  return found;
}

}  // namespace

Health HealthOf(Api& api, const std::string& service) {
  const Reply<std::string> reply =
      api.CallRaw("grpc.health.v1.Health/Check", service.empty() ? "" : MessageWith(1, service));
  if (reply.status.error_code() == grpc::StatusCode::NOT_FOUND) return Health::kServiceUnknown;
  if (!reply.ok()) return Health::kNoAnswer;
  UnknownFieldSet answer;
  if (!answer.ParseFromString(reply.value)) return Health::kNoAnswer;
  if (answer.field_count() == 0) return Health::kUnknown;
  return answer.field(0).varint() == 1 ? Health::kServing : Health::kNotServing;
}

absl::StatusOr<std::vector<std::string>> ReflectedServices(Api& api) {
  constexpr int kListServices = 7;
  constexpr int kListServicesResponse = 6;
  constexpr int kService = 1;
  constexpr int kName = 1;
  absl::StatusOr<std::vector<std::string>> services =
      Ask(api, MessageWith(kListServices, "*"), kListServicesResponse, kService);
  if (!services.ok()) return services.status();
  std::vector<std::string> names;
  for (const std::string& service : *services) {
    for (std::string& name : ValuesOf(service, kName)) names.push_back(std::move(name));
  }
  return names;
}

absl::StatusOr<std::vector<std::string>> ReflectedFiles(Api& api, const std::string& symbol) {
  constexpr int kFileContainingSymbol = 4;
  constexpr int kFileDescriptorResponse = 4;
  constexpr int kFileDescriptorProto = 1;
  return Ask(api, MessageWith(kFileContainingSymbol, symbol), kFileDescriptorResponse,
             kFileDescriptorProto);
}

}  // namespace postrider::testing

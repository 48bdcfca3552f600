#include "server/rpc/audit_log.h"

#include <utility>

#include "absl/strings/match.h"
#include "google/protobuf/descriptor.h"
#include "server/envelope/names.h"
#include "server/observe/log.h"

namespace postrider::rpc {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

std::string TextOf(const Message& message, const char* name) {
  const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(name);
  if (field == nullptr || field->is_repeated() || field->type() != FieldDescriptor::TYPE_STRING) {
    return "";
  }
  return message.GetReflection()->GetString(message, field);
}

// A name as requests may hold; anything else is left out, it is refused anyway.
std::string TenantName(const std::string& name) {
  return envelope::CheckTenantId(name).ok() ? name : "";
}

bool IsResourceId(const FieldDescriptor& field) {
  return !field.is_repeated() && field.type() == FieldDescriptor::TYPE_STRING &&
         absl::EndsWith(field.name(), "_id") && field.name() != "org_id" &&
         field.name() != "env_id" && field.name() != "request_id";
}

// An id of ours, as in "ep_01JQ8X5K2M3N4P5R6S7T8V9WXY"; "" for anything else, which may be a secret
// that was put into the wrong field.
std::string IdOrNothing(std::string text) {
  constexpr size_t kMaxPrefixBytes = 4;
  const size_t end = text.find('_');
  if (end == std::string::npos || end > kMaxPrefixBytes || !Ulid::Parse(text.substr(end + 1))) {
    return "";
  }
  return text;
}

}  // namespace

AuditSubject SubjectOf(const Message& message) {
  AuditSubject subject;
  subject.tenant =
      Tenant{TenantName(TextOf(message, "org_id")), TenantName(TextOf(message, "env_id"))};
  const google::protobuf::Reflection* reflection = message.GetReflection();
  const google::protobuf::Descriptor* type = message.GetDescriptor();
  for (int i = 0; i < type->field_count() && subject.resource_id.empty(); ++i) {
    if (IsResourceId(*type->field(i))) {
      subject.resource_id = IdOrNothing(reflection->GetString(message, type->field(i)));
    }
  }
  // The resource itself, as in CreateEndpointRequest.endpoint and GetEndpointResponse.endpoint.
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    if (field->is_repeated() || field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE ||
        !reflection->HasField(message, field) ||
        field->message_type()->FindFieldByName("org_id") == nullptr) {
      continue;
    }
    const Message& resource = reflection->GetMessage(message, field);
    if (subject.resource_id.empty()) subject.resource_id = IdOrNothing(TextOf(resource, "id"));
    if (subject.tenant.org_id.empty()) {
      subject.tenant =
          Tenant{TenantName(TextOf(resource, "org_id")), TenantName(TextOf(resource, "env_id"))};
    }
  }
  return subject;
}

absl::StatusOr<AuditRecord> AuditLog::Begin(const Caller& caller, const std::string& peer,
                                            const Rpc& rpc, const Message& request) {
  AuditRecord record;
  record.create_time = clock_.Now();
  record.id = new_id_(record.create_time);
  if (caller.key != nullptr) record.key_id = caller.key->id();
  record.remote_address = peer;
  record.rpc = rpc.name;
  AuditSubject subject = SubjectOf(request);
  record.resource_id = std::move(subject.resource_id);
  record.tenant = std::move(subject.tenant);
  // What is made gets its id later; one in the request is ignored.
  if (absl::StrContains(rpc.name, "/Create")) record.resource_id.clear();
  // A key reaches no further than its limit, whatever its request says.
  if (!caller.limit.org_id.empty()) record.tenant.org_id = caller.limit.org_id;
  if (!caller.limit.env_id.empty()) record.tenant.env_id = caller.limit.env_id;
  if (absl::Status begun = store_.Begin(record); !begun.ok()) return begun;
  return record;
}

void AuditLog::End(AuditRecord record, const grpc::Status& status, const Message& response) {
  record.code = static_cast<int32_t>(status.error_code());
  if (status.ok()) {
    AuditSubject made = SubjectOf(response);
    if (record.resource_id.empty()) record.resource_id = std::move(made.resource_id);
    if (record.tenant.org_id.empty()) record.tenant.org_id = std::move(made.tenant.org_id);
    if (record.tenant.env_id.empty()) record.tenant.env_id = std::move(made.tenant.env_id);
  }
  if (absl::Status ended = store_.End(record); !ended.ok()) {
    observe::Log(observe::Severity::kWarning, "the end of a call could not be noted for the audit",
                 {{"audit_record_id", record.id.ToText()},
                  {"rpc", record.rpc},
                  {"code", std::to_string(*record.code)},
                  {"error", std::string(ended.message())}});
  }
}

}  // namespace postrider::rpc

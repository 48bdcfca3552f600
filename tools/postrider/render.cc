#include "tools/postrider/render.h"

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "postrider/v1/api_key.pb.h"
#include "postrider/v1/attempt.pb.h"
#include "postrider/v1/audit_record.pb.h"
#include "postrider/v1/delivery.pb.h"
#include "postrider/v1/endpoint.pb.h"
#include "postrider/v1/event.pb.h"
#include "tools/postrider/text_table.h"
#include "tools/postrider/values.h"

namespace postrider::cli {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr absl::string_view kNothing = "-";

// A heading and the fields below it, joined by spaces.
struct Column {
  absl::string_view heading;
  std::vector<std::string> fields;
};

const std::vector<Column>& Columns(const Descriptor* resource) {
  static const auto* const kEndpoint =
      new std::vector<Column>{{"ID", {"id"}},
                              {"STATE", {"state", "disabled_reason"}},
                              {"FAILURES", {"consecutive_failures"}},
                              {"ORG", {"org_id"}},
                              {"ENV", {"env_id"}},
                              {"EVENTS", {"events"}},
                              {"URL", {"url"}}};
  static const auto* const kEvent = new std::vector<Column>{
      {"ID", {"id"}},      {"ACCEPTED", {"create_time"}}, {"TYPE", {"type"}},
      {"ORG", {"org_id"}}, {"ENV", {"env_id"}},           {"DATA", {"data_json"}}};
  static const auto* const kDelivery =
      new std::vector<Column>{{"ID", {"id"}},
                              {"STATE", {"state", "state_reason"}},
                              {"ATTEMPTS", {"attempt_count"}},
                              {"NEXT ATTEMPT", {"next_attempt_time"}},
                              {"CREATED", {"create_time"}},
                              {"EVENT", {"event_id"}},
                              {"ENDPOINT", {"endpoint_id"}},
                              {"TYPE", {"event_type"}}};
  static const auto* const kAttempt = new std::vector<Column>{
      {"STARTED", {"start_time"}},     {"DELIVERY", {"delivery_id"}}, {"NUMBER", {"number"}},
      {"OUTCOME", {"outcome"}},        {"STATUS", {"http_status"}},   {"DURATION", {"duration"}},
      {"ADDRESS", {"remote_address"}}, {"ERROR", {"error"}}};
  static const auto* const kApiKey = new std::vector<Column>{{"ID", {"id"}},
                                                             {"SCOPES", {"scopes"}},
                                                             {"ORG", {"org_id"}},
                                                             {"ENV", {"env_id"}},
                                                             {"CREATED", {"create_time"}},
                                                             {"EXPIRES", {"expire_time"}},
                                                             {"LAST USED", {"last_use_time"}},
                                                             {"DESCRIPTION", {"description"}}};
  static const auto* const kAuditRecord =
      new std::vector<Column>{{"TIME", {"create_time"}},     {"KEY", {"api_key_id"}},
                              {"FROM", {"remote_address"}},  {"RPC", {"rpc"}},
                              {"RESOURCE", {"resource_id"}}, {"ORG", {"org_id"}},
                              {"ENV", {"env_id"}},           {"CODE", {"code"}}};
  static const auto* const kNone = new std::vector<Column>{{"ID", {"id"}}};
  if (resource == v1::Endpoint::descriptor()) return *kEndpoint;
  if (resource == v1::Event::descriptor()) return *kEvent;
  if (resource == v1::Delivery::descriptor()) return *kDelivery;
  if (resource == v1::Attempt::descriptor()) return *kAttempt;
  if (resource == v1::ApiKey::descriptor()) return *kApiKey;
  if (resource == v1::AuditRecord::descriptor()) return *kAuditRecord;
  return *kNone;
}

std::string MessageText(const Message& message) {
  if (message.GetDescriptor() == google::protobuf::Timestamp::descriptor()) {
    return FormatTimestamp(static_cast<const google::protobuf::Timestamp&>(message));
  }
  if (message.GetDescriptor() == google::protobuf::Duration::descriptor()) {
    return FormatSpan(static_cast<const google::protobuf::Duration&>(message));
  }
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  std::string text;
  for (const FieldDescriptor* field : fields) {
    if (field->is_repeated()) continue;  // none of the messages inside resources has one
    std::string value;
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      value = message.GetReflection()->GetString(message, field);
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      value = MessageText(message.GetReflection()->GetMessage(message, field));
    }
    absl::StrAppend(&text, text.empty() ? "" : " ", field->name(), "=", value);
  }
  return text;
}

// `index` is -1 for a field that is not repeated.
std::string ValueText(const Message& message, const FieldDescriptor* field, int index) {
  const Reflection* reflection = message.GetReflection();
  const bool repeated = index >= 0;
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      return repeated ? reflection->GetRepeatedString(message, field, index)
                      : reflection->GetString(message, field);
    case FieldDescriptor::CPPTYPE_MESSAGE: {
      const Message& value = repeated ? reflection->GetRepeatedMessage(message, field, index)
                                      : reflection->GetMessage(message, field);
      if (!field->is_map()) return MessageText(value);
      const Descriptor* entry = value.GetDescriptor();
      return absl::StrCat(ValueText(value, entry->FindFieldByNumber(1), -1), "=",
                          ValueText(value, entry->FindFieldByNumber(2), -1));
    }
    case FieldDescriptor::CPPTYPE_ENUM:
      return EnumText(*(repeated ? reflection->GetRepeatedEnum(message, field, index)
                                 : reflection->GetEnum(message, field)));
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection->GetBool(message, field) ? "yes" : "no";
    case FieldDescriptor::CPPTYPE_INT32:
      return absl::StrCat(reflection->GetInt32(message, field));
    case FieldDescriptor::CPPTYPE_INT64:
      return absl::StrCat(reflection->GetInt64(message, field));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return absl::StrCat(reflection->GetDouble(message, field));
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
    case FieldDescriptor::CPPTYPE_FLOAT:
      return "";  // the contract has none
  }
  return "";
}

bool IsSet(const Message& message, const FieldDescriptor* field) {
  if (field->is_repeated()) return message.GetReflection()->FieldSize(message, field) > 0;
  return message.GetReflection()->HasField(message, field);
}

std::string FieldText(const Message& message, const FieldDescriptor* field) {
  if (!field->is_repeated()) return Printable(ValueText(message, field, -1));
  std::vector<std::string> values;
  const int size = message.GetReflection()->FieldSize(message, field);
  for (int i = 0; i < size; ++i) values.push_back(Printable(ValueText(message, field, i)));
  if (field->is_map()) std::sort(values.begin(), values.end());
  return absl::StrJoin(values, ", ");
}

std::string CellText(const Message& resource, const Column& column) {
  std::vector<std::string> parts;
  for (const std::string& name : column.fields) {
    const FieldDescriptor* field = resource.GetDescriptor()->FindFieldByName(name);
    const bool is_count = field->cpp_type() == FieldDescriptor::CPPTYPE_INT32;
    if (IsSet(resource, field) || (is_count && !field->has_presence() && name != "http_status")) {
      parts.push_back(FieldText(resource, field));
    }
  }
  return parts.empty() ? std::string(kNothing) : absl::StrJoin(parts, " ");
}

bool IsResource(const FieldDescriptor* field) {
  return field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !field->is_map() &&
         field->message_type()->file()->package() == "postrider.v1" &&
         field->message_type()->FindFieldByName("id") != nullptr;
}

void AddFields(const Message& message, TextTable* table) {
  const Descriptor* descriptor = message.GetDescriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const FieldDescriptor* field = descriptor->field(i);
    // A count of 0 is worth a line, an empty text is not.
    const bool is_count =
        field->cpp_type() == FieldDescriptor::CPPTYPE_INT32 && !field->has_presence();
    if (!IsSet(message, field) && !is_count) continue;
    if (IsResource(field)) {
      AddFields(message.GetReflection()->GetMessage(message, field), table);
    } else {
      table->AddRow({field->name(), FieldText(message, field)});
    }
  }
}

}  // namespace

std::string EnumText(const EnumValueDescriptor& value) {
  const absl::string_view prefix = absl::StripSuffix(value.type()->value(0)->name(), "UNSPECIFIED");
  return std::string(absl::StripPrefix(value.name(), prefix));
}

std::string RenderJson(const Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string json;
  // Cannot fail for a message that was just parsed.
  (void)google::protobuf::util::MessageToJsonString(message, &json, options);
  return json;
}

std::string RenderList(const Message& response) {
  const FieldDescriptor* resources = response.GetDescriptor()->field(0);
  const std::vector<Column>& columns = Columns(resources->message_type());
  const int count = response.GetReflection()->FieldSize(response, resources);
  TextTable table;
  std::vector<std::string> headings;
  for (const Column& column : columns) headings.emplace_back(column.heading);
  if (count > 0) table.AddRow(std::move(headings));
  for (int i = 0; i < count; ++i) {
    const Message& resource = response.GetReflection()->GetRepeatedMessage(response, resources, i);
    std::vector<std::string> cells;
    for (const Column& column : columns) cells.push_back(CellText(resource, column));
    table.AddRow(std::move(cells));
  }
  std::string text = count > 0 ? table.Render() : "None.\n";
  const std::string token = response.GetReflection()->GetString(
      response, response.GetDescriptor()->FindFieldByName("next_page_token"));
  if (!token.empty()) {
    absl::StrAppend(&text, "More: repeat with --page-token ", Printable(token), "\n");
  }
  return text;
}

std::string RenderFields(const Message& response) {
  TextTable table;
  AddFields(response, &table);
  return table.Render();
}

}  // namespace postrider::cli

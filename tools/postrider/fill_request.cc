#include "tools/postrider/fill_request.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/field_mask.pb.h>

#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "server/envelope/json_text.h"
#include "tools/postrider/render.h"
#include "tools/postrider/values.h"

namespace postrider::cli {
namespace {

using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr char kHeaderSeparator = ':';
constexpr char kKeyValueSeparator = '=';

// A field and the message that holds it.
struct Place {
  Message* message;
  const FieldDescriptor* field;
};

Place FindPlace(Message* message, absl::string_view path) {
  const std::vector<std::string> names = absl::StrSplit(path, '.');
  for (size_t i = 0; i + 1 < names.size(); ++i) {
    const FieldDescriptor* field = message->GetDescriptor()->FindFieldByName(names[i]);
    message = message->GetReflection()->MutableMessage(message, field);
  }
  return {message, message->GetDescriptor()->FindFieldByName(names.back())};
}

absl::Status SetEnum(const Place& place, absl::string_view value) {
  const std::string wanted = absl::AsciiStrToUpper(absl::StrReplaceAll(value, {{"-", "_"}}));
  std::vector<std::string> names;
  for (int i = 1; i < place.field->enum_type()->value_count(); ++i) {
    const EnumValueDescriptor* candidate = place.field->enum_type()->value(i);
    names.push_back(EnumText(*candidate));
    if (names.back() != wanted) continue;
    const auto* reflection = place.message->GetReflection();
    place.field->is_repeated() ? reflection->AddEnum(place.message, place.field, candidate)
                               : reflection->SetEnum(place.message, place.field, candidate);
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("'", value, "' is none of ", absl::StrJoin(names, ", ")));
}

absl::Status SetNumber(const Place& place, absl::string_view value) {
  if (place.field->cpp_type() == FieldDescriptor::CPPTYPE_INT32) {
    int32_t number = 0;
    if (!absl::SimpleAtoi(value, &number)) {
      return absl::InvalidArgumentError(absl::StrCat("'", value, "' is not a whole number"));
    }
    place.message->GetReflection()->SetInt32(place.message, place.field, number);
  } else {
    double number = 0;
    if (!absl::SimpleAtod(value, &number)) {
      return absl::InvalidArgumentError(absl::StrCat("'", value, "' is not a number"));
    }
    place.message->GetReflection()->SetDouble(place.message, place.field, number);
  }
  return absl::OkStatus();
}

absl::Status AddMapEntry(const Place& place, absl::string_view value, char separator) {
  const size_t end = value.find(separator);
  if (end == absl::string_view::npos || end == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", value, "' has no name before a '", std::string(1, separator), "'"));
  }
  Message* entry = place.message->GetReflection()->AddMessage(place.message, place.field);
  const absl::string_view text = value.substr(end + 1);
  entry->GetReflection()->SetString(entry, entry->GetDescriptor()->FindFieldByNumber(1),
                                    std::string(value.substr(0, end)));
  entry->GetReflection()->SetString(
      entry, entry->GetDescriptor()->FindFieldByNumber(2),
      std::string(separator == kHeaderSeparator ? absl::StripAsciiWhitespace(text) : text));
  return absl::OkStatus();
}

absl::Status SetMessage(const Place& place, absl::string_view value) {
  if (place.field->message_type() == google::protobuf::Timestamp::descriptor()) {
    absl::StatusOr<google::protobuf::Timestamp> time = ParseTimestamp(value);
    if (!time.ok()) return time.status();
    place.message->GetReflection()->MutableMessage(place.message, place.field)->CopyFrom(*time);
    return absl::OkStatus();
  }
  const std::vector<absl::string_view> parts =
      place.field->is_repeated() ? absl::StrSplit(value, ',') : std::vector{value};
  for (absl::string_view part : parts) {
    absl::StatusOr<absl::Duration> span = ParseSpan(absl::StripAsciiWhitespace(part));
    if (!span.ok()) return span.status();
    Message* target =
        place.field->is_repeated()
            ? place.message->GetReflection()->AddMessage(place.message, place.field)
            : place.message->GetReflection()->MutableMessage(place.message, place.field);
    target->CopyFrom(ToProto(*span));
  }
  return absl::OkStatus();
}

absl::Status SetField(const Place& place, absl::string_view value, char map_separator) {
  switch (place.field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      place.message->GetReflection()->SetBool(place.message, place.field, value == "true");
      return absl::OkStatus();
    case FieldDescriptor::CPPTYPE_STRING:
      if (place.field->is_repeated()) {
        place.message->GetReflection()->AddString(place.message, place.field, std::string(value));
      } else {
        place.message->GetReflection()->SetString(place.message, place.field, std::string(value));
      }
      return absl::OkStatus();
    case FieldDescriptor::CPPTYPE_ENUM:
      return SetEnum(place, value);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return place.field->is_map() ? AddMapEntry(place, value, map_separator)
                                   : SetMessage(place, value);
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64:
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
      return SetNumber(place, value);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status FillRequest(const Command& command, const Args& args,
                         google::protobuf::Message* request) {
  const FieldDescriptor* mask_field = request->GetDescriptor()->FindFieldByName("update_mask");
  google::protobuf::FieldMask mask;
  if (!command.argument.field.empty() && !args.argument.empty()) {
    if (!envelope::IsValidUtf8(args.argument)) {
      return absl::InvalidArgumentError(absl::StrCat(command.argument.name, " is not UTF-8"));
    }
    if (absl::Status status =
            SetField(FindPlace(request, command.argument.field), args.argument, kKeyValueSeparator);
        !status.ok()) {
      return status;
    }
  }
  for (const Flag& flag : command.flags) {
    if (flag.field.empty() || !args.Has(flag.name)) continue;
    const char separator = flag.value.find(kHeaderSeparator) != absl::string_view::npos
                               ? kHeaderSeparator
                               : kKeyValueSeparator;
    for (const std::string& value : args.All(flag.name)) {
      if (value.empty()) {
        if (mask_field != nullptr && flag.masked) continue;
        return absl::InvalidArgumentError(absl::StrCat(flag.name, " has an empty value"));
      }
      // libprotobuf would complain on stderr and send it all the same.
      if (!envelope::IsValidUtf8(value)) {
        return absl::InvalidArgumentError(absl::StrCat(flag.name, " is not UTF-8"));
      }
      absl::Status status = SetField(FindPlace(request, flag.field), value, separator);
      if (!status.ok()) {
        return absl::InvalidArgumentError(absl::StrCat(flag.name, ": ", status.message()));
      }
    }
    // The mask is relative to the resource, the path of the table to the request.
    if (flag.masked) mask.add_paths(std::string(flag.field.substr(flag.field.find('.') + 1)));
  }
  if (mask_field == nullptr) return absl::OkStatus();
  if (mask.paths().empty()) {
    return absl::InvalidArgumentError("no flag says what to change");
  }
  request->GetReflection()->MutableMessage(request, mask_field)->CopyFrom(mask);
  return absl::OkStatus();
}

}  // namespace postrider::cli

#include "server/envelope/struct_json.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace postrider::envelope {
namespace {

using google::protobuf::ListValue;
using google::protobuf::Struct;
using google::protobuf::Value;

constexpr size_t kMaxShownKey = 40;    // characters
constexpr size_t kMaxShownPath = 200;  // characters, about

bool IsPlainWord(std::string_view key) {
  return !key.empty() && key.size() <= kMaxShownKey &&
         std::all_of(key.begin(), key.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-';
         });
}

// A print function that returns false has set the error, and the path leads to its place.
class StructPrinter {
 public:
  StructPrinter(const JsonLimits& limits, std::string_view root) : limits_(limits), root_(root) {}

  absl::StatusOr<std::string> Print(const Struct& data) {
    if (!PrintObject(data)) return absl::InvalidArgumentError(absl::StrCat(Path(), " ", error_));
    return std::move(out_);
  }

 private:
  struct Step {
    const std::string* key;  // null: a position in a list
    int index;
  };

  bool Fail(std::string error) {
    error_ = std::move(error);
    return false;
  }

  bool CheckSize() {
    if (out_.size() <= limits_.max_bytes) return true;
    path_.clear();  // The whole is too large, not the place where that was noticed.
    return Fail(absl::StrCat("is longer than the limit of ", limits_.max_bytes, " bytes as JSON"));
  }

  bool Enter() {
    if (depth_ >= limits_.max_depth) {
      return Fail(
          absl::StrCat("is nested deeper than the limit of ", limits_.max_depth, " levels"));
    }
    ++depth_;
    return true;
  }

  bool PrintObject(const Struct& object);
  bool PrintList(const ListValue& list);
  bool PrintValue(const Value& value);
  bool PrintString(const std::string& text);
  std::string Path() const;

  const JsonLimits limits_;
  const std::string_view root_;
  int depth_ = 0;
  std::vector<Step> path_;
  std::string out_;
  std::string error_;
};

bool StructPrinter::PrintObject(const Struct& object) {
  if (!Enter()) return false;
  using Entry = google::protobuf::Map<std::string, Value>::value_type;
  std::vector<const Entry*> entries;
  entries.reserve(static_cast<size_t>(object.fields().size()));
  for (const Entry& entry : object.fields()) entries.push_back(&entry);
  std::sort(entries.begin(), entries.end(),
            [](const Entry* a, const Entry* b) { return a->first < b->first; });
  out_.push_back('{');
  bool first = true;
  for (const Entry* entry : entries) {
    if (!first) out_.push_back(',');
    first = false;
    path_.push_back(Step{&entry->first, 0});
    if (!IsValidUtf8(entry->first)) return Fail("has a key that is not UTF-8");
    AppendJsonString(entry->first, &out_);
    out_.push_back(':');
    if (!PrintValue(entry->second)) return false;
    path_.pop_back();
  }
  out_.push_back('}');
  --depth_;
  return CheckSize();
}

bool StructPrinter::PrintList(const ListValue& list) {
  if (!Enter()) return false;
  out_.push_back('[');
  for (int i = 0; i < list.values_size(); ++i) {
    if (i > 0) out_.push_back(',');
    path_.push_back(Step{nullptr, i});
    if (!PrintValue(list.values(i))) return false;
    path_.pop_back();
  }
  out_.push_back(']');
  --depth_;
  return CheckSize();
}

bool StructPrinter::PrintString(const std::string& text) {
  if (!IsValidUtf8(text)) return Fail("is not UTF-8");
  AppendJsonString(text, &out_);
  return true;
}

bool StructPrinter::PrintValue(const Value& value) {
  if (!CheckSize()) return false;
  switch (value.kind_case()) {
    case Value::kNullValue:
      out_.append("null");
      return true;
    case Value::kNumberValue:
      if (!std::isfinite(value.number_value())) return Fail("is not a finite number");
      AppendJsonNumber(value.number_value(), &out_);
      return true;
    case Value::kStringValue:
      return PrintString(value.string_value());
    case Value::kBoolValue:
      out_.append(value.bool_value() ? "true" : "false");
      return true;
    case Value::kStructValue:
      return PrintObject(value.struct_value());
    case Value::kListValue:
      return PrintList(value.list_value());
    case Value::KIND_NOT_SET:
      break;
  }
  return Fail("is a value of which no kind is set");
}

std::string StructPrinter::Path() const {
  std::string path(root_);
  for (const Step& step : path_) {
    if (step.key == nullptr) {
      absl::StrAppend(&path, "[", step.index, "]");
    } else if (IsPlainWord(*step.key)) {
      absl::StrAppend(&path, ".", *step.key);
    } else {
      path.append(".?");
    }
  }
  if (path.size() <= kMaxShownPath) return path;
  return absl::StrCat(path.substr(0, kMaxShownPath / 2), "...",
                      path.substr(path.size() - kMaxShownPath / 2));
}

}  // namespace

absl::StatusOr<std::string> PrintStruct(const Struct& data, const JsonLimits& limits,
                                        std::string_view root) {
  return StructPrinter(limits, root).Print(data);
}

void AppendJsonNumber(double number, std::string* out) {
  if (std::signbit(number)) {
    out->push_back('-');
    number = -number;
  }
  if (number == 0) {
    out->push_back('0');
    return;
  }
  // Scientific form without a precision is shortest: `d.ddde+xx`. The layout is ours.
  std::array<char, 32> buffer;
  const std::to_chars_result printed = std::to_chars(buffer.data(), buffer.data() + buffer.size(),
                                                     number, std::chars_format::scientific);
  const std::string_view text(buffer.data(), static_cast<size_t>(printed.ptr - buffer.data()));
  const size_t mark = text.find('e');
  std::string digits(text.substr(0, 1));
  if (mark > 2) digits.append(text.substr(2, mark - 2));
  int exponent = 0;
  const char* exponent_begin = text.data() + mark + 1;
  if (*exponent_begin == '+') ++exponent_begin;  // from_chars takes a minus, but no plus
  std::from_chars(exponent_begin, text.data() + text.size(), exponent);

  // As the standard names them: the value is 0.DIGITS times 10 to the n, and there are k digits.
  const int k = static_cast<int>(digits.size());
  const int n = exponent + 1;
  if (k <= n && n <= 21) {
    absl::StrAppend(out, digits, std::string(static_cast<size_t>(n - k), '0'));
  } else if (0 < n && n <= 21) {
    absl::StrAppend(out, digits.substr(0, static_cast<size_t>(n)), ".",
                    digits.substr(static_cast<size_t>(n)));
  } else if (-6 < n && n <= 0) {
    absl::StrAppend(out, "0.", std::string(static_cast<size_t>(-n), '0'), digits);
  } else {
    absl::StrAppend(out, digits.substr(0, 1), k > 1 ? "." : "", digits.substr(1), "e",
                    exponent < 0 ? "-" : "+", std::abs(exponent));
  }
}

}  // namespace postrider::envelope

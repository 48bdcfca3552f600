#include "server/envelope/envelope.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "absl/time/civil_time.h"
#include "server/envelope/json_text.h"

namespace postrider::envelope {
namespace {

constexpr int64_t kMinUnixMillis = -62135596800000;  // 0001-01-01T00:00:00.000Z
constexpr int64_t kMaxUnixMillis = 253402300799999;  // 9999-12-31T23:59:59.999Z

// What stands before each of the five texts, and before data.
constexpr std::array<std::string_view, 5> kLabels = {R"({"id":)", R"(,"type":)", R"(,"timestamp":)",
                                                     R"(,"org_id":)", R"(,"env_id":)"};
constexpr std::string_view kDataLabel = R"(,"data":)";

// Room for the labels, quotes, timestamp and closing brace.
constexpr size_t kFixedSize = 96;

bool Consume(std::string_view expected, std::string_view* rest) {
  if (rest->substr(0, expected.size()) != expected) return false;
  rest->remove_prefix(expected.size());
  return true;
}

bool ConsumeString(std::string_view* rest) {
  if (!Consume("\"", rest)) return false;
  size_t i = 0;
  while (i < rest->size() && (*rest)[i] != '"') i += (*rest)[i] == '\\' ? 2 : 1;
  if (i >= rest->size()) return false;
  rest->remove_prefix(i + 1);
  return true;
}

void PutDigits(int64_t value, int width, char* out) {
  for (int i = width - 1; i >= 0; --i) {
    out[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
}

}  // namespace

std::string MakeEnvelope(const EnvelopeFields& fields, std::string_view data_json) {
  const std::string timestamp = FormatTimestamp(fields.timestamp);
  const std::array<std::string_view, kLabels.size()> texts = {fields.id, fields.type, timestamp,
                                                              fields.org_id, fields.env_id};
  size_t size = kFixedSize + data_json.size();
  for (std::string_view text : texts) size += text.size();
  std::string body;
  body.reserve(size);
  for (size_t i = 0; i < texts.size(); ++i) {
    body.append(kLabels[i]);
    AppendJsonString(texts[i], &body);
  }
  body.append(kDataLabel);
  body.append(data_json);
  body.push_back('}');
  return body;
}

size_t EnvelopePrefixLength(std::string_view body) {
  std::string_view rest = body;
  for (std::string_view label : kLabels) {
    if (!Consume(label, &rest) || !ConsumeString(&rest)) return 0;
  }
  if (!Consume(kDataLabel, &rest)) return 0;
  // Data is last and an object: what follows is at least `{}` and the envelope's own brace.
  if (rest.size() < 3 || rest.front() != '{' || rest.substr(rest.size() - 2) != "}}") return 0;
  return body.size() - rest.size();
}

std::string_view EnvelopeData(std::string_view body) {
  const size_t prefix = EnvelopePrefixLength(body);
  if (prefix == 0) return {};
  return body.substr(prefix, body.size() - prefix - 1);
}

std::string FormatTimestamp(absl::Time time) {
  // ToUnixMillis rounds toward the past, and saturates for the infinities.
  const int64_t millis = std::clamp(absl::ToUnixMillis(time), kMinUnixMillis, kMaxUnixMillis);
  const absl::CivilSecond civil =
      absl::ToCivilSecond(absl::FromUnixMillis(millis), absl::UTCTimeZone());
  std::string text = "0000-00-00T00:00:00.000Z";
  PutDigits(civil.year(), 4, &text[0]);
  PutDigits(civil.month(), 2, &text[5]);
  PutDigits(civil.day(), 2, &text[8]);
  PutDigits(civil.hour(), 2, &text[11]);
  PutDigits(civil.minute(), 2, &text[14]);
  PutDigits(civil.second(), 2, &text[17]);
  PutDigits(((millis % 1000) + 1000) % 1000, 3, &text[20]);
  return text;
}

}  // namespace postrider::envelope

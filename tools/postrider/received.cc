#include "tools/postrider/received.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/envelope/json_text.h"
#include "server/signing/verify.h"
#include "tools/postrider/text_table.h"
#include "tools/postrider/values.h"

namespace postrider::cli {
namespace {

constexpr int kBadSignatureStatus = 400;
constexpr int kMethodNotAllowedStatus = 405;

std::string StringField(const google::protobuf::Struct& object, const char* name) {
  const auto found = object.fields().find(name);
  return found == object.fields().end() ? "" : found->second.string_value();
}

std::string OrDash(const std::string& text) { return text.empty() ? "-" : Printable(text); }

// Bytes that are not UTF-8 become U+FFFD, as JSON cannot hold them.
std::string ToUtf8(const std::string& bytes) {
  std::string text;
  const char* p = bytes.data();
  const char* const end = p + bytes.size();
  while (p < end) {
    const size_t size = envelope::Utf8SequenceSize(p, end);
    if (size == 0) {
      text += "\xef\xbf\xbd";
    } else {
      text.append(p, size);
    }
    p += std::max<size_t>(size, 1);
  }
  return text;
}

void AppendMember(absl::string_view name, const std::string& value, std::string* out) {
  absl::StrAppend(out, ", \"", name, "\": ");
  envelope::AppendJsonString(ToUtf8(value), out);
}

std::string VerdictText(const Received& received) {
  switch (received.verdict) {
    case Verdict::kVerified:
      return "verified";
    case Verdict::kUnverified:
      return "not verified";
    case Verdict::kRefused:
      return absl::StrCat("refused: ", Printable(received.reason));
  }
  return "";
}

absl::string_view VerdictName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kVerified:
      return "VERIFIED";
    case Verdict::kUnverified:
      return "NOT_VERIFIED";
    case Verdict::kRefused:
      return "REFUSED";
  }
  return "";
}

std::string RenderJsonLine(const Received& received, bool show_body) {
  std::string line =
      absl::StrCat("{\"time\": \"", FormatTimestamp(received.time), "\", \"verdict\": \"",
                   VerdictName(received.verdict), "\", \"answer\": ", received.answer,
                   ", \"body_bytes\": ", received.body.size());
  AppendMember("reason", received.reason, &line);
  AppendMember("event_type", received.event_type, &line);
  AppendMember("event_id", received.event_id, &line);
  AppendMember("delivery_id", received.delivery_id, &line);
  AppendMember("attempt", received.attempt, &line);
  if (show_body) AppendMember("body", received.body, &line);
  return absl::StrCat(line, "}\n");
}

}  // namespace

Received Judge(const HttpRequest& request, const std::vector<signing::VerifyingKey>& secrets,
               int accepted_status, absl::Time now) {
  Received received{.time = now,
                    .delivery_id = std::string(request.Header("postrider-delivery-id")),
                    .attempt = std::string(request.Header("postrider-attempt")),
                    .body = request.body};
  google::protobuf::Struct object;
  if (google::protobuf::util::JsonStringToMessage(request.body, &object).ok()) {
    received.event_type = StringField(object, "type");
    received.event_id = StringField(object, "id");
  }
  if (request.method != "POST") {
    received.reason = absl::StrCat(request.method, " is not POST");
    received.answer = kMethodNotAllowedStatus;
    return received;
  }
  received.answer = accepted_status;
  received.verdict = Verdict::kUnverified;
  if (secrets.empty()) return received;

  const std::string id(request.Header("webhook-id"));
  const std::string timestamp(request.Header("webhook-timestamp"));
  const std::string signature(request.Header("webhook-signature"));
  const absl::Status status =
      signing::VerifyRequest({id, timestamp, signature}, request.body, secrets, now);
  received.verdict = status.ok() ? Verdict::kVerified : Verdict::kRefused;
  if (!status.ok()) {
    received.reason = std::string(status.message());
    received.answer = kBadSignatureStatus;
  }
  return received;
}

Received JudgeRefused(const Refused& refused, absl::Time now) {
  return {.time = now, .reason = refused.reason, .answer = refused.status};
}

std::string RenderReceived(const Received& received, bool json, bool show_body) {
  if (json) return RenderJsonLine(received, show_body);
  std::string text =
      absl::StrCat(FormatTimestamp(received.time), "  ", OrDash(received.event_type), "  ",
                   OrDash(received.event_id), "  delivery ", OrDash(received.delivery_id),
                   "  attempt ", OrDash(received.attempt), "  ", received.body.size(),
                   " bytes  answered ", received.answer, "  ", VerdictText(received), "\n");
  if (show_body && !received.body.empty()) {
    absl::StrAppend(&text, PrintableLines(received.body),
                    absl::EndsWith(received.body, "\n") ? "" : "\n");
  }
  return text;
}

}  // namespace postrider::cli

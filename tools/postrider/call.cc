#include "tools/postrider/call.h"

#include <optional>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client/status_details.h"
#include "tools/postrider/read_input.h"
#include "tools/postrider/render.h"
#include "tools/postrider/text_table.h"

namespace postrider::cli {
namespace {

std::string TryAgain(const absl::Status& status) {
  const std::optional<absl::Duration> delay = client::RetryDelay(status);
  if (!delay.has_value()) return "Try again later.";
  return absl::StrCat("Try again in ", absl::FormatDuration(*delay), ".");
}

// What the caller can do about a refusal.
std::string Advice(const Command& command, const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
      return absl::StrCat("See 'postrider ", FullName(command), " --help'.");
    case absl::StatusCode::kNotFound:
      return command.group == "endpoint" || command.group == "delivery" || command.group == "event"
                 ? absl::StrCat("See 'postrider ", command.group, " list' for what there is.")
                 : "";
    case absl::StatusCode::kUnauthenticated:
      return "Give a key with --api-key or $POSTRIDER_API_KEY.";
    case absl::StatusCode::kPermissionDenied:
      return "Use a key with the needed scope, org and environment.";
    case absl::StatusCode::kAlreadyExists:
      return "Use another key for another request.";
    case absl::StatusCode::kAborted:
      return "Somebody else changed it: read it again and repeat the change.";
    case absl::StatusCode::kResourceExhausted:
      return TryAgain(status);
    case absl::StatusCode::kUnimplemented:
      return "This server does not offer it; a newer one may.";
    default:
      return "";
  }
}

}  // namespace

bool WantsJson(const Args& args) { return args.Get("--output") == "json"; }

Outcome UsageError(const Command& command, absl::string_view problem) {
  return {.exit_code = kExitUsage,
          .error = absl::StrCat(Printable(problem), ". See 'postrider ", FullName(command),
                                " --help'.")};
}

Outcome CallError(const Invocation& invocation, const absl::Status& status,
                  absl::string_view again) {
  const std::string sentence = Printable(status.message());
  const absl::string_view address = invocation.args.Get("--address");
  if (status.code() == absl::StatusCode::kDeadlineExceeded) {
    return {.exit_code = kExitUnreachable,
            .error = absl::StrCat("the server at ", address, " did not answer in time: ", sentence,
                                  ". The call may have taken effect all the same. ",
                                  again.empty() ? "Look before you repeat it." : again)};
  }
  if (status.code() == absl::StatusCode::kUnavailable) {
    // The server's own errors carry a reason; those of the connection do not.
    if (client::ErrorReason(status).empty()) {
      return {.exit_code = kExitUnreachable,
              .error = absl::StrCat("cannot reach a server at ", address, ": ", sentence,
                                    ". Start postriderd, or name its address with --address or "
                                    "$POSTRIDER_ADDRESS. ",
                                    again)};
    }
    return {.exit_code = kExitUnreachable,
            .error = absl::StrCat("the server at ", address, " is not available now: ", sentence,
                                  ". ", TryAgain(status), " ", again)};
  }
  return {.exit_code = kExitRefused,
          .error = absl::StrCat(sentence, ". ", Advice(invocation.command, status))};
}

Outcome Answer(const Invocation& invocation, const google::protobuf::Message& response) {
  if (WantsJson(invocation.args)) return {.output = RenderJson(response)};
  const bool is_list = response.GetDescriptor()->FindFieldByName("next_page_token") != nullptr;
  std::string text = is_list ? RenderList(response) : RenderFields(response);
  if (!invocation.command.note.empty()) absl::StrAppend(&text, invocation.command.note, "\n");
  return {.output = std::move(text)};
}

absl::StatusOr<client::Client> Connect(const Args& args) {
  client::ClientOptions options;
  options.address = std::string(args.Get("--address"));
  options.api_key = std::string(args.Get("--api-key"));
  if (const std::string path(args.Get("--api-key-file"));
      !path.empty() && options.api_key.empty()) {
    absl::StatusOr<std::string> content = ReadInput(path);
    if (!content.ok()) return content.status();
    options.api_key = std::string(absl::StripAsciiWhitespace(*content));
  }
  options.tls.ca_file = std::string(args.Get("--tls-ca"));
  options.tls.cert_file = std::string(args.Get("--tls-cert"));
  options.tls.key_file = std::string(args.Get("--tls-key"));
  // Whoever names files wants TLS.
  options.tls.enabled = args.IsOn("--tls") || !options.tls.ca_file.empty() ||
                        !options.tls.cert_file.empty() || !options.tls.key_file.empty();
  return client::Client::Create(options);
}

}  // namespace postrider::cli

#include "tools/postrider/publish_command.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/publisher.h"
#include "server/envelope/json_text.h"
#include "tools/postrider/call.h"
#include "tools/postrider/read_input.h"

namespace postrider::cli {
namespace {

// Somebody waits at a terminal: shorter than what a program would allow.
constexpr client::RetryOptions kRetry = {
    .deadline = absl::Seconds(20), .try_timeout = absl::Seconds(10), .max_tries = 5};

// `data`, from the one place that the command line names.
absl::StatusOr<std::string> ReadData(const Args& args) {
  const int places = (args.Has("--data") ? 1 : 0) + (args.Has("--data-file") ? 1 : 0) +
                     (args.argument.empty() ? 0 : 1);
  if (places != 1) {
    return absl::InvalidArgumentError(
        "give the data once: --data JSON, --data-file FILE, or - for standard input");
  }
  if (args.Has("--data")) return std::string(args.Get("--data"));
  if (args.Has("--data-file")) return ReadInput(std::string(args.Get("--data-file")));
  if (args.argument != "-") {
    return absl::InvalidArgumentError(
        absl::StrCat("'", args.argument, "' is one word too many; only - is understood here"));
  }
  return ReadInput("-");
}

}  // namespace

Outcome PublishEvent(const Invocation& invocation) {
  v1::PublishRequest request;
  if (absl::Status status = FillRequest(invocation.command, invocation.args, &request);
      !status.ok()) {
    return UsageError(invocation.command, status.message());
  }
  absl::StatusOr<std::string> data = ReadData(invocation.args);
  if (!data.ok()) return UsageError(invocation.command, data.status().message());
  if (!envelope::IsValidUtf8(*data)) return UsageError(invocation.command, "the data is not UTF-8");
  request.set_data_json(*std::move(data));

  const absl::StatusOr<client::Client> server = Connect(invocation.args);
  if (!server.ok()) return UsageError(invocation.command, server.status().message());
  std::string again;
  if (!request.validate_only()) {
    if (request.idempotency_key().empty()) {
      request.set_idempotency_key(client::NewIdempotencyKey());
    }
    again = absl::StrCat("Repeat it with --idempotency-key ", request.idempotency_key(),
                         " to be safe from sending the event twice.");
  }
  const absl::StatusOr<v1::PublishResponse> response =
      client::Publisher(*server, kRetry).Publish(std::move(request));
  if (!response.ok()) return CallError(invocation, response.status(), again);
  return Answer(invocation, *response);
}

}  // namespace postrider::cli

// One command as one call: request from the flags, answer as text, errors as one line.

#ifndef POSTRIDER_TOOLS_POSTRIDER_CALL_H_
#define POSTRIDER_TOOLS_POSTRIDER_CALL_H_

#include <google/protobuf/message.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/client.h"
#include "tools/postrider/args.h"
#include "tools/postrider/command.h"
#include "tools/postrider/fill_request.h"

namespace postrider::cli {

// A command and what was given to it; lives as long as its run.
struct Invocation {
  const Command& command;
  const Args& args;
};

// True with `--output json`.
bool WantsJson(const Args& args);

// Exit 2 with `problem`, a sentence without its full stop, and where the help is.
Outcome UsageError(const Command& command, absl::string_view problem);

// What a failed call says and how it ends: the server's sentence and what to do next. Exit 3 for
// UNAVAILABLE and DEADLINE_EXCEEDED, else 1. `again` says how to repeat the call safely where its
// outcome is unknown; empty: repeating it is safe as it is.
Outcome CallError(const Invocation& invocation, const absl::Status& status,
                  absl::string_view again = {});

// The answer of a call in the form asked for.
Outcome Answer(const Invocation& invocation, const google::protobuf::Message& response);

// A client for the server that the flags name. INVALID_ARGUMENT if they name none.
absl::StatusOr<client::Client> Connect(const Args& args);

// A command that is one rpc.
template <class Request, class Response>
Outcome UnaryCall(const Invocation& invocation) {
  Request request;
  if (absl::Status status = FillRequest(invocation.command, invocation.args, &request);
      !status.ok()) {
    return UsageError(invocation.command, status.message());
  }
  const absl::StatusOr<client::Client> server = Connect(invocation.args);
  if (!server.ok()) return UsageError(invocation.command, server.status().message());
  Response response;
  if (absl::Status status = server->Call(request, &response); !status.ok()) {
    return CallError(invocation, status);
  }
  return Answer(invocation, response);
}

}  // namespace postrider::cli

#endif  // POSTRIDER_TOOLS_POSTRIDER_CALL_H_

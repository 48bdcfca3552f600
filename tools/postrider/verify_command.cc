#include "tools/postrider/verify_command.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "server/envelope/json_text.h"
#include "server/signing/verify.h"
#include "tools/postrider/call.h"
#include "tools/postrider/read_input.h"
#include "tools/postrider/text_table.h"
#include "tools/postrider/values.h"

namespace postrider::cli {

absl::StatusOr<std::vector<signing::VerifyingKey>> ReadSecrets(const Args& args) {
  std::vector<signing::VerifyingKey> secrets;
  for (const std::string& text : args.All("--secret")) {
    absl::StatusOr<signing::VerifyingKey> secret = signing::VerifyingKey::Parse(text);
    if (!secret.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("--secret: ", secret.status().message()));
    }
    secrets.push_back(*std::move(secret));
  }
  return secrets;
}

Outcome VerifySignature(const Invocation& invocation) {
  const Args& args = invocation.args;
  const absl::StatusOr<std::vector<signing::VerifyingKey>> secrets = ReadSecrets(args);
  if (!secrets.ok()) return UsageError(invocation.command, secrets.status().message());
  absl::Duration tolerance = absl::InfiniteDuration();
  if (!args.IsOn("--no-tolerance")) {
    absl::StatusOr<absl::Duration> span = ParseSpan(args.Get("--tolerance"));
    if (!span.ok()) {
      return UsageError(invocation.command, absl::StrCat("--tolerance: ", span.status().message()));
    }
    tolerance = *span;
  }
  const absl::StatusOr<std::string> body = ReadInput(std::string(args.Get("--body-file")));
  if (!body.ok()) return UsageError(invocation.command, body.status().message());

  const std::string id(args.Get("--id"));
  const std::string timestamp(args.Get("--timestamp"));
  const std::string signature(args.Get("--signature"));
  const absl::Status status =
      signing::VerifyRequest({id, timestamp, signature}, *body, *secrets, absl::Now(), tolerance);
  Outcome outcome;
  if (!status.ok()) {
    outcome = {.exit_code = kExitRefused,
               .error = absl::StrCat("not valid: ", Printable(status.message()), ".")};
  }
  if (!WantsJson(args)) {
    if (status.ok()) outcome.output = "valid\n";
  } else if (status.ok()) {
    outcome.output = "{\"valid\": true}\n";
  } else {
    std::string reason;
    envelope::AppendJsonString(Printable(status.message()), &reason);
    outcome.output = absl::StrCat("{\"valid\": false, \"reason\": ", reason, "}\n");
  }
  return outcome;
}

}  // namespace postrider::cli

#include "tools/postrider/receive_command.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tools/postrider/call.h"
#include "tools/postrider/receiver.h"
#include "tools/postrider/verify_command.h"

namespace postrider::cli {
namespace {

struct ReceiveSettings {
  std::string address;
  int port = 0;
  int status = 0;
  int64_t count = 0;
  std::vector<signing::VerifyingKey> secrets;
};

struct Totals {
  int64_t requests = 0;
  int64_t verified = 0;
  int64_t unverified = 0;
  int64_t refused = 0;

  int64_t accepted() const { return verified + unverified; }
};

absl::Status ReadNumber(const Args& args, absl::string_view flag, int64_t min, int64_t max,
                        int64_t* number) {
  if (!args.Has(flag)) return absl::OkStatus();
  if (absl::SimpleAtoi(args.Get(flag), number) && *number >= min && *number <= max) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat(flag, " is not a whole number from ", min, " to ", max));
}

absl::StatusOr<ReceiveSettings> ReadSettings(const Args& args) {
  int64_t port = 0;
  int64_t status = 0;
  int64_t count = std::numeric_limits<int64_t>::max();
  for (absl::Status read : {ReadNumber(args, "--port", 0, 65535, &port),
                            ReadNumber(args, "--status", 200, 599, &status),
                            ReadNumber(args, "--count", 1, count, &count)}) {
    if (!read.ok()) return read;
  }
  absl::StatusOr<std::vector<signing::VerifyingKey>> secrets = ReadSecrets(args);
  if (!secrets.ok()) return secrets.status();
  return ReceiveSettings{.address = std::string(args.Get("--listen")),
                         .port = static_cast<int>(port),
                         .status = static_cast<int>(status),
                         .count = count,
                         .secrets = *std::move(secrets)};
}

// Readable once SIGINT or SIGTERM has come.
int OpenStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  return signalfd(-1, &signals, SFD_CLOEXEC);
}

void Print(const std::string& text) {
  fputs(text.c_str(), stdout);
  fflush(stdout);
}

void Count(Verdict verdict, Totals* totals) {
  ++totals->requests;
  switch (verdict) {
    case Verdict::kVerified:
      ++totals->verified;
      break;
    case Verdict::kUnverified:
      ++totals->unverified;
      break;
    case Verdict::kRefused:
      ++totals->refused;
      break;
  }
}

std::string RenderTotals(const Totals& totals, bool json) {
  if (json) {
    return absl::StrCat("{\"requests\": ", totals.requests, ", \"verified\": ", totals.verified,
                        ", \"not_verified\": ", totals.unverified,
                        ", \"refused\": ", totals.refused, "}\n");
  }
  return absl::StrCat(totals.requests, " requests: ", totals.verified, " verified, ",
                      totals.unverified, " not verified, ", totals.refused, " refused\n");
}

}  // namespace

Outcome ReceiveWebhooks(const Invocation& invocation) {
  const absl::StatusOr<ReceiveSettings> settings = ReadSettings(invocation.args);
  if (!settings.ok()) return UsageError(invocation.command, settings.status().message());
  const int stop_fd = OpenStopSignals();
  const absl::Cleanup close_stop_fd = [&] { close(stop_fd); };
  absl::StatusOr<Receiver> receiver = Receiver::Listen(settings->address, settings->port);
  if (!receiver.ok()) {
    return {.exit_code = kExitRefused,
            .error = absl::StrCat(receiver.status().message(),
                                  ". Choose another with --listen and --port.")};
  }
  Print(absl::StrCat("postrider receive listening on ", receiver->url(), "\n"));

  const bool json = WantsJson(invocation.args);
  const bool show_body = invocation.args.IsOn("--show-body");
  Totals totals;
  const auto judge = [&](const std::variant<Refused, Complete>& request) {
    const auto* complete = std::get_if<Complete>(&request);
    Received received = complete == nullptr ? JudgeRefused(std::get<Refused>(request), absl::Now())
                                            : Judge(complete->request, settings->secrets,
                                                    settings->status, absl::Now());
    Count(received.verdict, &totals);
    Print(RenderReceived(received, json, show_body));
    return received;
  };
  const absl::Status served =
      receiver->Serve(stop_fd, judge, [&] { return totals.accepted() >= settings->count; });
  if (!served.ok()) {
    return {.exit_code = kExitRefused, .error = absl::StrCat(served.message(), ".")};
  }
  return {.output = RenderTotals(totals, json)};
}

}  // namespace postrider::cli

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "tools/postrider/args.h"
#include "tools/postrider/call.h"
#include "tools/postrider/commands.h"
#include "tools/postrider/help.h"
#include "tools/postrider/text_table.h"

namespace {

using postrider::cli::Outcome;

Outcome Run(const std::vector<std::string>& words) {
  namespace cli = postrider::cli;
  if (words.empty()) {
    return {.exit_code = cli::kExitUsage, .error = "no command is given. See 'postrider --help'."};
  }
  const absl::StatusOr<cli::ParsedLine> line =
      cli::ParseLine(cli::Commands(), cli::GlobalFlags(), words, getenv);
  if (!line.ok()) {
    return {.exit_code = cli::kExitUsage, .error = cli::Printable(line.status().message())};
  }
  if (line->help) {
    return {.output = line->command != nullptr
                          ? cli::CommandHelp(*line->command, cli::GlobalFlags())
                          : cli::CommandsHelp(cli::Commands(), cli::GlobalFlags(), line->group)};
  }
  if (line->command->run == nullptr) {
    return {.exit_code = cli::kExitRefused,
            .error = absl::StrCat("'", cli::FullName(*line->command),
                                  "' is not available yet. See 'postrider --help' for what is.")};
  }
  const absl::string_view output = line->args.Get("--output");
  if (output != "table" && output != "json") {
    return cli::UsageError(*line->command,
                           absl::StrCat("--output is table or json, not '", output, "'"));
  }
  return line->command->run({*line->command, line->args});
}

}  // namespace

int main(int argc, char** argv) {
  const Outcome outcome = Run({argv + 1, argv + argc});
  fputs(outcome.output.c_str(), stdout);
  if (!outcome.error.empty()) {
    const std::string error(absl::StripAsciiWhitespace(outcome.error));
    fprintf(stderr, "postrider: %s\n", error.c_str());
  }
  if (fflush(stdout) != 0) {
    fputs("postrider: cannot write to standard output.\n", stderr);
    return postrider::cli::kExitRefused;
  }
  return outcome.exit_code;
}

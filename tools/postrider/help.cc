#include "tools/postrider/help.h"

#include "absl/strings/str_cat.h"
#include "tools/postrider/text_table.h"

namespace postrider::cli {
namespace {

constexpr absl::string_view kNotAvailable = " (not available yet)";

std::string FlagSyntax(const Flag& flag) {
  if (flag.value.empty()) return std::string(flag.name);
  return absl::StrCat(flag.name, " ", flag.value);
}

std::string Flags(absl::Span<const Flag> flags) {
  TextTable table;
  for (const Flag& flag : flags) {
    std::string help(flag.help);
    if (flag.use == FlagUse::kRequired) absl::StrAppend(&help, "; required");
    if (flag.use == FlagUse::kRepeated) absl::StrAppend(&help, "; repeatable");
    if (!flag.env.empty()) absl::StrAppend(&help, "; else $", flag.env);
    if (!flag.default_value.empty()) absl::StrAppend(&help, "; default ", flag.default_value);
    table.AddRow({absl::StrCat("  ", FlagSyntax(flag)), help});
  }
  return table.Render();
}

}  // namespace

std::string CommandsHelp(absl::Span<const Command> commands, absl::Span<const Flag> global_flags,
                         absl::string_view group) {
  TextTable table;
  for (const Command& command : commands) {
    if (!group.empty() && command.group != group) continue;
    table.AddRow({absl::StrCat("  ", FullName(command)),
                  absl::StrCat(command.summary, command.run == nullptr ? kNotAvailable : "")});
  }
  return absl::StrCat("Usage: postrider ", group.empty() ? "COMMAND" : group,
                      " ... [FLAG]...\n\nCommands:\n", table.Render(), "\nFlags of all commands:\n",
                      Flags(global_flags),
                      "\nExit codes: 0 done, 1 refused, 2 wrong usage, 3 server not reachable.\n"
                      "'postrider COMMAND --help' shows the flags of a command.\n");
}

std::string CommandHelp(const Command& command, absl::Span<const Flag> global_flags) {
  std::string usage = absl::StrCat("Usage: postrider ", FullName(command));
  if (!command.argument.name.empty()) {
    absl::StrAppend(&usage, command.argument.required ? " " : " [", command.argument.name,
                    command.argument.required ? "" : "]");
  }
  for (const Flag& flag : command.flags) {
    if (flag.use == FlagUse::kRequired) absl::StrAppend(&usage, " ", FlagSyntax(flag));
  }
  absl::StrAppend(&usage, " [FLAG]...\n\n", command.summary, ".\n");
  if (command.run == nullptr) {
    return absl::StrCat(usage, "\nThis command is not available yet.\n");
  }
  if (!command.flags.empty()) absl::StrAppend(&usage, "\nFlags:\n", Flags(command.flags));
  return absl::StrCat(usage, "\nFlags of all commands:\n", Flags(global_flags));
}

}  // namespace postrider::cli

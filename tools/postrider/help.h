// The help, made from the table of commands.

#ifndef POSTRIDER_TOOLS_POSTRIDER_HELP_H_
#define POSTRIDER_TOOLS_POSTRIDER_HELP_H_

#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "tools/postrider/command.h"

namespace postrider::cli {

// Every command with its summary; of one group only if `group` is not empty. Thread-safe.
std::string CommandsHelp(absl::Span<const Command> commands, absl::Span<const Flag> global_flags,
                         absl::string_view group);

// Usage, argument and flags of one command. Thread-safe.
std::string CommandHelp(const Command& command, absl::Span<const Flag> global_flags);

}  // namespace postrider::cli

#endif  // POSTRIDER_TOOLS_POSTRIDER_HELP_H_

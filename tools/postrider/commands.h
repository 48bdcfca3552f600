// The table of commands: the one place that names them, their flags and what they fill.

#ifndef POSTRIDER_TOOLS_POSTRIDER_COMMANDS_H_
#define POSTRIDER_TOOLS_POSTRIDER_COMMANDS_H_

#include <vector>

#include "absl/types/span.h"
#include "tools/postrider/command.h"

namespace postrider::cli {

// In the order of the help. Lives as long as the program.
const std::vector<Command>& Commands();

// Flags that every command takes.
absl::Span<const Flag> GlobalFlags();

}  // namespace postrider::cli

#endif  // POSTRIDER_TOOLS_POSTRIDER_COMMANDS_H_

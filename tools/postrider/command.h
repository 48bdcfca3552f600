// What a command is: one row of the table from which the parser, the help and the requests are
// made.

#ifndef POSTRIDER_TOOLS_POSTRIDER_COMMAND_H_
#define POSTRIDER_TOOLS_POSTRIDER_COMMAND_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace postrider::cli {

// Exit codes of the program.
inline constexpr int kExitOk = 0;
inline constexpr int kExitRefused = 1;      // the server, or the check asked for, said no
inline constexpr int kExitUsage = 2;        // the command line is wrong; nothing was sent
inline constexpr int kExitUnreachable = 3;  // no answer, or the server is not available now

enum class FlagUse {
  kOptional,
  kRequired,
  kRepeated,  // any number of times, also none
};

struct Flag {
  absl::string_view name;        // with its dashes
  absl::string_view value;       // what stands for the value in the help; empty: a switch
  absl::string_view help;        // a phrase without a full stop
  absl::string_view field = {};  // path of the request field it fills; empty: the command reads it
  FlagUse use = FlagUse::kOptional;
  absl::string_view env = {};            // environment variable that is read where it is missing
  absl::string_view default_value = {};  // taken where both are missing
  bool masked = true;                    // named in the update mask, where the request has one
};

// The word after the command that is not a flag.
struct Argument {
  absl::string_view name = {};  // in the help; empty: the command takes none
  absl::string_view field = {};
  bool required = true;
};

// What the program prints and how it ends. `error` is one line without its end.
struct Outcome {
  int exit_code = kExitOk;
  std::string output = {};
  std::string error = {};
};

struct Invocation;
using Runner = Outcome (*)(const Invocation&);

struct Command {
  absl::string_view group;
  absl::string_view name;  // empty: the group is the whole command
  absl::string_view summary;
  Runner run = nullptr;  // null: not available yet
  Argument argument = {};
  std::vector<Flag> flags = {};
  absl::string_view note = {};  // printed under the table of a successful call
};

// `endpoint create`, or `verify`.
inline std::string FullName(const Command& command) {
  std::string name(command.group);
  if (!command.name.empty()) name.append(" ").append(command.name.data(), command.name.size());
  return name;
}

}  // namespace postrider::cli

#endif  // POSTRIDER_TOOLS_POSTRIDER_COMMAND_H_

// Reads a command line by the table of commands. Pure: the environment is a function.

#ifndef POSTRIDER_TOOLS_POSTRIDER_ARGS_H_
#define POSTRIDER_TOOLS_POSTRIDER_ARGS_H_

#include <map>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "tools/postrider/command.h"

namespace postrider::cli {

// The values of flags, by their names with dashes, and the argument.
class Args {
 public:
  bool Has(absl::string_view flag) const { return !All(flag).empty(); }

  // The value of a flag that is given once; empty if it is not given.
  absl::string_view Get(absl::string_view flag) const;

  // Every value in the order given.
  const std::vector<std::string>& All(absl::string_view flag) const;

  // True if the switch is on.
  bool IsOn(absl::string_view flag) const { return Get(flag) == "true"; }

  void Add(absl::string_view flag, absl::string_view value);

  std::string argument;

 private:
  std::map<std::string, std::vector<std::string>> values_;
};

// A command line that was understood.
struct ParsedLine {
  const Command* command = nullptr;  // null: help on `group`, or on everything if that is empty
  std::string group;
  bool help = false;
  Args args;
};

// How a flag that is not given finds its variable; null if that is not set.
using Environment = absl::FunctionRef<const char*(const char*)>;

// Reads `words`, the command line without the program's name. Flags stand anywhere, `--name value`
// or `--name=value`; a value that begins with `--` needs the second form. A switch takes no value,
// or `=true` or `=false`. `--` ends the flags. The words after a command that is not available yet
// are not looked at, except for `--help`.
//
// INVALID_ARGUMENT with one line that says what is wrong and which help to read. `commands` must
// outlive the result. Thread-safe.
absl::StatusOr<ParsedLine> ParseLine(absl::Span<const Command> commands,
                                     absl::Span<const Flag> global_flags,
                                     const std::vector<std::string>& words,
                                     Environment environment);

}  // namespace postrider::cli

#endif  // POSTRIDER_TOOLS_POSTRIDER_ARGS_H_

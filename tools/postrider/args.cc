#include "tools/postrider/args.h"

#include <algorithm>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace postrider::cli {
namespace {

bool IsHelp(const std::string& word) { return word == "--help" || word == "-h"; }
bool IsFlag(const std::string& word) { return word.size() > 1 && word[0] == '-'; }

// One pass over the words of a line.
class Parser {
 public:
  Parser(absl::Span<const Command> commands, absl::Span<const Flag> global_flags,
         const std::vector<std::string>& words)
      : commands_(commands), global_flags_(global_flags), words_(words) {}

  absl::StatusOr<ParsedLine> Parse(Environment environment) {
    if (absl::Status status = ReadCommand(); !status.ok()) return status;
    if (line_.help) return std::move(line_);
    if (line_.command->run == nullptr) {
      line_.help = std::any_of(words_.begin() + next_, words_.end(), IsHelp);
      return std::move(line_);
    }
    if (absl::Status status = ReadRest(); !status.ok()) return status;
    if (line_.help) return std::move(line_);
    for (absl::Span<const Flag> flags :
         {absl::MakeConstSpan(line_.command->flags), global_flags_}) {
      for (const Flag& flag : flags) {
        if (absl::Status status = Complete(flag, environment); !status.ok()) return status;
      }
    }
    if (line_.args.argument.empty() && !line_.command->argument.name.empty() &&
        line_.command->argument.required) {
      return Usage(absl::StrCat(line_.command->argument.name, " is missing"));
    }
    return std::move(line_);
  }

 private:
  absl::Status Usage(absl::string_view problem) const {
    const std::string topic = line_.command != nullptr ? FullName(*line_.command) : line_.group;
    return absl::InvalidArgumentError(
        absl::StrCat(problem, ". See 'postrider ", topic, topic.empty() ? "" : " ", "--help'."));
  }

  // Finds the command, with global flags before it if there are any.
  absl::Status ReadCommand() {
    while (next_ < words_.size() && IsFlag(words_[next_])) {
      if (IsHelp(words_[next_])) return AskForHelp();
      if (absl::Status status = ReadFlag(); !status.ok()) return status;
    }
    if (next_ < words_.size() && words_[next_] == "help") {
      line_.help = true;
      ++next_;
    }
    if (next_ == words_.size()) return line_.help ? absl::OkStatus() : Usage("no command is given");
    const std::string& group = words_[next_++];
    std::vector<absl::string_view> names;
    for (const Command& command : commands_) {
      if (command.group != group) continue;
      line_.group = group;
      if (command.name.empty() || (next_ < words_.size() && command.name == words_[next_])) {
        line_.command = &command;
        if (!command.name.empty()) ++next_;
        return absl::OkStatus();
      }
      names.push_back(command.name);
    }
    if (names.empty()) return Usage(absl::StrCat("there is no command '", group, "'"));
    if (next_ == words_.size() && line_.help) return absl::OkStatus();
    if (next_ < words_.size() && IsHelp(words_[next_])) return AskForHelp();
    return Usage(absl::StrCat(next_ == words_.size()
                                  ? absl::StrCat("'", group, "' needs a second word")
                                  : absl::StrCat("there is no '", group, " ", words_[next_], "'"),
                              ": ", absl::StrJoin(names, ", ")));
  }

  absl::Status ReadRest() {
    bool flags_end = false;
    bool has_argument = false;
    while (next_ < words_.size()) {
      const std::string& word = words_[next_];
      if (!flags_end && word == "--") {
        flags_end = true;
        ++next_;
      } else if (!flags_end && IsHelp(word)) {
        return AskForHelp();
      } else if (!flags_end && IsFlag(word)) {
        if (absl::Status status = ReadFlag(); !status.ok()) return status;
      } else if (line_.command->argument.name.empty() || has_argument) {
        return Usage(absl::StrCat("'", word, "' is one word too many"));
      } else {
        line_.args.argument = word;
        has_argument = true;
        ++next_;
      }
    }
    return absl::OkStatus();
  }

  absl::Status AskForHelp() {
    line_.help = true;
    return absl::OkStatus();
  }

  const Flag* FindFlag(absl::string_view name) const {
    if (line_.command != nullptr) {
      for (const Flag& flag : line_.command->flags) {
        if (flag.name == name) return &flag;
      }
    }
    for (const Flag& flag : global_flags_) {
      if (flag.name == name) return &flag;
    }
    return nullptr;
  }

  absl::Status ReadFlag() {
    const absl::string_view word = words_[next_++];
    const size_t equals = word.find('=');
    const absl::string_view name = word.substr(0, equals);
    const Flag* flag = FindFlag(name);
    if (flag == nullptr) return Usage(absl::StrCat("there is no flag ", name));
    std::optional<absl::string_view> value;
    if (equals != absl::string_view::npos) value = word.substr(equals + 1);
    if (flag->value.empty()) {
      if (!value.has_value()) value = "true";
      if (*value != "true" && *value != "false") {
        return Usage(absl::StrCat(name, " is a switch: write it alone, or ", name, "=true or ",
                                  name, "=false"));
      }
    } else if (!value.has_value()) {
      if (next_ == words_.size()) return Usage(absl::StrCat(name, " needs a value"));
      if (absl::StartsWith(words_[next_], "--")) {
        return Usage(absl::StrCat(name, " needs a value; if it is '", words_[next_], "', write ",
                                  name, "=", words_[next_]));
      }
      value = words_[next_++];
    }
    if (flag->use != FlagUse::kRepeated && line_.args.Has(name)) {
      return Usage(absl::StrCat(name, " is given twice"));
    }
    line_.args.Add(name, *value);
    return absl::OkStatus();
  }

  // Takes a missing value from the environment or the default.
  absl::Status Complete(const Flag& flag, Environment environment) {
    if (line_.args.Has(flag.name)) return absl::OkStatus();
    const char* value = flag.env.empty() ? nullptr : environment(std::string(flag.env).c_str());
    if (value != nullptr && value[0] != '\0') {
      line_.args.Add(flag.name, value);
    } else if (!flag.default_value.empty()) {
      line_.args.Add(flag.name, flag.default_value);
    } else if (flag.use == FlagUse::kRequired) {
      return Usage(absl::StrCat(flag.name, " is missing"));
    }
    return absl::OkStatus();
  }

  const absl::Span<const Command> commands_;
  const absl::Span<const Flag> global_flags_;
  const std::vector<std::string>& words_;
  size_t next_ = 0;
  ParsedLine line_;
};

}  // namespace

absl::string_view Args::Get(absl::string_view flag) const {
  const std::vector<std::string>& values = All(flag);
  return values.empty() ? absl::string_view() : values.back();
}

const std::vector<std::string>& Args::All(absl::string_view flag) const {
  static const auto* const kNone = new std::vector<std::string>();
  const auto found = values_.find(std::string(flag));
  return found == values_.end() ? *kNone : found->second;
}

void Args::Add(absl::string_view flag, absl::string_view value) {
  values_[std::string(flag)].emplace_back(value);
}

absl::StatusOr<ParsedLine> ParseLine(absl::Span<const Command> commands,
                                     absl::Span<const Flag> global_flags,
                                     const std::vector<std::string>& words,
                                     Environment environment) {
  return Parser(commands, global_flags, words).Parse(environment);
}

}  // namespace postrider::cli

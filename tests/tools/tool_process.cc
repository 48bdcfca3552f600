#include "tests/tools/tool_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/strings/match.h"

extern char** environ;

namespace postrider::cli {
namespace {

// A file without a name that holds `text`, to be read from its start.
int FileWith(const std::string& text) {
  const int file = memfd_create("postrider-test", MFD_CLOEXEC);
  if (file < 0 || write(file, text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      lseek(file, 0, SEEK_SET) != 0) {
    abort();
  }
  return file;
}

std::string ReadAll(int file) {
  std::string text;
  char bytes[4096];
  ssize_t size = 0;
  while ((size = read(file, bytes, sizeof(bytes))) > 0) text.append(bytes, size);
  return text;
}

std::vector<char*> Pointers(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

ToolProcess::ToolProcess(const std::vector<std::string>& arguments, const std::string& input,
                         const std::vector<std::pair<std::string, std::string>>& environment) {
  std::vector<std::string> words = {POSTRIDER_TOOL_PATH};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (!absl::StartsWith(*variable, "POSTRIDER_")) variables.emplace_back(*variable);
  }
  for (const auto& [name, value] : environment) variables.push_back(name + "=" + value);

  int pipe_ends[2];
  const int input_file = FileWith(input);
  error_ = FileWith("");
  if (pipe2(pipe_ends, O_CLOEXEC) != 0) abort();
  output_ = pipe_ends[0];
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input_file, 0);
  posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], 1);
  posix_spawn_file_actions_adddup2(&actions, error_, 2);
  if (posix_spawn(&pid_, POSTRIDER_TOOL_PATH, &actions, nullptr, Pointers(words).data(),
                  Pointers(variables).data()) != 0) {
    abort();
  }
  posix_spawn_file_actions_destroy(&actions);
  close(pipe_ends[1]);
  close(input_file);
}

ToolProcess::~ToolProcess() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  close(output_);
  close(error_);
}

std::string ToolProcess::ReadLine() {
  while (true) {
    const size_t end = unread_.find('\n');
    if (end != std::string::npos) {
      std::string line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      return line;
    }
    char bytes[4096];
    const ssize_t size = read(output_, bytes, sizeof(bytes));
    if (size <= 0) return std::exchange(unread_, "");
    unread_.append(bytes, size);
  }
}

void ToolProcess::Signal(int signal) { kill(pid_, signal); }

ToolResult ToolProcess::Finish() {
  ToolResult result;
  result.output = std::exchange(unread_, "") + ReadAll(output_);
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  lseek(error_, 0, SEEK_SET);
  result.error = ReadAll(error_);
  return result;
}

ToolResult RunTool(const std::vector<std::string>& arguments, const std::string& input,
                   const std::vector<std::pair<std::string, std::string>>& environment) {
  return ToolProcess(arguments, input, environment).Finish();
}

}  // namespace postrider::cli

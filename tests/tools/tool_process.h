// The program `postrider` as a child of the test.

#ifndef POSTRIDER_TESTS_TOOLS_TOOL_PROCESS_H_
#define POSTRIDER_TESTS_TOOLS_TOOL_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

namespace postrider::cli {

struct ToolResult {
  int exit_code = -1;  // 128 + the signal if one ended it
  std::string output;
  std::string error;
};

// One run. Its environment is that of the test without what begins with POSTRIDER_, and with what
// is given. Not thread-safe.
class ToolProcess {
 public:
  explicit ToolProcess(const std::vector<std::string>& arguments, const std::string& input = "",
                       const std::vector<std::pair<std::string, std::string>>& environment = {});
  // Kills it if it still runs.
  ~ToolProcess();

  ToolProcess(const ToolProcess&) = delete;
  ToolProcess& operator=(const ToolProcess&) = delete;

  // The next line of its standard output, without its end; empty once that is closed.
  std::string ReadLine();

  void Signal(int signal);

  // Waits for its end; `output` is what ReadLine has not returned.
  ToolResult Finish();

 private:
  pid_t pid_ = -1;
  int output_ = -1;
  int error_ = -1;
  std::string unread_;
};

// Starts it and waits for its end.
ToolResult RunTool(const std::vector<std::string>& arguments, const std::string& input = "",
                   const std::vector<std::pair<std::string, std::string>>& environment = {});

}  // namespace postrider::cli

#endif  // POSTRIDER_TESTS_TOOLS_TOOL_PROCESS_H_

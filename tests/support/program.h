#ifndef POSTRIDER_TESTS_SUPPORT_PROGRAM_H_
#define POSTRIDER_TESTS_SUPPORT_PROGRAM_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace postrider::testing {

// A program that runs beside the test as its child. Thread-compatible. Start it in the main thread:
// it is killed when the thread that started it ends.
class Program {
 public:
  struct Options {
    std::vector<std::string> arguments;  // The first one is the program's path.
    std::vector<std::pair<std::string, std::string>> environment;  // Added to our own.
    std::string error_file;   // Where standard error goes; empty: where ours goes.
    bool read_output = true;  // False: standard output goes where ours goes.
  };

  static absl::StatusOr<std::unique_ptr<Program>> Start(const Options& options);

  // Kills it if it still runs.
  ~Program();

  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  pid_t pid() const { return pid_; }

  // Its memory in RAM, in bytes; 0 when it has ended.
  int64_t ResidentBytes() const;

  // The next line of standard output, without its end. OUT_OF_RANGE: standard output was closed;
  // DEADLINE_EXCEEDED.
  absl::StatusOr<std::string> ReadLine(absl::Duration timeout);

  // Does nothing once WaitForExit has seen the end.
  void Signal(int signal);

  // Stops it until SIGCONT. kill(SIGSTOP) alone returns while its threads still run: on a busy
  // machine for long enough to do work.
  void Stop();

  // Its exit code, or 128 + the signal that ended it; none if it did not end in time.
  std::optional<int> WaitForExit(absl::Duration timeout);

 private:
  Program(pid_t pid, int pidfd, int output) : pid_(pid), pidfd_(pidfd), output_(output) {}

  const pid_t pid_;
  const int pidfd_;
  const int output_;  // -1: not read.
  std::string unread_;
  std::optional<int> exit_code_;
};

}  // namespace postrider::testing

#endif  // POSTRIDER_TESTS_SUPPORT_PROGRAM_H_

#ifndef POSTRIDER_TESTS_SUPPORT_SERVER_PROCESS_H_
#define POSTRIDER_TESTS_SUPPORT_SERVER_PROCESS_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/support/api.h"
#include "tests/support/program.h"

namespace postrider::testing {

// A postriderd of its own process, with listeners on free ports of 127.0.0.1, that may deliver to
// receivers there. Thread-compatible, apart from api(); start it in the main thread.
class ServerProcess {
 public:
  struct Options {
    // Where its data is. Empty: a private PostgreSQL of its own in the data folder.
    std::string database;
    // Empty: a new one. Name the folder of an earlier server to start that one again.
    std::string data_dir;
    // Added to the usual ones.
    std::vector<std::string> flags;
    // False: it may deliver to no private address, not even to receivers of the test.
    bool allow_loopback = true;
    std::vector<std::pair<std::string, std::string>> environment;
  };

  // Returns when it is ready. UNAVAILABLE: it ended before; the message has its exit code and what
  // it said. DEADLINE_EXCEEDED: not ready within a minute.
  static absl::StatusOr<std::unique_ptr<ServerProcess>> Start(Options options);

  // What came of running it to its end, for flags that make it do something else than serve. The
  // exit code is -1 if it did not end within a minute.
  struct Ended {
    int exit_code = -1;
    std::string output;
    std::string log;
  };
  static Ended Run(Options options);

  const std::string& grpc_address() const { return grpc_address_; }
  const std::string& http_address() const { return http_address_; }
  const Options& options() const { return options_; }
  Api& api() { return *api_; }
  Program& program() { return *program_; }

  // Asks it to end and waits; its exit code, none if it did not end in time.
  std::optional<int> Terminate(absl::Duration timeout = absl::Seconds(30));

  // kill -9, and waits until it is gone. Its private PostgreSQL, if any, runs on.
  void Kill();

  // What it wrote to standard error so far; the last lines, for the message of a failed test.
  std::string Log() const;
  std::string LogTail(size_t lines = 30) const;

 private:
  explicit ServerProcess(Options options) : options_(std::move(options)) {}

  Options options_;
  std::string log_file_;
  std::string grpc_address_;
  std::string http_address_;
  std::unique_ptr<Program> program_;
  std::unique_ptr<Api> api_;
};

// The file with the master key that all servers of this test program share.
const std::string& MasterKeyFile();

// The answer to `GET path` of an HTTP listener as printed by the server, head and body; "" if there
// is none within a few seconds.
std::string HttpGet(const std::string& address, const std::string& path);

}  // namespace postrider::testing

#endif  // POSTRIDER_TESTS_SUPPORT_SERVER_PROCESS_H_

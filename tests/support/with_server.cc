// with_server PROGRAM ARGUMENT...: runs a program beside a server that has a private PostgreSQL,
// and ends as the program does. The program finds the server's gRPC address in POSTRIDER_ADDRESS.

#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "tests/support/program.h"
#include "tests/support/server_process.h"

int main(int argc, char** argv) {
  using postrider::testing::Program;
  using postrider::testing::ServerProcess;
  constexpr absl::Duration kLongest = absl::Minutes(5);
  if (argc < 2) {
    std::fprintf(stderr, "usage: with_server PROGRAM ARGUMENT...\n");
    return 2;
  }
  absl::StatusOr<std::unique_ptr<ServerProcess>> server = ServerProcess::Start({});
  if (!server.ok()) {
    std::fprintf(stderr, "%s\n", std::string(server.status().message()).c_str());
    return 1;
  }
  Program::Options options;
  options.arguments.assign(argv + 1, argv + argc);
  options.environment = {{"POSTRIDER_ADDRESS", (*server)->grpc_address()}};
  options.read_output = false;
  absl::StatusOr<std::unique_ptr<Program>> program = Program::Start(options);
  if (!program.ok()) {
    std::fprintf(stderr, "%s\n", std::string(program.status().message()).c_str());
    return 1;
  }
  const std::optional<int> code = (*program)->WaitForExit(kLongest);
  if (!code.has_value()) std::fprintf(stderr, "%s did not end in time\n", argv[1]);
  const std::optional<int> server_code = (*server)->Terminate();
  if (server_code != 0 || code.value_or(1) != 0) {
    std::fprintf(stderr, "server ended with %d, log:\n%s\n", server_code.value_or(-1),
                 (*server)->LogTail().c_str());
  }
  return code.value_or(1) != 0 ? code.value_or(1) : server_code.value_or(1);
}

#include "tests/support/server_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "tests/support/scratch_folder.h"

namespace postrider::testing {
namespace {

constexpr absl::Duration kReadyTimeout = absl::Minutes(1);
constexpr char kReady[] = "postrider ready ";

std::vector<std::string> Arguments(const ServerProcess::Options& options) {
  std::vector<std::string> arguments = {POSTRIDERD_PATH, "--listen",    "127.0.0.1:0",
                                        "--http-listen", "127.0.0.1:0", "--data-dir",
                                        options.data_dir};
  if (!options.database.empty()) {
    arguments.insert(arguments.end(),
                     {"--database", options.database, "--master-key-file", MasterKeyFile()});
  }
  if (options.allow_loopback) arguments.insert(arguments.end(), {"--egress-allow", "127.0.0.0/8"});
  arguments.push_back("--egress-allow-http");
  arguments.insert(arguments.end(), options.flags.begin(), options.flags.end());
  return arguments;
}

// The value of `name=` in the line that says the server is ready.
std::string Field(const std::string& line, const std::string& name) {
  for (const std::string& word : std::vector<std::string>(absl::StrSplit(line, ' '))) {
    if (absl::StartsWith(word, name + "=")) return word.substr(name.size() + 1);
  }
  return "";
}

}  // namespace

absl::StatusOr<std::unique_ptr<ServerProcess>> ServerProcess::Start(Options options) {
  std::unique_ptr<ServerProcess> server(new ServerProcess(std::move(options)));
  if (server->options_.data_dir.empty()) {
    server->options_.data_dir = ScratchFolder::NewFolder("server");
  }
  server->log_file_ = ScratchFolder::NewFile("log");
  Program::Options program;
  program.arguments = Arguments(server->options_);
  program.environment = server->options_.environment;
  program.error_file = server->log_file_;
  absl::StatusOr<std::unique_ptr<Program>> started = Program::Start(program);
  if (!started.ok()) return started.status();
  server->program_ = *std::move(started);
  absl::StatusOr<std::string> line = server->program_->ReadLine(kReadyTimeout);
  if (absl::IsOutOfRange(line.status())) {
    const std::optional<int> code = server->program_->WaitForExit(absl::Seconds(5));
    return absl::UnavailableError(
        absl::StrCat("postriderd ended with ", code.value_or(-1), ":\n", server->LogTail()));
  }
  if (!line.ok()) {
    return absl::DeadlineExceededError(
        absl::StrCat("postriderd is not ready:\n", server->LogTail()));
  }
  server->grpc_address_ = Field(*line, "grpc");
  server->http_address_ = Field(*line, "http");
  if (!absl::StartsWith(*line, kReady) || server->grpc_address_.empty()) {
    return absl::InternalError(absl::StrCat("postriderd said: ", *line));
  }
  server->api_ = std::make_unique<Api>(server->grpc_address_);
  return server;
}

ServerProcess::Ended ServerProcess::Run(Options options) {
  ServerProcess server(std::move(options));
  if (server.options_.data_dir.empty())
    server.options_.data_dir = ScratchFolder::NewFolder("server");
  server.log_file_ = ScratchFolder::NewFile("log");
  Program::Options program;
  program.arguments = Arguments(server.options_);
  program.environment = server.options_.environment;
  program.error_file = server.log_file_;
  absl::StatusOr<std::unique_ptr<Program>> started = Program::Start(program);
  if (!started.ok()) return {-1, "", std::string(started.status().message())};
  Ended ended;
  const absl::Time end = absl::Now() + kReadyTimeout;
  for (;;) {
    const absl::StatusOr<std::string> line = (*started)->ReadLine(end - absl::Now());
    if (!line.ok()) break;
    absl::StrAppend(&ended.output, *line, "\n");
  }
  ended.exit_code = (*started)->WaitForExit(end - absl::Now()).value_or(-1);
  ended.log = server.Log();
  return ended;
}

std::optional<int> ServerProcess::Terminate(absl::Duration timeout) {
  program_->Signal(SIGTERM);
  return program_->WaitForExit(timeout);
}

void ServerProcess::Kill() {
  program_->Signal(SIGKILL);
  program_->WaitForExit(absl::Seconds(10));
}

std::string ServerProcess::Log() const {
  std::ifstream file(log_file_, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

std::string ServerProcess::LogTail(size_t lines) const {
  std::vector<std::string> all = absl::StrSplit(Log(), '\n');
  if (all.size() > lines) all.erase(all.begin(), all.end() - static_cast<ptrdiff_t>(lines));
  return absl::StrJoin(all, "\n");
}

const std::string& MasterKeyFile() {
  static const std::string* const path = [] {
    auto* file_path = new std::string(ScratchFolder::NewFile("master-key"));
    const int fd = ::open(file_path->c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    constexpr char kKey[] = "cG9zdHJpZGVyIHRlc3RzOiBhIGtub3duIGtleSAhISE=\n";  // 32 bytes.
    if (fd < 0 || ::write(fd, kKey, sizeof(kKey) - 1) != sizeof(kKey) - 1) {
      std::perror("cannot write the master key");
      std::abort();
    }
    ::close(fd);
    return file_path;
  }();
  return *path;
}

std::string HttpGet(const std::string& address, const std::string& path) {
  const std::pair<std::string, std::string> host_port =
      absl::StrSplit(address, absl::MaxSplits(':', 1));
  int port = 0;
  if (!absl::SimpleAtoi(host_port.second, &port)) return "";
  sockaddr_in target{};
  target.sin_family = AF_INET;
  target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  target.sin_port = htons(static_cast<uint16_t>(port));
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval timeout{5, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  std::string answer;
  const std::string request =
      absl::StrCat("GET ", path, " HTTP/1.1\r\nhost: ", address, "\r\nconnection: close\r\n\r\n");
  if (::connect(fd, reinterpret_cast<sockaddr*>(&target), sizeof(target)) == 0 &&
      ::send(fd, request.data(), request.size(), MSG_NOSIGNAL) > 0) {
    char buffer[4096];
    ssize_t got;
    while ((got = ::recv(fd, buffer, sizeof(buffer), 0)) > 0) {
      answer.append(buffer, static_cast<size_t>(got));
    }
  }
  ::close(fd);
  return answer;
}

}  // namespace postrider::testing

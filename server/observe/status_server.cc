#include "server/observe/status_server.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace postrider::observe {
namespace {

constexpr int kPatienceMs = 2000;
constexpr size_t kMaxRequestBytes = 4096;

}  // namespace

absl::StatusOr<std::unique_ptr<StatusServer>> StatusServer::Start(
    const std::string& address, std::function<Readiness()> ready) {
  const size_t colon = address.rfind(':');
  const std::string host = absl::StrReplaceAll(address.substr(0, colon), {{"[", ""}, {"]", ""}});
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), address.substr(colon + 1).c_str(), &hints, &found) != 0) {
    return absl::UnavailableError(absl::StrCat("cannot resolve ", address));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses(found, freeaddrinfo);
  auto server = std::unique_ptr<StatusServer>(new StatusServer());
  server->ready_ = std::move(ready);
  server->listener_ = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const int on = 1;
  setsockopt(server->listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (server->listener_ < 0 || bind(server->listener_, found->ai_addr, found->ai_addrlen) != 0 ||
      listen(server->listener_, 16) != 0) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ", address, ": ",
                                               std::strerror(errno),
                                               ". Choose another one with --http-listen"));
  }
  sockaddr_storage bound{};
  socklen_t length = sizeof(bound);
  getsockname(server->listener_, reinterpret_cast<sockaddr*>(&bound), &length);
  const int port = bound.ss_family == AF_INET6
                       ? ntohs(reinterpret_cast<sockaddr_in6*>(&bound)->sin6_port)
                       : ntohs(reinterpret_cast<sockaddr_in*>(&bound)->sin_port);
  server->address_ = absl::StrCat(address.substr(0, colon), ":", port);
  server->wake_ = eventfd(0, EFD_CLOEXEC);
  server->thread_ = NamedThread("status", [self = server.get()] { self->Run(); });
  return server;
}

StatusServer::~StatusServer() {
  if (wake_ >= 0) {
    const uint64_t one = 1;
    (void)!write(wake_, &one, sizeof(one));
  }
  thread_.Join();
  if (listener_ >= 0) close(listener_);
  if (wake_ >= 0) close(wake_);
}

void StatusServer::Run() {
  for (;;) {
    pollfd waiting[] = {{listener_, POLLIN, 0}, {wake_, POLLIN, 0}};
    if (poll(waiting, 2, -1) < 0 && errno != EINTR) return;
    if (waiting[1].revents != 0) return;
    const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (connection < 0) continue;
    Answer(connection);
    close(connection);
  }
}

void StatusServer::Answer(int connection) {
  std::string request;
  while (request.find("\r\n\r\n") == std::string::npos) {
    pollfd readable{connection, POLLIN, 0};
    char buffer[1024];
    if (request.size() > kMaxRequestBytes || poll(&readable, 1, kPatienceMs) <= 0) return;
    const ssize_t count = recv(connection, buffer, sizeof(buffer), 0);
    if (count <= 0) return;
    request.append(buffer, static_cast<size_t>(count));
  }
  const bool health = request.rfind("GET /healthz ", 0) == 0;
  const bool readiness = request.rfind("GET /readyz ", 0) == 0;
  const Readiness now = health ? Readiness{true, "ok"} : readiness ? ready_() : Readiness{};
  const char* status = now.ready   ? "200 OK"
                       : readiness ? "503 Service Unavailable"
                                   : "404 Not Found";
  const std::string body = health || readiness ? now.says + "\n" : "not found\n";
  const std::string answer = absl::StrCat(
      "HTTP/1.1 ", status, "\r\nContent-Type: text/plain\r\nContent-Length: ", body.size(),
      "\r\nConnection: close\r\n\r\n", body);
  (void)!send(connection, answer.data(), answer.size(), MSG_NOSIGNAL);
}

}  // namespace postrider::observe

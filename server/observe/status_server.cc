#include "server/observe/status_server.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace postrider::observe {
namespace {

// Until the next connection is taken, when there are no file descriptors.
constexpr absl::Duration kPause = absl::Milliseconds(100);
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

void StatusServer::Accept() {
  const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) {
    // Without descriptors it would stay ready to be accepted from.
    if (errno == EMFILE || errno == ENFILE) accept_after_ = MonotonicNow() + kPause;
    return;
  }
  if (connections_.size() >= kMaxConnections) {
    close(connections_.front().fd);
    connections_.pop_front();
  }
  connections_.push_back({fd, MonotonicNow() + kPatience, ""});
}

void StatusServer::Run() {
  std::vector<pollfd> waiting;
  for (;;) {
    const Instant now = MonotonicNow();
    while (!connections_.empty() && connections_.front().until <= now) {
      close(connections_.front().fd);
      connections_.pop_front();
    }
    const bool accepting = accept_after_ <= now;
    waiting = {{wake_, POLLIN, 0}, {accepting ? listener_ : -1, POLLIN, 0}};
    absl::Duration wait = accepting ? absl::InfiniteDuration() : accept_after_ - now;
    if (!connections_.empty()) wait = std::min(wait, connections_.front().until - now);
    for (const Connection& connection : connections_) {
      waiting.push_back({connection.fd, POLLIN, 0});
    }
    const int milliseconds =
        wait == absl::InfiniteDuration()
            ? -1
            : static_cast<int>(absl::ToInt64Milliseconds(absl::Ceil(wait, absl::Milliseconds(1))));
    if (poll(waiting.data(), waiting.size(), milliseconds) < 0 && errno != EINTR) break;
    if (waiting[0].revents != 0) break;
    for (size_t i = 2; i < waiting.size(); ++i) {
      Connection& connection = connections_[i - 2];
      if (waiting[i].revents == 0 || !Serve(connection)) continue;
      close(connection.fd);
      connection.fd = -1;
    }
    std::erase_if(connections_, [](const Connection& connection) { return connection.fd < 0; });
    if (waiting[1].revents != 0) Accept();
  }
  for (const Connection& connection : connections_) close(connection.fd);
}

bool StatusServer::Serve(Connection& connection) {
  char buffer[1024];
  const ssize_t count = recv(connection.fd, buffer, sizeof(buffer), 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (count <= 0) return true;
  connection.request.append(buffer, static_cast<size_t>(count));
  if (connection.request.find("\r\n\r\n") == std::string::npos) {
    return connection.request.size() > kMaxRequestBytes;
  }
  const std::string answer = AnswerTo(connection.request);
  (void)!send(connection.fd, answer.data(), answer.size(), MSG_NOSIGNAL);
  return true;
}

std::string StatusServer::AnswerTo(const std::string& request) const {
  const bool health = request.rfind("GET /healthz ", 0) == 0;
  const bool readiness = request.rfind("GET /readyz ", 0) == 0;
  const Readiness now = health ? Readiness{true, "ok"} : readiness ? ready_() : Readiness{};
  const char* status = now.ready   ? "200 OK"
                       : readiness ? "503 Service Unavailable"
                                   : "404 Not Found";
  const std::string body = health || readiness ? now.says + "\n" : "not found\n";
  return absl::StrCat("HTTP/1.1 ", status,
                      "\r\nContent-Type: text/plain\r\nContent-Length: ", body.size(),
                      "\r\nConnection: close\r\n\r\n", body);
}

}  // namespace postrider::observe

#include "tests/http/scripted_receiver.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace postrider::http {
namespace {

// A socket bound to this address, and to a free port if `port` is 0.
int BoundSocket(const std::string& address, int* port) {
  sockaddr_in v4 = {};
  sockaddr_in6 v6 = {};
  const bool is_v4 = inet_pton(AF_INET, address.c_str(), &v4.sin_addr) == 1;
  v4.sin_family = AF_INET;
  v6.sin6_family = AF_INET6;
  v4.sin_port = v6.sin6_port = htons(*port);
  if (!is_v4) inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr);
  auto* const generic = is_v4 ? reinterpret_cast<sockaddr*>(&v4) : reinterpret_cast<sockaddr*>(&v6);
  socklen_t length = is_v4 ? sizeof(v4) : sizeof(v6);
  const int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || bind(fd, generic, length) != 0 || getsockname(fd, generic, &length) != 0) {
    std::perror("bind");
    std::abort();
  }
  *port = ntohs(is_v4 ? v4.sin_port : v6.sin6_port);
  return fd;
}

}  // namespace

ScriptedReceiver::Connection::Connection(int fd, ScriptedReceiver* receiver)
    : fd_(fd), receiver_(receiver) {
  transport_.receive = [fd](char* bytes, size_t size) { return recv(fd, bytes, size, 0); };
  transport_.send = [fd](const char* bytes, size_t size) {
    return send(fd, bytes, size, MSG_NOSIGNAL);
  };
}

bool ScriptedReceiver::Connection::ReadMore() {
  char bytes[16384];
  const ssize_t count = transport_.receive(bytes, sizeof(bytes));
  if (count <= 0) return false;
  buffer_.append(bytes, count);
  return true;
}

bool ScriptedReceiver::Connection::ReadRequest() {
  size_t end;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (!ReadMore()) return false;
  }
  head_ = buffer_.substr(0, end + 4);
  buffer_.erase(0, end + 4);
  const std::string lower = absl::AsciiStrToLower(head_);
  const size_t field = lower.find("content-length:");
  size_t length = 0;
  if (field != std::string::npos) length = std::strtoul(lower.c_str() + field + 15, nullptr, 10);
  while (buffer_.size() < length) {
    if (!ReadMore()) return false;
  }
  body_ = buffer_.substr(0, length);
  buffer_.erase(0, length);
  ++receiver_->requests_;
  return true;
}

bool ScriptedReceiver::Connection::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = transport_.send(bytes.data(), bytes.size());
    if (count <= 0) return false;
    bytes.remove_prefix(count);
  }
  return true;
}

bool ScriptedReceiver::Connection::Drip(std::string_view bytes, std::chrono::milliseconds pause) {
  pollfd closed = {fd_, POLLRDHUP, 0};
  do {
    if (!Send(bytes)) return false;
  } while (poll(&closed, 1, static_cast<int>(pause.count())) == 0);
  return false;
}

void ScriptedReceiver::Connection::WaitForClose() {
  while (ReadMore()) buffer_.clear();
}

void ScriptedReceiver::Connection::ResetAtEnd() {
  const linger abort = {1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &abort, sizeof(abort));
}

ScriptedReceiver::ScriptedReceiver(Script script, const std::string& address, int port)
    : script_(std::move(script)), port_(port) {
  listen_fd_ = BoundSocket(address, &port_);
  listen(listen_fd_, 4096);
  accept_thread_ = std::thread(&ScriptedReceiver::Accept, this);
}

ScriptedReceiver::~ScriptedReceiver() {
  shutdown(listen_fd_, SHUT_RDWR);
  accept_thread_.join();
  std::vector<std::thread> threads;
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    for (const int fd : open_) shutdown(fd, SHUT_RDWR);
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) thread.join();
  close(listen_fd_);
}

std::string ScriptedReceiver::url() const {
  return absl::StrCat("http://127.0.0.1:", port_, "/hook");
}

bool ScriptedReceiver::AwaitAllClosed() {
  absl::MutexLock lock(&mutex_);
  const auto closed = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return open_.empty(); };
  return mutex_.AwaitWithTimeout(absl::Condition(&closed), absl::Seconds(30));
}

void ScriptedReceiver::Accept() {
  for (;;) {
    // accept4 alone would take a descriptor before it waits, and fail where there is none just
    // then.
    pollfd connection{listen_fd_, POLLIN, 0};
    poll(&connection, 1, -1);
    const int fd = accept4(listen_fd_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    ++connections_;
    const int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    absl::MutexLock lock(&mutex_);
    open_.push_back(fd);
    threads_.emplace_back(&ScriptedReceiver::Serve, this, fd);
  }
}

void ScriptedReceiver::Serve(int fd) {
  Connection connection(fd, this);
  script_(connection);
  absl::MutexLock lock(&mutex_);
  open_.erase(std::find(open_.begin(), open_.end(), fd));
  close(fd);
}

int UnusedPort() {
  int port = 0;
  const int fd = BoundSocket("127.0.0.1", &port);
  close(fd);
  return port;
}

}  // namespace postrider::http

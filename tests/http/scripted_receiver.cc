#include "tests/http/scripted_receiver.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
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

// A socket bound to a free port of 127.0.0.1.
int BoundSocket(int* port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (fd < 0 || bind(fd, generic, length) != 0 || getsockname(fd, generic, &length) != 0) {
    std::perror("bind");
    std::abort();
  }
  *port = ntohs(address.sin_port);
  return fd;
}

}  // namespace

bool ScriptedReceiver::Connection::ReadMore() {
  char bytes[16384];
  const ssize_t count = recv(fd_, bytes, sizeof(bytes), 0);
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
    const ssize_t count = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) return false;
    bytes.remove_prefix(count);
  }
  return true;
}

void ScriptedReceiver::Connection::WaitForClose() {
  while (ReadMore()) buffer_.clear();
}

void ScriptedReceiver::Connection::ResetAtEnd() {
  const linger abort = {1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &abort, sizeof(abort));
}

ScriptedReceiver::ScriptedReceiver(Script script)
    : script_(std::move(script)), listen_fd_(BoundSocket(&port_)) {
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

void ScriptedReceiver::Accept() {
  for (;;) {
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
  int port;
  const int fd = BoundSocket(&port);
  close(fd);
  return port;
}

}  // namespace postrider::http

#include "tests/tools/raw_connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"

namespace postrider::cli {

RawConnection::RawConnection(int port) : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const timeval patience = {.tv_sec = 20, .tv_usec = 0};
  setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  is_connected_ = connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
}

RawConnection::~RawConnection() { close(socket_); }

void RawConnection::Send(absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t size = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (size <= 0) return;
    bytes.remove_prefix(size);
  }
}

RawResponse RawConnection::ReadResponse() {
  size_t end = 0;
  while ((end = input_.find("\r\n\r\n")) == std::string::npos) {
    if (!Fill()) return {};
  }
  RawResponse response;
  response.head = input_.substr(0, end);
  input_.erase(0, end + 4);
  if (response.head.size() < 12 ||
      !absl::SimpleAtoi(response.head.substr(9, 3), &response.status)) {
    return {};
  }
  const std::string head = absl::AsciiStrToLower(response.head);
  const std::string name = "content-length: ";
  const size_t length_at = head.find(name);
  size_t length = 0;
  if (length_at != std::string::npos) {
    length = strtoul(head.c_str() + length_at + name.size(), nullptr, 10);
  }
  while (input_.size() < length) {
    if (!Fill()) return {};
  }
  response.body = input_.substr(0, length);
  input_.erase(0, length);
  return response;
}

bool RawConnection::HasInput() const {
  char byte = 0;
  return !input_.empty() || recv(socket_, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 1;
}

bool RawConnection::IsClosed() { return !Fill() && input_.empty(); }

bool RawConnection::Fill() {
  char bytes[16 * 1024];
  const ssize_t size = recv(socket_, bytes, sizeof(bytes), 0);
  if (size <= 0) return false;
  input_.append(bytes, size);
  return true;
}

}  // namespace postrider::cli

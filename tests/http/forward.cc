#include "tests/http/forward.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

namespace postrider::http {
namespace {

using Connection = ScriptedReceiver::Connection;

int Connect(int family, const sockaddr* address, socklen_t size) {
  const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(fd, address, size) == 0) return fd;
  close(fd);
  return -1;
}

bool CopySome(int from, int to) {
  char bytes[16384];
  const ssize_t count = recv(from, bytes, sizeof(bytes), 0);
  for (ssize_t sent = 0; sent < count;) {
    const ssize_t more = send(to, bytes + sent, static_cast<size_t>(count - sent), MSG_NOSIGNAL);
    if (more <= 0) return false;
    sent += more;
  }
  return count > 0;
}

}  // namespace

int ConnectTo(int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return Connect(AF_INET, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
}

int ConnectTo(const std::string& unix_path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (unix_path.size() >= sizeof(address.sun_path)) return -1;
  std::memcpy(address.sun_path, unix_path.data(), unix_path.size());
  return Connect(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
}

void Forward(int one, int other) {
  for (;;) {
    pollfd ready[] = {{one, POLLIN, 0}, {other, POLLIN, 0}};
    poll(ready, 2, -1);
    if (ready[0].revents != 0 && !CopySome(one, other)) return;
    if (ready[1].revents != 0 && !CopySome(other, one)) return;
  }
}

ScriptedReceiver::Script ProxyTo(int port) {
  return [port](Connection& c) {
    while (c.ReadRequest()) {
      if (!c.head().starts_with("CONNECT ")) {
        c.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        continue;
      }
      const int behind = ConnectTo(port);
      if (behind < 0) {
        c.Send("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
        return;
      }
      c.Send("HTTP/1.1 200 Connection established\r\n\r\n");
      Forward(c.fd(), behind);
      close(behind);
      return;
    }
  };
}

}  // namespace postrider::http

#include "server/http/ip_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "absl/status/status.h"

namespace postrider::http {

absl::StatusOr<IpAddress> IpAddress::Parse(std::string_view text) {
  char buffer[INET6_ADDRSTRLEN];
  IpAddress result;
  if (text.size() < sizeof(buffer) && text.find('\0') == std::string_view::npos) {
    std::copy(text.begin(), text.end(), buffer);
    buffer[text.size()] = '\0';
    result.is_v4_ = text.find(':') == std::string_view::npos;
    if (inet_pton(result.is_v4_ ? AF_INET : AF_INET6, buffer, result.bytes_.data()) == 1) {
      return result;
    }
  }
  return absl::InvalidArgumentError("not an IP address");
}

std::optional<IpAddress> IpAddress::FromSocketAddress(const sockaddr* address, size_t length) {
  IpAddress result;
  if (address->sa_family == AF_INET && length >= sizeof(sockaddr_in)) {
    sockaddr_in v4;
    std::memcpy(&v4, address, sizeof(v4));
    std::memcpy(result.bytes_.data(), &v4.sin_addr, 4);
    return result;
  }
  if (address->sa_family == AF_INET6 && length >= sizeof(sockaddr_in6)) {
    sockaddr_in6 v6;
    std::memcpy(&v6, address, sizeof(v6));
    std::memcpy(result.bytes_.data(), &v6.sin6_addr, 16);
    result.is_v4_ = false;
    return result;
  }
  return std::nullopt;
}

int IpAddress::PortOf(const sockaddr* address, size_t length) {
  if (address->sa_family == AF_INET && length >= sizeof(sockaddr_in)) {
    sockaddr_in v4;
    std::memcpy(&v4, address, sizeof(v4));
    return ntohs(v4.sin_port);
  }
  if (address->sa_family == AF_INET6 && length >= sizeof(sockaddr_in6)) {
    sockaddr_in6 v6;
    std::memcpy(&v6, address, sizeof(v6));
    return ntohs(v6.sin6_port);
  }
  return 0;
}

IpAddress IpAddress::LastFourBytesAsV4() const {
  IpAddress result;
  std::copy(bytes_.begin() + 12, bytes_.end(), result.bytes_.begin());
  return result;
}

std::string IpAddress::ToString() const {
  char buffer[INET6_ADDRSTRLEN];
  inet_ntop(is_v4_ ? AF_INET : AF_INET6, bytes_.data(), buffer, sizeof(buffer));
  return buffer;
}

}  // namespace postrider::http

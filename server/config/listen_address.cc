#include "server/config/listen_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "absl/strings/numbers.h"

namespace postrider::config {
namespace {

constexpr char kUnixScheme[] = "unix:";

}  // namespace

std::string CheckListenAddress(const std::string& address) {
  if (IsUnixAddress(address) && address.size() > sizeof(kUnixScheme) - 1) return "";
  const size_t colon = address.rfind(':');
  int port = -1;
  if (colon == std::string::npos || colon == 0 ||
      !absl::SimpleAtoi(address.substr(colon + 1), &port) || port < 0 || port > 65535) {
    return "must be HOST:PORT or unix:PATH";
  }
  return "";
}

bool IsUnixAddress(const std::string& address) { return address.rfind(kUnixScheme, 0) == 0; }

bool IsLoopbackAddress(const std::string& address) {
  if (IsUnixAddress(address)) return false;
  const std::string host = address.substr(0, address.rfind(':'));
  if (host == "localhost") return true;
  const std::string bare = host.size() > 2 && host.front() == '[' && host.back() == ']'
                               ? host.substr(1, host.size() - 2)
                               : host;
  in_addr v4{};
  if (inet_pton(AF_INET, bare.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  return inet_pton(AF_INET6, bare.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

}  // namespace postrider::config

#ifndef POSTRIDER_SERVER_HTTP_IP_ADDRESS_H_
#define POSTRIDER_SERVER_HTTP_IP_ADDRESS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

struct sockaddr;

namespace postrider::http {

// An IPv4 or IPv6 address without port, zone or flow label. A value: cheap to copy, immutable.
class IpAddress {
 public:
  // Reads the strict textual forms of inet_pton(3): four decimal numbers without leading zeros, or
  // RFC 4291 text without brackets and zone. Anything else is kInvalidArgument.
  static absl::StatusOr<IpAddress> Parse(std::string_view text);

  // Takes the address out of a socket address; nothing for families other than AF_INET and
  // AF_INET6 or when `length` is too short for the family.
  static std::optional<IpAddress> FromSocketAddress(const sockaddr* address, size_t length);

  // The port of such a socket address; 0 where there is none.
  static int PortOf(const sockaddr* address, size_t length);

  bool is_v4() const { return is_v4_; }

  // 4 or 16 bytes in network order.
  const uint8_t* bytes() const { return bytes_.data(); }
  int bits() const { return is_v4_ ? 32 : 128; }

  // The IPv4 address held in the last four bytes of an IPv6 address, whatever the rest of it says.
  // Only for addresses with !is_v4().
  IpAddress LastFourBytesAsV4() const;

  // The canonical text: dotted quad, or RFC 5952 lower case.
  std::string ToString() const;

  friend bool operator==(const IpAddress& a, const IpAddress& b) = default;

 private:
  IpAddress() = default;

  bool is_v4_ = true;
  std::array<uint8_t, 16> bytes_ = {};
};

}  // namespace postrider::http

#endif  // POSTRIDER_SERVER_HTTP_IP_ADDRESS_H_

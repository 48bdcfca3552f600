#ifndef POSTRIDER_SERVER_HTTP_DESTINATION_H_
#define POSTRIDER_SERVER_HTTP_DESTINATION_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "server/http/ip_address.h"
#include "server/http/reserved_places.h"

namespace postrider::http {

// A block of addresses: all those that share the first `prefix` bits with `network`.
struct Cidr {
  IpAddress network;
  int prefix;  // 0..32 for IPv4, 0..128 for IPv6

  // False for an address of the other family.
  bool Contains(const IpAddress& address) const;
  std::string ToString() const;
};

// Reads "10.0.0.0/8", "fd00::/8", or a bare address, which is the block of that one address.
// kInvalidArgument for anything else, also for a block whose address has bits set beyond the prefix
// and for IPv4-mapped IPv6 (write the IPv4 block instead: that is how such addresses are judged).
absl::StatusOr<Cidr> ParseCidr(std::string_view text);

// Which addresses webhooks may be sent to. The rule protects the network that the server runs in:
// customers choose the URLs, so a URL must not reach anything but the public Internet unless the
// operator has said so.
//
// - A reserved place (own listen addresses, the database) is denied, whatever else holds.
// - An address inside a block of the allow list is allowed, whatever the rest says.
// - IPv4: denied are the blocks of the IANA special-purpose registry (RFC 6890 and later),
//   multicast, 240.0.0.0/4 with broadcast, and 168.63.129.16, where a cloud platform answers from
//   inside.
// - IPv6: only global unicast, 2000::/3, less the special-purpose blocks in it (2001::/23,
//   2001:db8::/32, 2002::/16, 2620:4f:8000::/48, 3fff::/20).
// - IPv4-mapped (::ffff:0:0/96): judged as the IPv4 address inside.
// - NAT64 (64:ff9b::/96): denied, unless the IPv4 address inside is in the allow list.
//
// A value, immutable: safe to use from any thread.
class DestinationPolicy {
 public:
  // Public addresses over https only.
  DestinationPolicy() = default;
  // No `reserved`: no place is.
  DestinationPolicy(std::vector<Cidr> allowed, bool allow_http,
                    std::shared_ptr<const ReservedPlaces> reserved = nullptr);

  // Whether the address may be reached on some port, and on this one.
  bool Allows(const IpAddress& address) const;
  bool Allows(const IpAddress& address, int port) const;

  // Whether URLs may be http:// as well.
  bool allow_http() const { return allow_http_; }

 private:
  bool InAllowList(const IpAddress& address) const;

  std::vector<Cidr> allowed_;
  bool allow_http_ = false;
  std::shared_ptr<const ReservedPlaces> reserved_;
};

}  // namespace postrider::http

#endif  // POSTRIDER_SERVER_HTTP_DESTINATION_H_

#ifndef POSTRIDER_SERVER_HTTP_RESERVED_PLACES_H_
#define POSTRIDER_SERVER_HTTP_RESERVED_PLACES_H_

#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/http/ip_address.h"

namespace postrider::http {

// Where something listens. The unspecified address (0.0.0.0 or ::) is any address of this machine.
struct Place {
  IpAddress address;
  int port;

  friend bool operator==(const Place& a, const Place& b) = default;
};

// The places of "HOST:PORT" or "[V6]:PORT". A name is looked up, which may take its time. Nothing
// for a name without an address, for unix sockets, and for port 0.
std::vector<Place> PlacesOf(std::string_view host_and_port);

// Every address that an interface of this machine has now.
std::vector<IpAddress> AddressesOfThisMachine();

// Places that no webhook may reach, whatever the allow list says: where the server itself listens,
// and its database. A place on this machine stands for its port on every address of the machine,
// because what listens on one may listen on all. Thread-safe.
class ReservedPlaces {
 public:
  // Places kept: the servers' own few. Beyond it the oldest is forgotten.
  static constexpr size_t kMaxPlaces = 256;

  // `own` are the addresses of this machine besides loopback.
  void SetOwnAddresses(std::vector<IpAddress> own);
  void Add(const std::vector<Place>& places);

  // IPv4-mapped IPv6 and NAT64 addresses are judged as the IPv4 address inside.
  bool Holds(const IpAddress& address, int port) const;

 private:
  bool IsOwn(const IpAddress& address) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;
  std::vector<IpAddress> own_ ABSL_GUARDED_BY(mutex_);
  std::vector<Place> places_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace postrider::http

#endif  // POSTRIDER_SERVER_HTTP_RESERVED_PLACES_H_

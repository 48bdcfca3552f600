#include "server/http/reserved_places.h"

#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace postrider::http {
namespace {

constexpr uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr uint8_t kNat64[12] = {0x00, 0x64, 0xff, 0x9b};

IpAddress Plain(const IpAddress& address) {
  if (address.is_v4() || (std::memcmp(address.bytes(), kMapped, sizeof(kMapped)) != 0 &&
                          std::memcmp(address.bytes(), kNat64, sizeof(kNat64)) != 0)) {
    return address;
  }
  return address.LastFourBytesAsV4();
}

// 127.0.0.0/8, ::1, and the unspecified addresses, which connect to loopback.
bool IsLoopback(const IpAddress& address) {
  const uint8_t* const bytes = address.bytes();
  if (address.is_v4()) return bytes[0] == 127 || bytes[0] == 0;
  return std::all_of(bytes, bytes + 15, [](uint8_t byte) { return byte == 0; }) && bytes[15] <= 1;
}

struct FreeInterfaces {
  void operator()(ifaddrs* list) const { freeifaddrs(list); }
};
struct FreeLookup {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};

}  // namespace

std::vector<Place> PlacesOf(std::string_view host_and_port) {
  std::vector<Place> places;
  const size_t colon = host_and_port.rfind(':');
  if (colon == std::string_view::npos || host_and_port.starts_with("unix:")) return places;
  std::string host(host_and_port.substr(0, colon));
  if (host.size() > 1 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  const int port = std::atoi(std::string(host_and_port.substr(colon + 1)).c_str());
  if (port == 0) return places;
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return places;
  const std::unique_ptr<addrinfo, FreeLookup> owner(found);
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    if (const auto address = IpAddress::FromSocketAddress(entry->ai_addr, entry->ai_addrlen)) {
      places.push_back({*address, port});
    }
  }
  return places;
}

std::vector<IpAddress> AddressesOfThisMachine() {
  std::vector<IpAddress> addresses;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return addresses;
  const std::unique_ptr<ifaddrs, FreeInterfaces> owner(list);
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr) continue;
    const size_t length =
        entry->ifa_addr->sa_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    if (const auto address = IpAddress::FromSocketAddress(entry->ifa_addr, length)) {
      addresses.push_back(*address);
    }
  }
  return addresses;
}

void ReservedPlaces::SetOwnAddresses(std::vector<IpAddress> own) {
  absl::MutexLock lock(&mutex_);
  own_ = std::move(own);
}

void ReservedPlaces::Add(const std::vector<Place>& places) {
  absl::MutexLock lock(&mutex_);
  for (const Place& place : places) {
    if (std::find(places_.begin(), places_.end(), place) != places_.end()) continue;
    if (places_.size() >= kMaxPlaces) places_.erase(places_.begin());
    places_.push_back(place);
  }
}

bool ReservedPlaces::IsOwn(const IpAddress& address) const {
  return IsLoopback(address) || std::find(own_.begin(), own_.end(), address) != own_.end();
}

bool ReservedPlaces::Holds(const IpAddress& address, int port) const {
  absl::ReaderMutexLock lock(&mutex_);
  const IpAddress asked = Plain(address);
  for (const Place& place : places_) {
    if (place.port != port) continue;
    const IpAddress reserved = Plain(place.address);
    if (asked == reserved || (IsOwn(asked) && IsOwn(reserved))) return true;
  }
  return false;
}

}  // namespace postrider::http

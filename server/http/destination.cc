#include "server/http/destination.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace postrider::http {
namespace {

bool SamePrefix(const uint8_t* a, const uint8_t* b, int bits) {
  const int whole = bits / 8;
  if (std::memcmp(a, b, whole) != 0) return false;
  const int rest = bits % 8;
  return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

// A block of a table below: only the leading bytes that the prefix covers are written.
template <size_t kBytes>
struct Block {
  uint8_t network[kBytes];
  int prefix;
};

// IPv4 blocks that are not public destinations, in order of address.
constexpr Block<4> kDeniedV4[] = {
    {{0}, 8},                  // "this network" (RFC 791); 0.0.0.0 connects to loopback
    {{10}, 8},                 // private (RFC 1918)
    {{100, 64}, 10},           // shared address space (RFC 6598)
    {{127}, 8},                // loopback (RFC 1122)
    {{168, 63, 129, 16}, 32},  // a cloud platform's agent, reachable from its machines only
    {{169, 254}, 16},          // link-local (RFC 3927), cloud metadata
    {{172, 16}, 12},           // private (RFC 1918)
    {{192, 0, 0}, 24},         // IETF protocol assignments (RFC 6890)
    {{192, 0, 2}, 24},         // documentation (RFC 5737)
    {{192, 31, 196}, 24},      // AS112 (RFC 7535)
    {{192, 52, 193}, 24},      // AMT (RFC 7450)
    {{192, 88, 99}, 24},       // 6to4 relay anycast, deprecated (RFC 7526)
    {{192, 168}, 16},          // private (RFC 1918)
    {{192, 175, 48}, 24},      // direct delegation AS112 (RFC 7534)
    {{198, 18}, 15},           // benchmarking (RFC 2544)
    {{198, 51, 100}, 24},      // documentation (RFC 5737)
    {{203, 0, 113}, 24},       // documentation (RFC 5737)
    {{224}, 4},                // multicast (RFC 5771)
    {{240}, 4},                // reserved (RFC 1112) and broadcast
};

constexpr Block<16> kGlobalUnicastV6 = {{0x20}, 3};

// Blocks inside 2000::/3 that are not public destinations.
constexpr Block<16> kDeniedV6[] = {
    {{0x20, 0x01, 0x00}, 23},                    // IETF protocol assignments, Teredo (RFC 2928)
    {{0x20, 0x01, 0x0d, 0xb8}, 32},              // documentation (RFC 3849)
    {{0x20, 0x02}, 16},                          // 6to4: embeds any IPv4 address (RFC 3056)
    {{0x26, 0x20, 0x00, 0x4f, 0x80, 0x00}, 48},  // direct delegation AS112 (RFC 7534)
    {{0x3f, 0xff, 0x00}, 20},                    // documentation (RFC 9637)
};

constexpr Block<16> kMappedV4 = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96};
constexpr Block<16> kNat64 = {{0x00, 0x64, 0xff, 0x9b}, 96};

template <size_t kBytes>
bool In(const IpAddress& address, const Block<kBytes>& block) {
  return SamePrefix(address.bytes(), block.network, block.prefix);
}

template <size_t kBytes, size_t kCount>
bool InAny(const IpAddress& address, const Block<kBytes> (&blocks)[kCount]) {
  return std::any_of(std::begin(blocks), std::end(blocks),
                     [&](const Block<kBytes>& block) { return In(address, block); });
}

}  // namespace

bool Cidr::Contains(const IpAddress& address) const {
  return address.is_v4() == network.is_v4() && SamePrefix(address.bytes(), network.bytes(), prefix);
}

std::string Cidr::ToString() const { return absl::StrCat(network.ToString(), "/", prefix); }

absl::StatusOr<Cidr> ParseCidr(std::string_view text) {
  const size_t slash = text.find('/');
  absl::StatusOr<IpAddress> network = IpAddress::Parse(text.substr(0, slash));
  if (!network.ok()) {
    return absl::InvalidArgumentError("an address block is written like 10.0.0.0/8 or fd00::/8");
  }
  int prefix = network->bits();
  if (slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    const bool plain = !digits.empty() && digits.size() <= 3 &&
                       digits.find_first_not_of("0123456789") == std::string_view::npos &&
                       (digits == "0" || digits[0] != '0');
    if (!plain || !absl::SimpleAtoi(std::string(digits), &prefix) || prefix > network->bits()) {
      return absl::InvalidArgumentError(
          absl::StrCat("the prefix length of an address block is 0 to ", network->bits()));
    }
  }
  if (!network->is_v4() && In(*network, kMappedV4)) {
    return absl::InvalidArgumentError("an IPv4-mapped block is written as the IPv4 block in it");
  }
  for (int bit = prefix; bit < network->bits(); ++bit) {
    if ((network->bytes()[bit / 8] >> (7 - bit % 8)) & 1) {
      return absl::InvalidArgumentError("an address block has no bits set beyond its prefix");
    }
  }
  return Cidr{*network, prefix};
}

DestinationPolicy::DestinationPolicy(std::vector<Cidr> allowed, bool allow_http,
                                     std::shared_ptr<const ReservedPlaces> reserved)
    : allowed_(std::move(allowed)), allow_http_(allow_http), reserved_(std::move(reserved)) {}

bool DestinationPolicy::InAllowList(const IpAddress& address) const {
  return std::any_of(allowed_.begin(), allowed_.end(),
                     [&](const Cidr& block) { return block.Contains(address); });
}

bool DestinationPolicy::Allows(const IpAddress& address) const {
  if (!address.is_v4() && In(address, kMappedV4)) return Allows(address.LastFourBytesAsV4());
  if (InAllowList(address)) return true;
  if (address.is_v4()) return !InAny(address, kDeniedV4);
  if (In(address, kNat64)) return InAllowList(address.LastFourBytesAsV4());
  return In(address, kGlobalUnicastV6) && !InAny(address, kDeniedV6);
}

bool DestinationPolicy::Allows(const IpAddress& address, int port) const {
  return Allows(address) && (reserved_ == nullptr || !reserved_->Holds(address, port));
}

}  // namespace postrider::http

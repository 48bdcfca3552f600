#include "server/dispatch/shares.h"

#include <algorithm>

namespace postrider::dispatch {
namespace {

// The same on every node and in every build, which absl::Hash is not.
uint64_t StableHash(const EndpointId& id, int32_t node) {
  uint64_t hash = 0x9e3779b97f4a7c15u ^ static_cast<uint32_t>(node);
  const auto mix = [&hash](uint64_t value) {
    hash = (hash ^ value) * 0xbf58476d1ce4e5b9u;
    hash ^= hash >> 31;
  };
  for (uint8_t byte : id.ulid.bytes) mix(byte);
  return hash;
}

}  // namespace

int RankOf(const EndpointId& id, const Cluster& cluster) {
  const uint64_t mine = StableHash(id, cluster.self);
  return static_cast<int>(std::count_if(
      cluster.nodes.begin(), cluster.nodes.end(),
      [&](int32_t node) { return node != cluster.self && StableHash(id, node) < mine; }));
}

}  // namespace postrider::dispatch

// Which node has an endpoint whose limits are smaller than the number of nodes.

#pragma once

#include <cstdint>
#include <vector>

#include "storage/model/ids.h"

namespace postrider::dispatch {

// Live nodes, for shares.
struct Cluster {
  int32_t self = 0;
  std::vector<int32_t> nodes;  // this one included
};

// The rank of this node for an endpoint, 0 to nodes - 1, by rendezvous hashing: every node comes to
// the same ranks without asking another.
int RankOf(const EndpointId& id, const Cluster& cluster);

}  // namespace postrider::dispatch

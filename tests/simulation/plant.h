// A fault that a test plants into every node: what it puts between the engine and the stores.

#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "storage/dispatch_store.h"
#include "storage/endpoint_store.h"
#include "storage/event_store.h"
#include "storage/node_store.h"
#include "tests/memory/database.h"

namespace postrider::simulation {

struct Plant {
  template <typename Store>
  using Wrap = std::function<std::unique_ptr<Store>(std::unique_ptr<Store>, memory::Database&)>;

  std::string name;
  Wrap<EventAcceptor> acceptor;
  Wrap<DispatchStore> record;
  Wrap<DispatchStore> claim;
  Wrap<EndpointReader> endpoints;
  Wrap<NodeStore> nodes;
};

}  // namespace postrider::simulation

#ifndef POSTRIDER_TESTS_CHAOS_PUBLISHERS_H_
#define POSTRIDER_TESTS_CHAOS_PUBLISHERS_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "tests/chaos/nodes.h"
#include "tests/ledger/ledger.h"

namespace postrider::testing {

// Publishes at a steady rate by way of all nodes, in threads of its own; each event under a key,
// and again under that key, by way of the next node, until it is acknowledged.
class Publishers {
 public:
  // `org` and `env` have the run's endpoints. At `rate` events a second in all.
  Publishers(const Nodes& nodes, std::string org, std::string env, double rate, uint64_t seed);
  ~Publishers();

  // Events acknowledged so far.
  int acknowledged() const { return acknowledged_; }

  // Ends when what was begun is acknowledged, or was refused for two minutes; what all were told.
  std::vector<Publication> Stop();

 private:
  void Run(size_t thread, uint64_t seed);
  void Publish(Publication& publication, size_t first_node);

  const Nodes& nodes_;
  const std::string org_;
  const std::string env_;
  const absl::Duration pause_;  // Of one thread, between two events.
  std::atomic<bool> stop_{false};
  std::atomic<int> acknowledged_{0};
  std::vector<std::vector<Publication>> told_;  // By thread.
  std::vector<std::thread> threads_;
};

}  // namespace postrider::testing

#endif  // POSTRIDER_TESTS_CHAOS_PUBLISHERS_H_

#ifndef POSTRIDER_TESTS_CHAOS_FAULTS_H_
#define POSTRIDER_TESTS_CHAOS_FAULTS_H_

#include <functional>
#include <random>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/chaos/nodes.h"
#include "tests/support/database_proxy.h"
#include "tests/support/test_database.h"

namespace postrider::testing {

// How often what happens in a run.
struct FaultCounts {
  int kills = 0;              // kill -9 of a node
  int pauses = 0;             // a node stopped for longer than others take it for alive
  int commit_cuts = 0;        // a connection cut before, with or after a statement that commits
  int connection_cuts = 0;    // all connections to PostgreSQL cut
  int postgres_restarts = 0;  // in good order
  int postgres_kills = 0;     // kill -9 of PostgreSQL
  int rolling_restarts = 0;   // every node once, in good order

  // Those that leave it open whether something was received: without them nothing comes twice.
  bool AnyUnclean() const {
    return kills + pauses + commit_cuts + connection_cuts + postgres_restarts + postgres_kills > 0;
  }
};

// Does to nodes, their PostgreSQL and the network between what was ordered, in an order and at
// times that the random numbers say. One thread, the main one.
class Faults {
 public:
  // All outlive it. `longest_gap`: between two faults, half a second at least.
  Faults(Nodes& nodes, TestCluster& cluster, DatabaseProxy& proxy, const FaultCounts& counts,
         absl::Duration longest_gap, std::mt19937_64& random);

  bool Over() const { return left_.empty() && returns_.empty(); }

  // Waits for what comes next, and does it.
  void Step();

  // Brings back at once what is down.
  void EndAll();

  // What should not have been, one line each.
  const std::vector<std::string>& surprises() const { return surprises_; }

 private:
  enum class Kind {
    kKill,
    kPause,
    kCommitCut,
    kConnectionCut,
    kPostgresRestart,
    kPostgresKill,
    kRollingRestart
  };
  // A node that is to come back.
  struct Return {
    size_t node;
    absl::Time due;
  };

  void Do(Kind kind);
  void ReturnDue();
  void BringBack(size_t node);
  void StartOrLater(size_t node, absl::Duration later);
  void CutACommit();
  void RestartAll();
  // A node that runs, if another one does too; else -1.
  int PickNode();
  bool AnyPaused() const;
  absl::Duration Between(absl::Duration low, absl::Duration high);

  Nodes& nodes_;
  TestCluster& cluster_;
  DatabaseProxy& proxy_;
  const absl::Duration longest_gap_;
  std::mt19937_64& random_;
  std::vector<Kind> left_;
  std::vector<Return> returns_;
  std::vector<std::string> surprises_;
};

}  // namespace postrider::testing

#endif  // POSTRIDER_TESTS_CHAOS_FAULTS_H_

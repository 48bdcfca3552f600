#ifndef POSTRIDER_TESTS_CHAOS_NODES_H_
#define POSTRIDER_TESTS_CHAOS_NODES_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "tests/support/api.h"
#include "tests/support/server_process.h"
#include "tests/support/test_database.h"

namespace postrider::testing {

// How long a node may take to drain before it is said to be stuck.
inline constexpr absl::Duration kDrainTimeout = absl::Seconds(20);

// The replicas of a run, each with a data folder and a node id of its own over all its lives. Only
// api() may be called from other threads than the main one.
class Nodes {
 public:
  // What ended a life, or a part of one.
  enum class End { kKilled, kPaused };
  struct Death {
    int node_no = 0;
    End end = End::kKilled;
    absl::Time time;
    absl::Time back;  // When it ran again; never: the infinite future.
  };

  // `conninfo`: the servers' way to the database; `database`: ours. Both outlive it.
  Nodes(size_t count, std::string conninfo, TestDatabase& database);

  size_t size() const { return nodes_.size(); }

  // Starts a node that does not run. UNAVAILABLE: it did not get ready, as while PostgreSQL is
  // away.
  absl::Status Start(size_t node);

  bool Running(size_t node) const { return nodes_[node].process != nullptr; }
  bool Paused(size_t node) const { return nodes_[node].paused; }

  void Kill(size_t node);  // -9
  void Pause(size_t node);
  void Continue(size_t node);
  // In good order. INTERNAL: it did not end with 0 in time, and was killed.
  absl::Status Terminate(size_t node);

  // Calls to a node; never null once all have been started. Of one that is down it is the last
  // one's.
  std::shared_ptr<Api> api(size_t node) const ABSL_LOCKS_EXCLUDED(mu_);

  const std::vector<Death>& deaths() const { return deaths_; }
  // Nodes that ended although nobody ended them, one line each.
  const std::vector<std::string>& crashes() const { return crashes_; }

 private:
  struct Node {
    std::string data_dir;
    std::unique_ptr<ServerProcess> process;
    int node_no = 0;
    bool paused = false;
  };

  void NoteCrash(size_t node);
  void NoteDeath(size_t node, End end);
  void NoteReturn(int node_no);

  const std::string conninfo_;
  TestDatabase& database_;
  std::vector<Node> nodes_;
  std::vector<Death> deaths_;
  std::vector<std::string> crashes_;

  mutable absl::Mutex mu_;
  std::vector<std::shared_ptr<Api>> apis_ ABSL_GUARDED_BY(mu_);
};

}  // namespace postrider::testing

#endif  // POSTRIDER_TESTS_CHAOS_NODES_H_

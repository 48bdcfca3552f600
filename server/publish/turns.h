// Calls that wait for their transaction, by org: orgs have their turns, so that whoever publishes
// much waits behind itself. Each org's calls keep their order. Not thread-safe.

#pragma once

#include <deque>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "server/publish/submission.h"

namespace postrider::publish {

// The org whose turn a call takes and whose share of the queue it uses: that of its first event.
const std::string& OrgOf(const Submission& submission);

class Turns {
 public:
  bool empty() const { return turns_.empty(); }
  void Push(Submission submission);
  // In front of its org's others.
  void PutBack(Submission submission);
  // The first one of the org whose turn it is, which then comes after all others. Not when empty.
  Submission Pop();

 private:
  absl::flat_hash_map<std::string, std::deque<Submission>> waiting_;  // none is empty
  std::deque<std::string> turns_;                                     // each org of waiting_ once
};

}  // namespace postrider::publish

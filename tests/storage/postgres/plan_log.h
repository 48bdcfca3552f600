// How PostgreSQL carried out what a store asked: its own auto_explain writes the plan of every
// statement, with what it read, to the cluster's log.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"

namespace postrider {

struct ExecutedPlan {
  std::string text;  // with the statement
  double milliseconds = 0;
  int64_t blocks = 0;  // read by the node that read most, those below it included
  int64_t rows = 0;    // looked at by the scan that looked at most
  std::vector<std::string> whole_tables;  // read from end to end, unless empty
};

// The conninfo of sessions whose statements are to be explained. Needs a superuser.
std::string Explained(const std::string& conninfo);

// What was executed by such sessions, all of them, during `call`.
std::vector<ExecutedPlan> PlansOf(absl::FunctionRef<void()> call);

}  // namespace postrider

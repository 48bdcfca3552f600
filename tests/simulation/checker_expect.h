// How the parts of the checker say what they found.

#pragma once

#include "absl/strings/str_cat.h"
#include "tests/simulation/checker.h"

namespace postrider::simulation {

// How long a change may take to hold (SEMANTICS, "Delivery").
inline constexpr absl::Duration kChangeHolds = absl::Seconds(1);

template <typename... Parts>
void Checker::Expect(bool holds, const Parts&... parts) {
  if (!holds && findings_.size() < kMaxFindings) findings_.push_back(absl::StrCat(parts...));
}

}  // namespace postrider::simulation

#include "tests/ledger/ledger.h"

#include <algorithm>

namespace postrider::testing {

bool Publication::Acknowledged() const {
  return std::any_of(tries.begin(), tries.end(),
                     [](const Try& one) { return one.told == Told::kAccepted; });
}

bool Publication::MaybeStored() const {
  return std::any_of(tries.begin(), tries.end(),
                     [](const Try& one) { return one.told != Told::kRefused; });
}

}  // namespace postrider::testing

#ifndef POSTRIDER_TESTS_LEDGER_CHECK_H_
#define POSTRIDER_TESTS_LEDGER_CHECK_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/ledger/ledger.h"

namespace postrider::testing {

// How far the clocks of the parties may be apart.
inline constexpr absl::Duration kClockSlack = absl::Milliseconds(100);

// What a run came to, in numbers.
struct Count {
  size_t acknowledged = 0;  // Events.
  size_t lost = 0;          // Acknowledged, and a matching endpoint neither got it nor does its
                            // delivery say why not.
  size_t unknown = 0;       // Never acknowledged, and perhaps stored.
  size_t deliveries = 0;
  size_t arrivals = 0;
  size_t duplicated = 0;   // Deliveries that were answered with 2xx more than once.
  size_t unexplained = 0;  // Those of them that no ABANDONED row explains.
  size_t abandoned = 0;    // Attempts.
};
Count CountOf(const Ledger& ledger);

// The promises that the run broke, one line each; empty when it kept all of them:
// - what was acknowledged is stored, once, under its key, and nothing is that may not be;
// - every stored event has one delivery per matching endpoint, and each is over: answered with 2xx,
//   or failed after the whole schedule;
// - attempts are numbered 1..n in the log, and what arrived carries those numbers, each once;
// - log and receivers agree on what was answered;
// - a delivery that was answered with 2xx is sent again only after an attempt that was abandoned;
// - no attempt begins before its time, and there are never more than the schedule has (abandoned
//   ones apart).
std::vector<std::string> BrokenPromises(const Ledger& ledger);

}  // namespace postrider::testing

#endif  // POSTRIDER_TESTS_LEDGER_CHECK_H_

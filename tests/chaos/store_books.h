#ifndef POSTRIDER_TESTS_CHAOS_STORE_BOOKS_H_
#define POSTRIDER_TESTS_CHAOS_STORE_BOOKS_H_

#include <vector>

#include "absl/time/time.h"
#include "tests/ledger/ledger.h"
#include "tests/support/test_database.h"

namespace postrider::testing {

// What the store keeps, read from its tables; and two tables of ours beside them, written by
// triggers, for what the store forgets: which attempts were ever ABANDONED, and whose work was
// taken over when. To be called when the schema is there and before anything is published.
void WatchTakeOvers(TestDatabase& database);

struct TakeOver {
  int node_no = 0;  // Whose work it was.
  absl::Time time;
};
std::vector<TakeOver> TakeOversIn(TestDatabase& database);

// Fills in events, deliveries and attempts.
void ReadStore(TestDatabase& database, Ledger& ledger);

}  // namespace postrider::testing

#endif  // POSTRIDER_TESTS_CHAOS_STORE_BOOKS_H_

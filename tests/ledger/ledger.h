#ifndef POSTRIDER_TESTS_LEDGER_LEDGER_H_
#define POSTRIDER_TESTS_LEDGER_LEDGER_H_

#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace postrider::testing {

// The books of one run that has come to rest: three parties, each on its own account. Ids are the
// texts that callers see.

// What a publisher was told of one try.
enum class Told {
  kAccepted,
  kRefused,  // Nothing was stored.
  kUnknown,  // UNAVAILABLE, DEADLINE_EXCEEDED: it may have been stored.
};
struct Try {
  Told told = Told::kUnknown;
  std::string event_id;  // Of an accepted one.
  bool duplicate = false;
};

// One event under its idempotency key, tried once or more, one try after the other.
struct Publication {
  std::string key;
  std::string type;
  std::vector<Try> tries;

  // Whether it was accepted at last, and whether it may have been.
  bool Acknowledged() const;
  bool MaybeStored() const;
};

// One request that a receiver got.
struct Arrival {
  std::string event_id;
  std::string delivery_id;
  std::string endpoint_id;
  int number = 0;
  absl::Time arrived;
  absl::Time answered;  // Or when it was going to be.
  int status = 0;       // 0: the connection was closed without an answer.

  bool Succeeded() const { return status >= 200 && status < 300; }
};

// What the store holds.
struct StoredEvent {
  std::string id;
  std::string key;
  std::string type;
  int delivery_count = 0;
};

enum class StoredState { kOpen, kSucceeded, kExhausted, kFailedOtherwise, kCanceled };
struct StoredDelivery {
  std::string id;
  std::string event_id;
  std::string endpoint_id;
  StoredState state = StoredState::kOpen;
  int attempt_count = 0;
};

struct StoredAttempt {
  std::string delivery_id;
  int number = 0;
  absl::Time start;
  absl::Time end;
  enum class Outcome { kSucceeded, kHttpStatus, kNotAnswered, kAbandoned } outcome;
  int status = 0;
  // It was once written as ABANDONED, even if its own outcome completed it later.
  bool was_abandoned = false;
};

struct Subscriber {
  std::string endpoint_id;
  std::set<std::string> types;  // Empty: all.

  bool Wants(const std::string& type) const { return types.empty() || types.count(type) > 0; }
};

struct Ledger {
  // All that published, all that received, and the endpoints as they were from the first event on.
  std::vector<Publication> publications;
  std::vector<Arrival> arrivals;
  std::vector<Subscriber> subscribers;
  std::vector<absl::Duration> schedule;
  // Of an attempt. What took much longer was of a server that stood still.
  absl::Duration attempt_timeout = absl::InfiniteDuration();

  std::vector<StoredEvent> events;
  std::vector<StoredDelivery> deliveries;
  std::vector<StoredAttempt> attempts;
};

}  // namespace postrider::testing

#endif  // POSTRIDER_TESTS_LEDGER_LEDGER_H_

// Group commit of events into PostgreSQL: see EventAcceptor in storage/event_store.h. Two
// statements a call, whatever it holds: accept_look.sql reads, what is to be stored is decided
// here, accept_store.sql stores it. Endpoints match as of the first; a key that is taken between
// the two is a unique violation.

#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "storage/event_store.h"
#include "storage/postgres/environments.h"
#include "storage/postgres/session.h"

namespace postrider {

class PgEventAcceptor : public EventAcceptor {
 public:
  // `random` is for ids of deliveries: 64 bits a call.
  PgEventAcceptor(const SessionOptions& options, Environments& environments,
                  absl::Duration idempotency_window, std::function<uint64_t()> random);

  absl::StatusOr<std::vector<AcceptResult>> Accept(const std::vector<NewEvent>& events,
                                                   const std::vector<int32_t>& batches,
                                                   const FanOutLease& lease) override;

 private:
  struct Match {
    EndpointId endpoint_id;
    bool ordered = false;
  };
  // What accept_look.sql found.
  struct Look {
    absl::Time this_window;
    std::optional<absl::Time> guard_window;       // keys are put into this one too
    std::vector<std::optional<StoredKey>> known;  // under the event's key, one an event
    std::vector<size_t> group;                // of the event's environment and type, one an event
    std::vector<std::vector<Match>> matches;  // one a group
  };

  absl::StatusOr<Look> LookUp(const std::vector<NewEvent>& events,
                              const std::vector<int32_t>& env_nos);
  // Stores the events whose result says accepted, with their deliveries, which it adds to the
  // result.
  absl::Status Store(const std::vector<NewEvent>& events, const std::vector<int32_t>& env_nos,
                     const Look& look, const FanOutLease& lease,
                     std::vector<AcceptResult>& results);

  Session session_;
  Environments& environments_;
  const absl::Duration idempotency_window_;
  const std::function<uint64_t()> random_;
  Params params_;  // kept for its memory
};

}  // namespace postrider

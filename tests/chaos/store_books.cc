#include "tests/chaos/store_books.h"

#include <set>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "storage/model/ids.h"
#include "storage/model/records.h"

namespace postrider::testing {
namespace {

// The id that callers see, of a uuid as PostgreSQL prints it.
template <class IdType>
std::string IdOf(const std::string& uuid) {
  IdType id;
  size_t digit = 0;
  for (const char c : uuid) {
    if (c == '-') continue;
    const int value = c <= '9' ? c - '0' : c - 'a' + 10;
    uint8_t& byte = id.ulid.bytes[digit / 2];
    byte = static_cast<uint8_t>(byte << 4 | value);
    ++digit;
  }
  return id.ToText();
}

int64_t NumberIn(const std::string& text) {
  int64_t number = 0;
  return absl::SimpleAtoi(text, &number) ? number : 0;
}

absl::Time TimeIn(const std::string& microseconds) {
  return absl::FromUnixMicros(NumberIn(microseconds));
}

StoredState StateOf(int64_t state, int64_t reason) {
  switch (static_cast<DeliveryState>(state)) {
    case DeliveryState::kPending:
    case DeliveryState::kInProgress:
      return StoredState::kOpen;
    case DeliveryState::kSucceeded:
      return StoredState::kSucceeded;
    case DeliveryState::kFailed:
      return static_cast<StateReason>(reason) == StateReason::kExhausted
                 ? StoredState::kExhausted
                 : StoredState::kFailedOtherwise;
    case DeliveryState::kCanceled:
      return StoredState::kCanceled;
  }
  return StoredState::kFailedOtherwise;
}

StoredAttempt::Outcome OutcomeOf(int64_t outcome) {
  switch (static_cast<AttemptOutcome>(outcome)) {
    case AttemptOutcome::kSucceeded:
      return StoredAttempt::Outcome::kSucceeded;
    case AttemptOutcome::kHttpStatus:
      return StoredAttempt::Outcome::kHttpStatus;
    case AttemptOutcome::kAbandoned:
      return StoredAttempt::Outcome::kAbandoned;
    default:
      return StoredAttempt::Outcome::kNotAnswered;
  }
}

}  // namespace

void WatchTakeOvers(TestDatabase& database) {
  database.Query(R"(
    CREATE TABLE chaos_abandoned (delivery_id uuid, number int);
    CREATE TABLE chaos_taken_over (node_no int, at timestamptz);
    CREATE FUNCTION chaos_note_abandoned() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO chaos_abandoned VALUES (NEW.delivery_id, NEW.number);
      RETURN NULL;
    END $$;
    CREATE FUNCTION chaos_note_taken_over() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO chaos_taken_over VALUES (OLD.lease_node, clock_timestamp());
      RETURN NULL;
    END $$;
    CREATE TRIGGER chaos_abandoned AFTER INSERT ON attempts
      FOR EACH ROW WHEN (NEW.outcome = 8) EXECUTE FUNCTION chaos_note_abandoned();
    CREATE TRIGGER chaos_taken_over AFTER UPDATE ON open_deliveries
      FOR EACH ROW WHEN (NEW.lost_claims > OLD.lost_claims)
      EXECUTE FUNCTION chaos_note_taken_over();
  )");
}

std::vector<TakeOver> TakeOversIn(TestDatabase& database) {
  std::vector<TakeOver> all;
  for (const std::vector<std::string>& row :
       database.Query("SELECT node_no, (extract(epoch FROM at) * 1000000)::bigint "
                      "FROM chaos_taken_over ORDER BY at")) {
    all.push_back({static_cast<int>(NumberIn(row[0])), TimeIn(row[1])});
  }
  return all;
}

void ReadStore(TestDatabase& database, Ledger& ledger) {
  for (const std::vector<std::string>& row :
       database.Query("SELECT event_id, idempotency_key, type, delivery_count FROM events")) {
    ledger.events.push_back(
        {IdOf<EventId>(row[0]), row[1], row[2], static_cast<int>(NumberIn(row[3]))});
  }
  for (const std::vector<std::string>& row : database.Query(
           "SELECT delivery_id, event_id, endpoint_id, state, state_reason, attempt_count "
           "FROM closed_deliveries UNION ALL "
           "SELECT delivery_id, event_id, endpoint_id, 1, 0, attempt_count FROM open_deliveries")) {
    ledger.deliveries.push_back(
        {IdOf<DeliveryId>(row[0]), IdOf<EventId>(row[1]), IdOf<EndpointId>(row[2]),
         StateOf(NumberIn(row[3]), NumberIn(row[4])), static_cast<int>(NumberIn(row[5]))});
  }
  std::set<std::pair<std::string, std::string>> abandoned;
  for (const std::vector<std::string>& row :
       database.Query("SELECT delivery_id, number FROM chaos_abandoned")) {
    abandoned.emplace(row[0], row[1]);
  }
  for (const std::vector<std::string>& row :
       database.Query("SELECT delivery_id, number, (extract(epoch FROM start_time) * 1000000)::"
                      "bigint, duration_us, outcome, http_status FROM attempts")) {
    StoredAttempt attempt;
    attempt.delivery_id = IdOf<DeliveryId>(row[0]);
    attempt.number = static_cast<int>(NumberIn(row[1]));
    attempt.start = TimeIn(row[2]);
    attempt.end = attempt.start + absl::Microseconds(NumberIn(row[3]));
    attempt.outcome = OutcomeOf(NumberIn(row[4]));
    attempt.status = static_cast<int>(NumberIn(row[5]));
    attempt.was_abandoned = abandoned.count({row[0], row[1]}) > 0;
    ledger.attempts.push_back(std::move(attempt));
  }
}

}  // namespace postrider::testing
